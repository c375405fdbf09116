//! Rows that enrichers are yet to see: the types that whoever runs the enrichers works with, and the signal that there is work.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use telemetry_model::outcome::{Derived, PluginRun};
use telemetry_model::query::Window;
use telemetry_model::{Relation, Timestamp};

use crate::error::SubmitError;
use crate::item::WriteItem;
use crate::journal::NewEntry;
use crate::store::Store;
use crate::writer::Reply;

/// What enrichers said of one row.
#[derive(Clone, Debug)]
pub struct RowResult {
    /// `llm_calls.id`, `tool_executions.id` or `events.id`.
    pub row: i64,
    /// Of a row from the queue: what it was when it was read. A row that has changed since is left for another time.
    pub generation: Option<i64>,
    /// What they wrote, in place of what they wrote before.
    pub derived: Vec<Derived>,
    /// Which ran.
    pub runs: Arc<[PluginRun]>,
}

/// What enrichers said of some rows of one relation, stored all or none.
#[derive(Clone, Debug)]
pub struct RowResults {
    /// Calls, executions or (of a job) events.
    pub relation: Relation,
    /// The only plugin that ran: what others wrote stands. `None`: every enricher of the relation ran.
    pub plugin: Option<Box<str>>,
    /// The rows.
    pub rows: Vec<RowResult>,
    /// The job that they are a step of.
    pub step: Option<JobStep>,
}

/// How far a job has come.
#[derive(Clone, Copy, Debug)]
pub struct JobStep {
    /// `jobs.id`.
    pub job: i64,
    /// Time and id of the last row; `None`: there are no more.
    pub cursor: Option<(Timestamp, i64)>,
    /// Rows of this step.
    pub rows: u64,
    /// The time of day.
    pub now: Timestamp,
}

/// A change of the list of jobs.
#[derive(Clone, Debug)]
pub enum JobChange {
    /// A new one.
    Create {
        /// The plugin that is run.
        plugin_id: Box<str>,
        /// Over what.
        relation: Relation,
        /// By the rows' own time.
        window: Window,
        /// The time of day.
        now: Timestamp,
        /// Gets `jobs.id`.
        id: Arc<AtomicI64>,
    },
    /// An end before its time; nothing happens to one that has ended.
    End {
        /// `jobs.id`.
        job: i64,
        /// Why; `None`: somebody cancelled it.
        failure: Option<Box<str>>,
        /// The time of day.
        now: Timestamp,
    },
}

/// Which relations have enrichers over rows, and whether there may be work for them.
#[derive(Debug, Default)]
pub(crate) struct RowSignal {
    calls: AtomicBool,
    executions: AtomicBool,
    work: Mutex<bool>,
    ready: Condvar,
}

impl RowSignal {
    /// Whether changed rows of `relation` are to be queued.
    pub(crate) fn is_watched(&self, relation: Relation) -> bool {
        match relation {
            Relation::LlmCalls => self.calls.load(Ordering::Acquire),
            Relation::ToolExecutions => self.executions.load(Ordering::Acquire),
            _ => false,
        }
    }

    /// There may be work.
    pub(crate) fn wake(&self) {
        *self.work.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ready.notify_all();
    }

    fn wait(&self, longest: Option<Duration>) {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        match longest {
            Some(longest) => {
                work = self.ready.wait_timeout_while(work, longest, |work| !*work).map_or_else(|error| error.into_inner().0, |done| done.0);
            }
            None => {
                while !*work {
                    work = self.ready.wait(work).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        *work = false;
    }
}

impl Store {
    /// From now on rows of these relations are queued when they are new or change.
    pub fn watch_rows(&self, calls: bool, executions: bool) {
        self.row_signal().calls.store(calls, Ordering::Release);
        self.row_signal().executions.store(executions, Ordering::Release);
        self.wake_rows();
    }

    /// Waits until rows were queued, or somebody calls [`Store::wake_rows`], since the last time; at most for `longest`.
    pub fn wait_for_rows(&self, longest: Option<Duration>) {
        self.row_signal().wait(longest);
    }

    /// Wakes whoever waits in [`Store::wait_for_rows`].
    pub fn wake_rows(&self) {
        self.row_signal().wake();
    }

    /// Queues results and an entry of the journal; `reply` is called with no outcome once they are durable.
    ///
    /// # Errors
    /// As [`Store::submit`].
    pub fn submit_rows(&self, results: RowResults, entry: Option<NewEntry>, reply: Reply) -> Result<(), SubmitError> {
        self.submit_noted(vec![WriteItem::Rows(Box::new(results))], entry, reply)
    }

    /// Queues a change of the jobs; `reply` is called with no outcome once it is durable.
    ///
    /// # Errors
    /// As [`Store::submit`].
    pub fn submit_job(&self, change: JobChange, reply: Reply) -> Result<(), SubmitError> {
        self.submit(vec![WriteItem::Job(Box::new(change))], reply)
    }
}
