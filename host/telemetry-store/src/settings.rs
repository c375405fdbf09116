//! What a store is opened with.

use std::path::PathBuf;

/// How to open a database.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// The file; made when absent. Its folder must exist.
    pub path: PathBuf,
    /// Connections for reading, at least 1.
    pub pool_size: u32,
    /// How long SQLite waits for a lock, milliseconds.
    pub busy_timeout_ms: u32,
    /// Most events of one transaction.
    pub max_group: usize,
    /// Bytes that may wait to be written before [`SubmitError::Overloaded`](crate::SubmitError::Overloaded).
    pub queue_bytes: usize,
    /// Page size of a new file, bytes: a power of two from 512 to 65536.
    pub page_size: u32,
    /// Pages that the file may grow to; then nothing is stored. `None`: until the disk is full.
    pub max_pages: Option<u32>,
    /// Pages of write-ahead log after which they are copied into the file, on a thread of its own.
    pub checkpoint_pages: u32,
    /// A file outside of the database that keeps the end of the journal's chain.
    pub journal_head_path: Option<PathBuf>,
    /// Silence after which calls without messages no longer belong to one conversation, nanoseconds.
    pub conversation_silence: i64,
    /// Keys of attributes whose values filters seek instead of scanning for them; each once.
    pub indexed_attributes: Vec<String>,
}

impl StoreSettings {
    /// The defaults, for the file at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        StoreSettings {
            path: path.into(),
            pool_size: 4,
            busy_timeout_ms: 5_000,
            max_group: 1_000,
            queue_bytes: 64 * 1024 * 1024,
            page_size: 4_096,
            max_pages: None,
            checkpoint_pages: 16_000,
            journal_head_path: None,
            conversation_silence: 30 * 60 * 1_000_000_000,
            indexed_attributes: Vec::new(),
        }
    }
}
