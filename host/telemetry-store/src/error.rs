//! Why the store could not do what it was asked.

use std::path::PathBuf;
use std::sync::Arc;

use telemetry_model::Outcome;

/// Why a database could not be opened, read or written. Cheap to clone: one failure answers many replies.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The path cannot hold a database: a folder, a missing parent, no permission.
    #[error("cannot open database `{}`: {problem}", path.display())]
    Unusable {
        /// The path as configured.
        path: PathBuf,
        /// What is wrong with it.
        problem: Arc<str>,
    },
    /// The file is something else.
    #[error("cannot open database `{}`: {problem}", path.display())]
    Foreign {
        /// The path as configured.
        path: PathBuf,
        /// What it is instead.
        problem: &'static str,
    },
    /// A later version of the server wrote the file.
    #[error("cannot open database `{}`: its schema version is {found}, this program knows versions up to {known}", path.display())]
    TooNew {
        /// The path as configured.
        path: PathBuf,
        /// The version in the file.
        found: i64,
        /// The last version of this program.
        known: i64,
    },
    /// Another process has the file open for writing.
    #[error("database `{}` is in use by process {pid}", path.display())]
    InUse {
        /// The path as configured.
        path: PathBuf,
        /// The other process, `unknown` when it left no number.
        pid: Box<str>,
    },
    /// The schema could not be brought up to date.
    #[error("cannot migrate database `{}`", path.display())]
    Migration {
        /// The path as configured.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<rusqlite_migration::Error>,
    },
    /// The disk or the file's limit is reached.
    #[error("cannot {operation}: the database or the disk is full")]
    Full {
        /// What was tried.
        operation: &'static str,
    },
    /// The file cannot be written or read: the disk fails, or the file was made read-only or taken away.
    #[error("cannot {operation}: the disk or its file system fails")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// Why.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// Another connection held a lock for longer than the busy timeout.
    #[error("cannot {operation}: the database is locked")]
    Locked {
        /// What was tried.
        operation: &'static str,
    },
    /// Anything else that SQLite reports.
    #[error("cannot {operation}")]
    Sqlite {
        /// What was tried.
        operation: &'static str,
        /// Why.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// No connection for reading became free in time.
    #[error("no connection for reading became free")]
    Busy,
    /// The answer takes more memory while it is built than was allowed; nothing of it was.
    #[error("the answer takes {bytes} bytes of memory")]
    Needs {
        /// At least so many.
        bytes: u64,
    },
    /// A page of a listing holds more than is answered.
    #[error("the page holds more than {limit} bytes")]
    TooLarge {
        /// Bytes of text.
        limit: u64,
    },
    /// A stored row does not read as what was written.
    #[error("cannot {operation}: {problem}")]
    Corrupt {
        /// What was tried.
        operation: &'static str,
        /// What is wrong.
        problem: Box<str>,
    },
    /// Of a request that was written in parts the first ones are stored and stay.
    #[error("only the first {} of the request's items are stored", stored.len())]
    Partial {
        /// What became of the first items, in order; the others are not stored.
        stored: Arc<[Outcome]>,
        /// Why the others are not.
        #[source]
        source: Arc<StoreError>,
    },
    /// The writer has stopped.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether no other request would have fared better: no room, or no working disk.
    pub(crate) fn is_of_the_disk(&self) -> bool {
        matches!(self, StoreError::Full { .. } | StoreError::Io { .. })
    }

    /// Names the operation that `source` interrupted.
    pub(crate) fn sqlite(operation: &'static str, source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => StoreError::Full { operation },
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => StoreError::Locked { operation },
            Some(rusqlite::ErrorCode::SystemIoFailure | rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::CannotOpen) => {
                StoreError::Io { operation, source: Arc::new(source) }
            }
            _ => StoreError::Sqlite { operation, source: Arc::new(source) },
        }
    }
}

/// Why items were not queued. They were not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// More bytes wait than `queue_bytes` allows: try again later.
    #[error("the write queue is full")]
    Overloaded,
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}
