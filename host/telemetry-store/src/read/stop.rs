//! Ending a long read from another thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, InterruptHandle};

/// Ends the scans of one snapshot early. Clones are the same switch, and it stays on.
#[derive(Clone, Default)]
pub struct Stop(Arc<Switch>);

#[derive(Default)]
struct Switch {
    stopped: AtomicBool,
    /// Of the connection that reads; none before the snapshot and after it, when the connection is somebody else's.
    reading: Mutex<Option<InterruptHandle>>,
}

impl Stop {
    /// Scans end at their next row, and a statement that is looking for one is interrupted.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        if let Some(reading) = &*self.0.reading.lock().unwrap_or_else(PoisonError::into_inner) {
            reading.interrupt();
        }
    }

    /// Whether it was told to stop.
    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Acquire)
    }

    pub(super) fn begin(&self, connection: &Connection) {
        *self.0.reading.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.get_interrupt_handle());
    }

    pub(super) fn end(&self) {
        *self.0.reading.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
