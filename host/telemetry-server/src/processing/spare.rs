//! Threads for units whose plugins may wait: a worker that waited would hold up events that have nothing to do with it.

use std::sync::{Condvar, Mutex, PoisonError};

/// Threads at one time; beyond that a worker waits itself, and what comes next waits for it.
const MOST: usize = 64;

/// Counts them.
#[derive(Debug, Default)]
pub(super) struct Spare {
    running: Mutex<usize>,
    ended: Condvar,
}

impl Spare {
    /// A place for one more thread, if there is one.
    pub(super) fn take(&self) -> bool {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let free = *running < MOST;
        *running += usize::from(free);
        free
    }

    /// Gives a place back.
    pub(super) fn give(&self) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.ended.notify_all();
    }

    /// Returns when all threads have ended.
    pub(super) fn wait(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.ended.wait_while(running, |running| *running > 0).unwrap_or_else(PoisonError::into_inner));
    }
}
