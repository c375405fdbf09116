//! The access journal in the database: appended by the writer in the transaction that stores the rows, chained, never changed.

mod chain;
mod head;
mod read;
mod write;

use telemetry_model::Timestamp;
use telemetry_model::journal::{Handed, HandedRow, RelationAccess};

pub use chain::{AccessRow, EntryRow};
pub use head::Head;
pub(crate) use head::HeadFile;
pub use read::{JournalRead, SeenBy, SubjectTotals, Uncovered};
pub(crate) use write::{JournalWriter, Orphans};

/// Accesses of one entry at most.
const ACCESSES: i64 = 4_096;

/// What an entry that stores nothing else is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A report, or several of one answer.
    Query,
    /// A job on stored rows.
    Job,
    /// A command without a server.
    Offline,
    /// What serves, under which grants.
    Catalog,
}

impl EntryKind {
    /// The word in `journal_entries.kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            EntryKind::Query => "query",
            EntryKind::Job => "job",
            EntryKind::Offline => "offline",
            EntryKind::Catalog => "catalog",
        }
    }
}

/// An entry that is appended by itself.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// When.
    pub time: Timestamp,
    /// What it is about.
    pub kind: EntryKind,
    /// The last event that could be seen.
    pub as_of: Option<i64>,
    /// JSON, never values of rows.
    pub detail: Option<String>,
    /// What was handed in.
    pub accesses: Vec<RelationAccess>,
}

impl Notes {
    /// About how many bytes it holds while it waits.
    pub(crate) fn bytes(&self) -> usize {
        let handed: usize = self.handed.iter().map(|handed| handed.rows.len() * size_of::<HandedRow>()).sum();
        let entry = self.entry.as_ref().map_or(0, |entry| 256 + entry.accesses.len() * 2_048);
        handed + entry
    }
}

/// What a request of the writer brings for the journal.
#[derive(Debug)]
pub(crate) struct Notes {
    /// Of its items.
    pub(crate) handed: Vec<Handed>,
    /// When they were handed over.
    pub(crate) time: Timestamp,
    /// An entry of its own.
    pub(crate) entry: Option<NewEntry>,
}

impl Default for Notes {
    fn default() -> Self {
        Notes { handed: Vec::new(), time: Timestamp(0), entry: None }
    }
}
