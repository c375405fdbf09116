//! Units that wait for a worker. Without a timer: a worker takes its share of whatever waits, one at least.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// So few units are not shared out: calling the plugins for each part would cost more than waiting for one taker.
const WORTH_JOINING: usize = 16;

/// First in, first out, for several takers. What may wait is bounded by the bytes that its units hold, not here.
#[derive(Debug)]
pub(super) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    ready: Condvar,
    takers: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    units: VecDeque<T>,
    /// Takers that wait for a unit.
    idle: usize,
    closed: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(takers: usize) -> Self {
        let waiting = Waiting { units: VecDeque::new(), idle: 0, closed: false };
        Queue { waiting: Mutex::new(waiting), ready: Condvar::new(), takers: takers.max(1) }
    }

    /// Adds a unit, or gives it back when the queue is closed.
    pub(super) fn push(&self, unit: T) -> Result<(), T> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(unit);
        }
        waiting.units.push_back(unit);
        let wake = waiting.idle > 0;
        drop(waiting);
        if wake {
            self.ready.notify_one();
        }
        Ok(())
    }

    /// Waits for a unit and takes it with those behind it, while `joins` agrees to each: at most this taker's share of all,
    /// or [`WORTH_JOINING`].
    /// Empty when the queue is closed and nothing is left.
    pub(super) fn take(&self, mut joins: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut waiting = self.lock();
        while waiting.units.is_empty() && !waiting.closed {
            waiting.idle += 1;
            waiting = self.ready.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            waiting.idle -= 1;
        }
        let share = waiting.units.len().div_ceil(self.takers).max(WORTH_JOINING);
        let mut taken = Vec::with_capacity(share);
        while taken.len() < share && waiting.units.front().is_some_and(|unit| joins(unit) || taken.is_empty()) {
            taken.extend(waiting.units.pop_front());
        }
        taken
    }

    /// Takes no more units; takers get what is left.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takers_share_what_waits_in_order() {
        let queue = Queue::new(2);
        (0..50).for_each(|unit| queue.push(unit).unwrap());
        assert_eq!(queue.take(|_| true), (0..25).collect::<Vec<_>>());
        assert_eq!(queue.take(|_| true), (25..41).collect::<Vec<_>>());
        assert_eq!(queue.take(|_| false), [41]);
        queue.close();
        assert_eq!(queue.push(9), Err(9));
        assert_eq!((queue.take(|_| true).len(), queue.take(|_| true)), (8, vec![]));
    }
}
