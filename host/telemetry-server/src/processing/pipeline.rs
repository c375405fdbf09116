//! The order of the write path, and the threads that walk it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use telemetry_plugins::Registry;
use telemetry_store::Store;
use tokio::sync::oneshot;

use super::budget::{Budget, Lease};
use super::queue::Queue;
use super::spare::Spare;
use super::stages::{Stages, Work};
use super::unit::{Answer, IngestError, Unit, Unread};

/// What a compressed body is taken to grow by, until it has grown.
const INFLATION: usize = 16;
/// Units are joined for the plugins up to so many bytes and events.
const JOINED_BYTES: usize = 1 << 20;
const JOINED_UNITS: usize = 1_000;

/// How much a pipeline may do at once.
#[derive(Clone, Copy, Debug)]
pub struct PipelineSettings {
    /// Threads that decode and run plugins; 0 is one a core. One more serves small requests while these all have large ones.
    pub workers: usize,
    /// Bytes of bodies in the server at once; more are turned away.
    pub budget_bytes: usize,
}

/// Takes bodies, answers when what they hold is durable.
pub struct Pipeline {
    shared: Arc<Shared>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    stages: Stages,
    queue: Queue<Job>,
    budget: Budget,
    spare: Spare,
}

/// A unit and who waits for it.
pub(super) struct Job {
    pub unit: Unit,
    pub reply: oneshot::Sender<Result<Answer, IngestError>>,
}

impl Pipeline {
    /// Starts the workers.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(store: Store, plugins: Arc<Registry>, settings: PipelineSettings) -> std::io::Result<Self> {
        let workers = match settings.workers {
            0 => std::thread::available_parallelism()?.get(),
            count => count,
        };
        let queue = Queue::new(workers);
        let shared = Arc::new(Shared {
            stages: Stages { store, plugins },
            queue,
            budget: Budget::new(settings.budget_bytes),
            spare: Spare::default(),
        });
        let start = |number: usize| {
            let shared = shared.clone();
            std::thread::Builder::new().name(format!("ingest-{number}")).spawn(move || shared.work())
        };
        let threads = (0..=workers).map(start).collect::<std::io::Result<_>>()?;
        Ok(Pipeline { shared, workers: Mutex::new(threads) })
    }

    /// Accounts for a body before it is read.
    pub fn lease(&self) -> Lease {
        self.shared.budget.lease()
    }

    /// Stores what `unit` holds.
    ///
    /// # Errors
    /// When the server is too busy, stops, or its database fails: then nothing of the unit is stored.
    pub async fn ingest(&self, unit: Unit) -> Result<Answer, IngestError> {
        let (reply, answer) = oneshot::channel();
        let bytes = unit.grown_bytes();
        self.shared.queue.push(Job { unit, reply }, bytes).map_err(|_| IngestError::Closed)?;
        answer.await.unwrap_or(Err(IngestError::Failed))
    }

    /// Keeps a note of a body that was not read; gives its id in quarantine.
    ///
    /// # Errors
    /// As [`Pipeline::ingest`].
    pub async fn note(&self, unread: Unread) -> Result<i64, IngestError> {
        let (reply, answer) = oneshot::channel();
        self.shared.stages.note(unread, reply);
        answer.await.unwrap_or(Err(IngestError::Failed))
    }

    /// Finishes what waits and ends the workers. Blocks.
    pub fn close(&self) {
        self.shared.queue.close();
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            // A worker that panicked has been logged by the panic hook.
            let _ = worker.join();
        }
        self.shared.spare.wait();
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

impl Unit {
    /// Bytes after decompression, or what is likely.
    fn grown_bytes(&self) -> usize {
        let factor = if self.encoding.is_some() { INFLATION } else { 1 };
        self.bytes.len().saturating_mul(factor)
    }
}

impl Shared {
    fn work(self: &Arc<Self>) {
        loop {
            let (mut bytes, mut units, mut most) = (0usize, 0usize, JOINED_UNITS);
            let mut turn = self.queue.take(|job| {
                if units == 0 && self.stages.plugins.current().may_wait() {
                    // Who shares a batch with one that waits would wait with it.
                    most = 1;
                }
                bytes = bytes.saturating_add(job.unit.bytes.len());
                units += 1;
                bytes <= JOINED_BYTES && units <= most
            });
            let jobs = std::mem::take(&mut turn.units);
            if jobs.is_empty() {
                return;
            }
            let jobs = match self.stages.plugins.current().may_wait() && self.spare.take() {
                true => self.run_apart(jobs),
                false => jobs,
            };
            self.run(jobs);
        }
    }

    /// Runs `jobs` on a thread of their own; gives them back when there is none.
    fn run_apart(self: &Arc<Self>, jobs: Vec<Job>) -> Vec<Job> {
        let handed = Arc::new(Mutex::new(jobs));
        let take = |handed: &Mutex<Vec<Job>>| std::mem::take(&mut *handed.lock().unwrap_or_else(PoisonError::into_inner));
        let (shared, jobs) = (Arc::clone(self), Arc::clone(&handed));
        let work = move || {
            shared.run(take(&jobs));
            shared.spare.give();
        };
        match std::thread::Builder::new().name("ingest-spare".into()).spawn(work) {
            Ok(_) => Vec::new(),
            Err(_) => {
                self.spare.give();
                take(&handed)
            }
        }
    }

    fn run(&self, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        // Whoever waits for a unit that panicked finds its reply gone.
        if catch_unwind(AssertUnwindSafe(|| self.stages.run(jobs))).is_err() {
            tracing::error!("processing events panicked");
        }
    }
}

impl Stages {
    /// The write path, from bodies to the writer's queue.
    fn run(&self, jobs: Vec<Job>) {
        let (jobs, bodies) = self.receive(jobs);
        let mut work = Work::decode(&jobs, bodies);
        // Whatever is loaded meanwhile, these events are finished by the plugins that began with them.
        let plugins = self.plugins.current();
        self.mask(&plugins, &jobs, &mut work);
        self.validate(&plugins, &mut work);
        self.normalize(&mut work);
        self.enrich(&plugins, &mut work);
        self.submit(jobs, work);
    }
}
