//! What the journal is told of rows that are handed over while something is tried on what is stored.

use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use telemetry_model::Timestamp;
use telemetry_model::journal::{Handed, JournalKeys, RelationAccess};
use telemetry_store::{EntryKind, NewEntry, Snapshot, Store, StoreError, SubmitError};

/// Accesses of one entry.
const ACCESSES: usize = 64;
/// How long an entry may take to be durable.
const PATIENCE: Duration = Duration::from_secs(30);

/// Collects accesses and appends them, some at a time.
pub struct Ledger {
    store: Store,
    keys: JournalKeys,
    kind: EntryKind,
    time: Timestamp,
    as_of: i64,
    detail: String,
    accesses: Vec<RelationAccess>,
}

impl Ledger {
    /// Of accesses to `snapshot`. `detail` says what is done; its `without` names the plugins whose attributes were left out of the rows.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn new(store: &Store, snapshot: &Snapshot, kind: EntryKind, time: Timestamp, detail: &Value) -> Result<Self, StoreError> {
        let (keys, as_of) = (JournalKeys::new(store.digest_key()), snapshot.last_event()?);
        Ok(Ledger { store: store.clone(), keys, kind, time, as_of, detail: detail.to_string(), accesses: Vec::new() })
    }

    /// When that is.
    pub(super) fn time(&self) -> Timestamp {
        self.time
    }

    /// Where it is told.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Rows of a relation with these ids were handed over.
    pub(super) fn handed(&mut self, handed: Vec<Handed>, ids: &[i64]) -> Result<(), StoreError> {
        let keys = &self.keys;
        self.accesses.extend(handed.into_iter().filter_map(|handed| RelationAccess::of(handed, ids, keys)));
        self.flush_from(ACCESSES)
    }

    /// A metric was handed rows.
    pub(super) fn queried(&mut self, accesses: impl IntoIterator<Item = RelationAccess>) -> Result<(), StoreError> {
        self.accesses.extend(accesses);
        self.flush_from(ACCESSES)
    }

    /// Goes on under another detail; what was noted so far is appended under the one before.
    pub(super) fn go_on(&mut self, detail: &Value) -> Result<(), StoreError> {
        self.flush_from(1)?;
        self.detail = detail.to_string();
        Ok(())
    }

    /// Appends what is left. Blocks until it is durable.
    ///
    /// # Errors
    /// When it is not.
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.flush_from(1)
    }

    fn flush_from(&mut self, least: usize) -> Result<(), StoreError> {
        if self.accesses.len() < least {
            return Ok(());
        }
        let accesses = std::mem::take(&mut self.accesses);
        let detail = Some(self.detail.clone());
        let entry = NewEntry { time: self.time, kind: self.kind, as_of: Some(self.as_of), detail, accesses };
        let (tell, told) = mpsc::sync_channel(1);
        let queued = self.store.journal(entry, Box::new(move |done| drop(tell.send(done.map(drop)))));
        queued.map_err(|error| match error {
            SubmitError::Overloaded => StoreError::Busy,
            SubmitError::Closed => StoreError::Closed,
        })?;
        told.recv_timeout(PATIENCE).unwrap_or(Err(StoreError::Busy))
    }
}
