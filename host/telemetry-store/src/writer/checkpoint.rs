//! Copying the log into the file, on a thread of its own so that commits do not wait.

use std::thread::JoinHandle;

use crossbeam_channel::{Sender, bounded};
use rusqlite::Connection;

use crate::open;
use crate::settings::StoreSettings;

pub(crate) struct Checkpoints {
    pages: i64,
    wake: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    pub(crate) fn start(settings: &StoreSettings) -> Self {
        let (wake, asked) = bounded::<()>(1);
        let settings_of_thread = settings.clone();
        let copy = move || {
            let connection = match open::writing_connection(&settings_of_thread) {
                Ok(connection) => connection,
                Err(error) => return tracing::warn!(error = %error, "store.checkpoint.failed"),
            };
            while asked.recv().is_ok() {
                passive(&connection);
            }
        };
        let thread = std::thread::Builder::new().name("store-checkpoint".into()).spawn(copy).ok();
        Checkpoints { pages: i64::from(settings.checkpoint_pages), wake: Some(wake), thread }
    }

    /// Asks for a checkpoint when the log is long. When nearly all of it is copied, or it grows without end, the writer copies the rest
    /// itself: only then, between two of its commits, can the log start over.
    pub(crate) fn after_commit(&self, connection: &Connection) {
        let Some((log, copied)) = length(connection) else { return };
        if log < self.pages {
            return;
        }
        let remaining = log - copied;
        if remaining < self.pages / 8 || log > 4 * self.pages {
            passive(connection);
        } else if let Some(wake) = &self.wake {
            let _ = wake.try_send(());
        }
    }

    /// Ends the thread, copies all and empties the log.
    pub(crate) fn finish(mut self, connection: &Connection) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let emptied = connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get::<_, i64>(0));
        if let Err(error) = emptied {
            tracing::warn!(error = %error, "store.checkpoint.failed");
        }
    }
}

/// Pages in the log, and how many of them are copied.
fn length(connection: &Connection) -> Option<(i64, i64)> {
    let mut statement = connection.prepare_cached("pragma wal_checkpoint(noop)").ok()?;
    statement.query_row([], |row| Ok((row.get(1)?, row.get(2)?))).ok()
}

fn passive(connection: &Connection) {
    let copied = connection.query_row("pragma wal_checkpoint(passive)", [], |row| row.get::<_, i64>(0));
    if let Err(error) = copied {
        tracing::warn!(error = %error, "store.checkpoint.failed");
    }
}
