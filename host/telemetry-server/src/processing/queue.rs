//! Units that wait for a worker. Without a timer: a worker takes its share of whatever waits, one at least.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// So few units are not shared out: calling the plugins for each part would cost more than waiting for one taker.
const WORTH_JOINING: usize = 16;

/// A unit of more bytes is large: it goes alone.
pub(super) const LARGE: usize = 1 << 20;
/// Large units of more bytes together are not at work at once; one alone always may be. An event takes up to 11 times its bytes.
const LARGE_AT_WORK: usize = 64 << 20;

/// First in, first out, for several takers at once. What may wait is bounded by the bytes that its units hold, not here.
///
/// Large units never keep all takers: while as many of them are at work as there are turns, one more turn is given, to small ones. And
/// so that memory stays bounded on machines of many cores, they are at work together only up to [`LARGE_AT_WORK`].
#[derive(Debug)]
pub(super) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    ready: Condvar,
    turns: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    /// Each with its place in the order of arrival.
    small: VecDeque<(u64, T)>,
    large: VecDeque<(u64, Large<T>)>,
    arrived: u64,
    at_work: AtWork,
    /// Takers that wait for a unit.
    idle: usize,
    closed: bool,
}

/// A large unit and its bytes.
#[derive(Debug)]
struct Large<T> {
    unit: T,
    bytes: usize,
}

/// Turns that are taken.
#[derive(Clone, Copy, Debug, Default)]
struct AtWork {
    all: usize,
    large: usize,
    large_bytes: usize,
}

/// Units for one taker. Its turn ends when this is dropped.
pub(super) struct Turn<'q, T> {
    queue: &'q Queue<T>,
    /// Of a large unit; 0 of small ones.
    large_bytes: usize,
    /// What to do; a large unit is alone. Empty when the queue is closed and nothing is left.
    pub(super) units: Vec<T>,
}

impl<T> Queue<T> {
    /// A queue with so many turns; it wants one taker more than that.
    pub(super) fn new(turns: usize) -> Self {
        let (small, large) = (VecDeque::new(), VecDeque::new());
        let waiting = Waiting { small, large, arrived: 0, at_work: AtWork::default(), idle: 0, closed: false };
        Queue { waiting: Mutex::new(waiting), ready: Condvar::new(), turns: turns.max(1) }
    }

    /// Adds a unit of `bytes`, or gives it back when the queue is closed.
    pub(super) fn push(&self, unit: T, bytes: usize) -> Result<(), T> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(unit);
        }
        waiting.arrived += 1;
        let place = waiting.arrived;
        match bytes > LARGE {
            true => waiting.large.push_back((place, Large { unit, bytes })),
            false => waiting.small.push_back((place, unit)),
        }
        self.wake_one(waiting);
        Ok(())
    }

    /// Waits for a unit and takes it with those behind it, while `joins` agrees to each: at most this taker's share of all,
    /// or [`WORTH_JOINING`].
    pub(super) fn take(&self, joins: impl FnMut(&T) -> bool) -> Turn<'_, T> {
        let mut waiting = self.lock();
        loop {
            if let Some(is_large) = waiting.next(self.turns) {
                let (units, large_bytes) = if is_large { waiting.take_large() } else { (waiting.take_small(self.turns, joins), 0) };
                waiting.at_work.begin(large_bytes);
                // What others may take now, nobody else will tell them.
                self.wake_one(waiting);
                return Turn { queue: self, large_bytes, units };
            }
            if waiting.closed {
                waiting.at_work.begin(0);
                return Turn { queue: self, large_bytes: 0, units: Vec::new() };
            }
            waiting.idle += 1;
            waiting = self.ready.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            waiting.idle -= 1;
        }
    }

    /// Takes no more units; takers get what is left.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }

    fn wake_one(&self, waiting: MutexGuard<'_, Waiting<T>>) {
        let wake = waiting.idle > 0 && waiting.next(self.turns).is_some();
        drop(waiting);
        if wake {
            self.ready.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Waiting<T> {
    /// Whether the unit that may be taken next is a large one; `None` when none may be taken.
    fn next(&self, turns: usize) -> Option<bool> {
        let is_free = self.at_work.all < turns || self.closed;
        let small = self.small.front().filter(|_| is_free || self.at_work.all == self.at_work.large);
        let fits = |large: &Large<T>| self.at_work.large == 0 || self.at_work.large_bytes.saturating_add(large.bytes) <= LARGE_AT_WORK;
        let large = self.large.front().filter(|(_, large)| is_free && fits(large));
        match (small, large) {
            (None, None) => None,
            (None, Some(_)) => Some(true),
            (Some(_), None) => Some(false),
            (Some((small, _)), Some((large, _))) => Some(large < small),
        }
    }

    fn take_large(&mut self) -> (Vec<T>, usize) {
        self.large.pop_front().map(|(_, Large { unit, bytes })| (vec![unit], bytes)).unwrap_or_default()
    }

    fn take_small(&mut self, turns: usize, mut joins: impl FnMut(&T) -> bool) -> Vec<T> {
        let share = self.small.len().div_ceil(turns).max(WORTH_JOINING);
        let mut taken = Vec::with_capacity(share.min(self.small.len()));
        while taken.len() < share && self.small.front().is_some_and(|(_, unit)| joins(unit) || taken.is_empty()) {
            taken.extend(self.small.pop_front().map(|(_, unit)| unit));
        }
        taken
    }
}

impl AtWork {
    fn begin(&mut self, large_bytes: usize) {
        self.all += 1;
        self.large += usize::from(large_bytes > 0);
        self.large_bytes += large_bytes;
    }

    fn end(&mut self, large_bytes: usize) {
        self.all -= 1;
        self.large -= usize::from(large_bytes > 0);
        self.large_bytes -= large_bytes;
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let mut waiting = self.queue.lock();
        waiting.at_work.end(self.large_bytes);
        self.queue.wake_one(waiting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takers_share_what_waits_in_order() {
        let queue = Queue::new(2);
        (0..50).for_each(|unit| queue.push(unit, 1).unwrap());
        assert_eq!(queue.take(|_| true).units, (0..25).collect::<Vec<_>>());
        assert_eq!(queue.take(|_| true).units, (25..41).collect::<Vec<_>>());
        assert_eq!(queue.take(|_| false).units, [41]);
        queue.close();
        assert_eq!(queue.push(9, 1), Err(9));
        assert_eq!((queue.take(|_| true).units.len(), queue.take(|_| true).units.len()), (8, 0));
    }

    #[test]
    fn large_units_never_keep_all_takers() {
        let queue = Queue::new(2);
        ["l1", "l2", "l3"].into_iter().for_each(|unit| queue.push(unit, LARGE + 1).unwrap());
        queue.push("s1", 1).unwrap();
        let (first, second, small) = (queue.take(|_| true), queue.take(|_| true), queue.take(|_| true));
        assert_eq!((&first.units[..], &second.units[..], &small.units[..]), (&["l1"][..], &["l2"][..], &["s1"][..]));
        queue.push("s2", 1).unwrap();
        assert_eq!(queue.lock().next(2), None);
        drop(small);
        let small = queue.take(|_| true);
        assert_eq!(small.units, ["s2"]);
        drop(first);
        assert_eq!(queue.lock().next(2), None);
        drop(small);
        assert_eq!(queue.take(|_| true).units, ["l3"]);
        drop(second);
        let at_work = queue.lock().at_work;
        assert_eq!((at_work.all, at_work.large, at_work.large_bytes), (0, 0, 0));
    }

    #[test]
    fn large_units_are_at_work_together_only_up_to_a_limit() {
        let queue = Queue::new(8);
        for (unit, bytes) in [("l1", LARGE_AT_WORK * 2), ("l2", 2 * LARGE), ("s1", 1), ("l3", 2 * LARGE), ("l4", LARGE_AT_WORK)] {
            queue.push(unit, bytes).unwrap();
        }
        let first = queue.take(|_| true);
        assert_eq!(first.units, ["l1"]);
        // The next large one waits, who is small does not.
        assert_eq!(queue.take(|_| true).units, ["s1"]);
        assert_eq!(queue.lock().next(8), None);
        drop(first);
        let (second, third) = (queue.take(|_| true), queue.take(|_| true));
        assert_eq!((&second.units[..], &third.units[..]), (&["l2"][..], &["l3"][..]));
        assert_eq!(queue.lock().next(8), None);
        drop((second, third));
        assert_eq!(queue.take(|_| true).units, ["l4"]);
    }

    #[test]
    fn small_units_go_in_the_order_in_which_all_came() {
        let queue = Queue::new(1);
        for (unit, bytes) in [("s1", 1), ("l1", LARGE + 1), ("s2", LARGE)] {
            queue.push(unit, bytes).unwrap();
        }
        // Both small ones wait together already, so they go together.
        assert_eq!(queue.take(|_| true).units, ["s1", "s2"]);
        assert_eq!(queue.take(|_| true).units, ["l1"]);
    }
}
