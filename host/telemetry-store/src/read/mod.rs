//! Reads: each over one snapshot, on a read-only connection of the pool. They never wait for the writer, nor it for them.

mod agents;
mod alerts;
mod allowance;
mod compare;
pub(crate) mod documents;
mod events;
mod filtered;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod plans;
mod provenance;
mod quarantine;
mod references;
mod rowqueue;
mod scan;
mod seeks;
mod select;
mod sessions;
mod stop;
mod weight;

use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::Connection;
use telemetry_model::query::{RowQuery, RowScan, RowSink};

pub use agents::{Activity, AgentOrder, AgentPage, AgentQuery, AgentRow};
pub use alerts::{AlertCounts, AlertPage, AlertQuery, AlertRow};
pub use events::{AttributeMap, EventCursor, EventPage, EventQuery, StoredEvent};
pub use filtered::EventScan;
pub use provenance::{Provenance, StoredPlugin, StoredRun, Writer};
pub use quarantine::{QuarantineItem, QuarantinePage, QuarantineQuery, QuarantinedEvent};
pub use references::RowReference;
pub use rowqueue::{EventRow, QueuedRow, StoredJob};
pub use scan::{Instead, RowTable, ScanError, Without};
pub use sessions::{SessionOrder, SessionPage, SessionQuery, SessionRow, SessionState};
pub use stop::Stop;

use crate::error::StoreError;
use crate::store::Store;

/// One state of the database: everything read from it belongs together.
pub struct Snapshot {
    connection: r2d2::PooledConnection<SqliteConnectionManager>,
    stop: Stop,
    allowance: u64,
}

impl Store {
    /// Takes a snapshot as of the first read from it. It keeps one connection of the pool until it is dropped. Blocks while none is free.
    ///
    /// # Errors
    /// When no connection becomes free in time.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.snapshot_until(&Stop::default())
    }

    /// [`Store::snapshot`], whose scans end when `stop` says so.
    ///
    /// # Errors
    /// As [`Store::snapshot`].
    pub fn snapshot_until(&self, stop: &Stop) -> Result<Snapshot, StoreError> {
        let connection = self.reader()?;
        connection.execute_batch("begin").map_err(|error| StoreError::sqlite("begin a read", error))?;
        stop.begin(&connection);
        Ok(Snapshot { connection, stop: stop.clone(), allowance: u64::MAX })
    }

    /// [`Snapshot::scan`] over a snapshot of its own.
    ///
    /// # Errors
    /// As [`Snapshot::scan`].
    pub fn scan<S: RowSink>(&self, query: &RowQuery, sink: &mut S) -> Result<RowScan, ScanError<S::Error>> {
        self.snapshot()?.scan(query, sink)
    }
}

impl Snapshot {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs `work`; its failure is named after `operation`.
    pub(crate) fn read<T>(&self, operation: &'static str, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        work(&self.connection).map_err(|error| StoreError::sqlite(operation, error))
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.stop.end();
        // Nothing was written; a failure leaves a connection that fails its next `begin`.
        let _ = self.connection.execute_batch("rollback");
    }
}
