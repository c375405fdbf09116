//! The database layer: the SQLite schema, the one writer, the read pool, every SQL statement.
//!
//! [`Store::open`] makes or migrates the file and starts the writer thread. Worker threads turn events into [`PreparedEvent`]s with
//! [`Store::prepare`]; [`Store::submit`] queues them, and the reply comes after the commit. Nobody but the writer thread writes.

mod content;
mod error;
mod health;
mod indexed;
mod item;
mod journal;
mod open;
mod overview;
mod prepare;
mod read;
mod rewrite;
mod rowqueue;
mod settings;
mod store;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod writer;

pub use error::{StoreError, SubmitError};
pub use indexed::IndexProgress;
pub use item::{NewEvent, QuarantineEntry, QuarantinedBody, WriteItem};
pub use journal::{AccessRow, EntryKind, EntryRow, Head, JournalRead, NewEntry, SeenBy, SubjectTotals, Uncovered};
pub use overview::{Counts, Overview, RecentCall};
pub use prepare::{PreparedEvent, kept_place};
pub use read::{
    Activity, AgentOrder, AgentPage, AgentQuery, AgentRow, AlertCounts, AlertPage, AlertQuery, AlertRow, AttributeMap, EventCursor,
    EventPage, EventQuery, EventRow, EventScan, Instead, Provenance, QuarantineItem, QuarantinePage, QuarantineQuery, QuarantinedEvent,
    QueuedRow, RowReference, RowTable, ScanError, SessionOrder, SessionPage, SessionQuery, SessionRow, SessionState, Snapshot, Stop,
    StoredEvent, StoredJob, StoredPlugin, StoredRun, Without, Writer,
};
pub use rewrite::{Rewrite, Rewritten, StoredKind, StoredText, rewrite};
pub use rowqueue::{JobChange, JobStep, RowResult, RowResults};
pub use settings::StoreSettings;
pub use store::Store;
pub use writer::Reply;
