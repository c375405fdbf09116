//! The writer: one thread that alone writes. It joins whatever waits when its last commit ends into one transaction, then answers.
//!
//! There is no timer: a lone event waits for one commit. A group that fails is rolled back and its requests are tried one by one, so
//! that none takes its neighbours along; a request is stored whole or not at all. A large one is written in parts, each whole or not at
//! all, and what else waits comes between, so that nobody waits for the whole of it.

mod alerts;
mod cache;
mod calls;
mod checkpoint;
mod conversations;
mod correlated;
mod events;
mod executions;
mod indexed;
mod job;
mod jobs;
mod merge;
mod nodes;
mod quarantine;
mod recompute;
mod rowqueue;
mod scopes;
mod seen;
mod shared_rows;
mod strings;
mod transaction;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::{Receiver, TryRecvError};
use rusqlite::Connection;
use telemetry_model::{DigestKey, Outcome};

use crate::error::StoreError;
use crate::health::WriteHealth;
use crate::indexed::IndexedKey;
use crate::item::WriteItem;
use crate::journal::{HeadFile, Orphans};
use crate::rowqueue::RowSignal;
use crate::settings::StoreSettings;
use checkpoint::Checkpoints;
use indexed::Upkeep;
use job::GROUP_BYTES;
pub(crate) use job::{Job, Queued};
pub(crate) use rowqueue::number as queue_number;
pub(crate) use shared_rows::outcome_word;
use transaction::Transaction;

/// Called with one outcome an item, in order, once they are durable.
pub type Reply = Box<dyn FnOnce(Result<Vec<Outcome>, StoreError>) + Send>;

/// Groups of requests after which a step of upkeep is due although more wait.
const BUSY_GROUPS: u32 = 8;

/// What the thread works with.
pub(crate) struct Writer {
    pub(crate) jobs: Receiver<Job>,
    pub(crate) queued: Arc<Queued>,
    pub(crate) health: Arc<WriteHealth>,
    pub(crate) key: DigestKey,
    pub(crate) indexed: Vec<IndexedKey>,
    pub(crate) rows: Arc<RowSignal>,
    pub(crate) settings: StoreSettings,
    pub(crate) orphans: Arc<Orphans>,
}

impl Writer {
    /// Writes until all senders are gone and the queue is empty, then copies the log into the file.
    pub(crate) fn run(self, connection: &Connection) {
        let checkpoints = Checkpoints::start(&self.settings);
        let head = HeadFile::start(self.settings.journal_head_path.clone());
        let orphans = Arc::clone(&self.orphans);
        let mut transaction = match Transaction::new(connection, &self.key, &self.settings, &self.indexed, &self.rows, orphans) {
            Ok(transaction) => transaction,
            Err(error) => return self.refuse(&StoreError::sqlite("prepare the statements of the writer", error)),
        };
        let mut large = VecDeque::new();
        let mut upkeep = Upkeep::new(connection);
        let mut since_upkeep = 0;
        while let Some(group) = self.group(&mut large, upkeep.is_pending()) {
            let idle = group.is_empty() && large.is_empty();
            if !group.is_empty() {
                self.write(&mut transaction, group);
                head.moved(transaction.head());
                checkpoints.after_commit(connection);
            }
            if let Some(job) = large.pop_front() {
                large.extend(self.write_part(&mut transaction, job));
                head.moved(transaction.head());
                checkpoints.after_commit(connection);
            }
            since_upkeep += 1;
            if upkeep.is_pending() && (idle || since_upkeep >= BUSY_GROUPS) {
                since_upkeep = 0;
                upkeep.step();
                checkpoints.after_commit(connection);
            }
        }
        drop(transaction);
        head.finish();
        checkpoints.finish(connection);
    }

    /// Whatever waits, up to the size of a group in items and bytes; large requests go behind `large`. Waits only when there is nothing
    /// to write and nothing else to do; `None` at the end.
    fn group(&self, large: &mut VecDeque<Job>, busy: bool) -> Option<Vec<Job>> {
        let mut next = match (large.is_empty(), busy) {
            (true, false) => Some(self.jobs.recv().ok()?),
            (true, true) => match self.jobs.try_recv() {
                Err(TryRecvError::Disconnected) => return None,
                next => next.ok(),
            },
            (false, _) => self.jobs.try_recv().ok(),
        };
        let (mut group, mut count, mut bytes) = (Vec::new(), 0, 0);
        while let Some(job) = next.take() {
            if job.is_large() {
                large.push_back(job);
            } else {
                count += job.items.len();
                bytes += job.bytes;
                group.push(job);
            }
            if count < self.settings.max_group && bytes < GROUP_BYTES {
                next = self.jobs.try_recv().ok();
            }
        }
        Some(group)
    }

    /// The next part of a large request, in a transaction of its own; the job when more is left. After a failure what earlier parts
    /// stored stays, and the reply says what that is.
    fn write_part(&self, transaction: &mut Transaction<'_>, mut job: Job) -> Option<Job> {
        let (part, notes) = job.take_part();
        match transaction.write(std::iter::once((part.as_slice(), &notes)), None) {
            Ok(outcomes) => job.outcomes.extend(outcomes.into_iter().flatten()),
            Err(error) => {
                tracing::error!(error = %error, "store.write.failed");
                transaction.not_stored(notes);
                transaction.not_stored(job.rest_of_notes());
                let error = StoreError::sqlite("store events", error);
                if error.is_of_the_disk() {
                    self.health.failed(part.iter().map(WriteItem::bytes).sum());
                }
                let stored = std::mem::take(&mut job.outcomes);
                let result = if stored.is_empty() { error } else { StoreError::Partial { stored: stored.into(), source: Arc::new(error) } };
                self.answer(job, Err(result));
                return None;
            }
        }
        self.health.worked();
        if !job.items.is_empty() {
            return Some(job);
        }
        let outcomes = std::mem::take(&mut job.outcomes);
        self.answer(job, Ok(outcomes));
        None
    }

    fn write(&self, transaction: &mut Transaction<'_>, group: Vec<Job>) {
        let probe = group.iter().any(|job| job.probe).then(|| self.health.probe_bytes());
        match transaction.write(group.iter().map(|job| (job.items.as_slice(), &job.notes)), probe) {
            Ok(outcomes) => {
                if probe.is_some() || group.iter().any(|job| !job.items.is_empty()) {
                    self.health.worked();
                }
                if probe.is_some_and(|bytes| bytes > self.health.probe_bytes()) {
                    // The room that was found is for events.
                    let _ = transaction.write(std::iter::empty(), Some(self.health.probe_bytes()));
                }
                group.into_iter().zip(outcomes).for_each(|(job, outcomes)| self.answer(job, Ok(outcomes)));
            }
            Err(error) if group.len() > 1 => {
                tracing::warn!(error = %error, "store.group.failed");
                for job in group {
                    self.write(transaction, vec![job]);
                }
            }
            Err(error) => {
                tracing::error!(error = %error, "store.write.failed");
                let error = StoreError::sqlite("store events", error);
                if error.is_of_the_disk() {
                    self.health.failed(group.iter().map(|job| job.bytes).sum());
                }
                for mut job in group {
                    transaction.not_stored(job.rest_of_notes());
                    self.answer(job, Err(error.clone()));
                }
            }
        }
    }

    fn answer(&self, job: Job, result: Result<Vec<Outcome>, StoreError>) {
        let Job { items, reply, bytes, .. } = job;
        drop(items);
        self.queued.remove(bytes);
        if catch_unwind(AssertUnwindSafe(|| reply(result))).is_err() {
            tracing::error!("store.reply.panicked");
        }
    }

    fn refuse(&self, error: &StoreError) {
        tracing::error!(error = %error, "store.writer.failed");
        while let Ok(job) = self.jobs.recv() {
            self.answer(job, Err(error.clone()));
        }
    }
}
