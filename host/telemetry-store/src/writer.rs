//! The writer: one thread that alone writes. It joins whatever waits when its last commit ends into one transaction, then answers.
//!
//! There is no timer: a lone event waits for one commit. A group that fails is rolled back and its requests are tried one by one, so
//! that none takes its neighbours along; a request is stored whole or not at all.

mod alerts;
mod cache;
mod calls;
mod checkpoint;
mod conversations;
mod correlated;
mod events;
mod executions;
mod merge;
mod nodes;
mod quarantine;
mod recompute;
mod scopes;
mod seen;
mod shared_rows;
mod strings;
mod transaction;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::Receiver;
use rusqlite::Connection;
use telemetry_model::{DigestKey, Outcome};

use crate::error::StoreError;
use crate::health::WriteHealth;
use crate::item::WriteItem;
use crate::settings::StoreSettings;
use checkpoint::Checkpoints;
use transaction::Transaction;

/// Called with one outcome an item, in order, once they are durable.
pub type Reply = Box<dyn FnOnce(Result<Vec<Outcome>, StoreError>) + Send>;

/// The items of one request.
pub(crate) struct Job {
    pub(crate) items: Vec<WriteItem>,
    pub(crate) reply: Reply,
    pub(crate) bytes: usize,
    /// Whether to write something even without items.
    pub(crate) probe: bool,
}

/// What the thread works with.
pub(crate) struct Writer {
    pub(crate) jobs: Receiver<Job>,
    pub(crate) queued_bytes: Arc<AtomicUsize>,
    pub(crate) health: Arc<WriteHealth>,
    pub(crate) key: DigestKey,
    pub(crate) settings: StoreSettings,
}

impl Writer {
    /// Writes until all senders are gone and the queue is empty, then copies the log into the file.
    pub(crate) fn run(self, connection: &Connection) {
        let checkpoints = Checkpoints::start(&self.settings);
        let mut transaction = match Transaction::new(connection, &self.key, self.settings.conversation_silence) {
            Ok(transaction) => transaction,
            Err(error) => return self.refuse(&StoreError::sqlite("prepare the statements of the writer", error)),
        };
        while let Ok(first) = self.jobs.recv() {
            let group = self.group(first);
            self.write(&mut transaction, group);
            checkpoints.after_commit(connection);
        }
        drop(transaction);
        checkpoints.finish(connection);
    }

    /// `first` and whatever else waits, up to the size of a group.
    fn group(&self, first: Job) -> Vec<Job> {
        let mut count = first.items.len();
        let mut group = vec![first];
        while count < self.settings.max_group
            && let Ok(job) = self.jobs.try_recv()
        {
            count += job.items.len();
            group.push(job);
        }
        group
    }

    fn write(&self, transaction: &mut Transaction<'_>, group: Vec<Job>) {
        let probe = group.iter().any(|job| job.probe).then(|| self.health.probe_bytes());
        match transaction.write(group.iter().map(|job| job.items.as_slice()), probe) {
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
                group.into_iter().for_each(|job| self.answer(job, Err(error.clone())));
            }
        }
    }

    fn answer(&self, job: Job, result: Result<Vec<Outcome>, StoreError>) {
        let Job { items, reply, bytes, .. } = job;
        drop(items);
        self.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
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
