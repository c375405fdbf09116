//! Enrichers over stored rows: after the commit, from a queue that outlives the process; and jobs, which run a plugin over what is
//! stored. One thread takes a few rows, runs the plugins and hands what they said to the writer; it never holds the writer up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use telemetry_model::journal::{JournalKeys, RelationAccess};
use telemetry_model::{Clock, Relation};
use telemetry_plugins::{Catalog, Enrichment, Registry};
use telemetry_store::{
    EntryKind, JobChange, JobStep, NewEntry, Reply, RowResult, RowResults, RowTable, Store, StoreError, StoredJob, SubmitError, Without,
};

/// Rows taken at once.
const ROWS: u32 = 512;
/// While fewer wait, they are taken so often at most: each time costs a snapshot and a transaction, whose cost many rows share.
const GATHER: Duration = Duration::from_millis(100);
/// Bytes that wait for the writer from which on it is left alone for a moment.
const BUSY_BYTES: usize = 1 << 20;
const MOMENT: Duration = Duration::from_millis(5);
const MOST_MOMENTS: usize = 20;
/// How long to wait after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// The thread and what wakes it.
pub struct RowQueue {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    store: Store,
    plugins: Arc<Registry>,
    clock: Arc<dyn Clock>,
    stop: AtomicBool,
}

/// How much there was to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Nothing,
    /// All that waited.
    Some,
    /// As much as is taken at once.
    Full,
}

impl RowQueue {
    /// Starts the thread, which goes on where the last process ended.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(store: Store, plugins: Arc<Registry>, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let watched = store.clone();
        plugins.on_change(move |catalog| {
            let has = |relation| !catalog.row_enrichers(relation).is_empty();
            watched.watch_rows(has(Relation::LlmCalls), has(Relation::ToolExecutions));
        });
        let shared = Arc::new(Shared { store, plugins, clock, stop: AtomicBool::new(false) });
        let working = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("row-enrichers".into()).spawn(move || working.work())?;
        Ok(RowQueue { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Ends the thread when it is through with the rows at hand. Blocks.
    pub fn close(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.store.wake_rows();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            thread.thread().unpark();
            // A thread that panicked has been logged by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Drop for RowQueue {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn work(&self) {
        while !self.stop.load(Ordering::Acquire) {
            match catch_unwind(AssertUnwindSafe(|| self.turn())) {
                Ok(Ok(Turn::Full)) => {}
                Ok(Ok(Turn::Some)) => self.gather(),
                Ok(Ok(Turn::Nothing)) => self.store.wait_for_rows(None),
                Ok(Err(StoreError::Closed)) => return,
                Ok(Err(error)) => {
                    tracing::warn!(error = %error, "rows not enriched, trying again");
                    self.store.wait_for_rows(Some(PAUSE));
                }
                Err(_) => {
                    tracing::error!("enriching rows panicked");
                    self.store.wait_for_rows(Some(PAUSE));
                }
            }
        }
    }

    /// Lets more rows come together.
    fn gather(&self) {
        if !self.stop.load(Ordering::Acquire) {
            std::thread::park_timeout(GATHER);
        }
    }

    /// Some rows of each relation and a step of a job.
    fn turn(&self) -> Result<Turn, StoreError> {
        let catalog = self.plugins.current();
        let mut turn = Turn::Nothing;
        for relation in [Relation::LlmCalls, Relation::ToolExecutions] {
            turn = turn.max(self.live(&catalog, relation)?);
        }
        Ok(if self.step(&catalog)? { Turn::Full } else { turn })
    }

    /// The first rows of the queue, seen as they are now.
    fn live(&self, catalog: &Catalog, relation: Relation) -> Result<Turn, StoreError> {
        if catalog.row_enrichers(relation).is_empty() {
            return Ok(Turn::Nothing);
        }
        let snapshot = self.store.snapshot()?;
        let queued = snapshot.queued_rows(relation, ROWS)?;
        if queued.is_empty() {
            return Ok(Turn::Nothing);
        }
        let ids: Vec<i64> = queued.iter().map(|queued| queued.row).collect();
        let table = snapshot.rows(relation, &ids, &catalog.row_fields(relation, None), Without::RowEnrichers)?;
        let as_of = snapshot.last_event()?;
        drop(snapshot);
        let mut said = catalog.enrich_rows(relation, None, &table);
        let entry = self.entry(&mut said, &table, as_of, None);
        let mut rows = results(&table, said);
        // A table that grew too large ended early: there is more to do at once.
        let turn = if queued.len() == ROWS as usize || rows.len() < queued.len() { Turn::Full } else { Turn::Some };
        for row in &mut rows {
            let found = queued.binary_search_by_key(&row.row, |queued| queued.row).ok().and_then(|at| queued.get(at));
            row.generation = found.map(|queued| queued.generation);
        }
        if rows.is_empty() {
            // None of them is there any more.
            let gone = queued.iter().map(|queued| RowResult {
                row: queued.row,
                generation: Some(queued.generation),
                derived: Vec::new(),
                runs: Arc::from([]),
            });
            rows = gone.collect();
        }
        self.submit(RowResults { relation, plugin: None, rows, step: None }, entry)?;
        Ok(turn)
    }

    /// The next rows of the job that runs.
    fn step(&self, catalog: &Catalog) -> Result<bool, StoreError> {
        let snapshot = self.store.snapshot()?;
        let Some(job) = snapshot.running_job()? else { return Ok(false) };
        let plugin = job.plugin_id.as_str();
        if catalog.enricher_source(plugin) != Some(job.relation) {
            drop(snapshot);
            self.fail(&job, "the plugin does not serve")?;
            return Ok(true);
        }
        let next = snapshot.job_rows(&job, ROWS)?;
        let ids: Vec<i64> = next.iter().map(|(_, row)| *row).collect();
        let fields = catalog.row_fields(job.relation, Some(plugin));
        let table = snapshot.rows(job.relation, &ids, &fields, Without::Plugin(plugin))?;
        let as_of = snapshot.last_event()?;
        drop(snapshot);
        let mut said = catalog.enrich_rows(job.relation, Some(plugin), &table);
        let entry = self.entry(&mut said, &table, as_of, Some(job.id));
        let rows = results(&table, said);
        // The table may have ended early: the step ends with it.
        let last = table.ids().last().and_then(|last| next.iter().find(|(_, row)| row == last)).or(next.last());
        let cursor = last.copied();
        let step = JobStep { job: job.id, cursor, rows: rows.len() as u64, now: self.clock.now() };
        self.submit(RowResults { relation: job.relation, plugin: Some(plugin.into()), rows, step: Some(step) }, entry)?;
        Ok(true)
    }

    fn fail(&self, job: &StoredJob, reason: &str) -> Result<(), StoreError> {
        let change = JobChange::End { job: job.id, failure: Some(reason.into()), now: self.clock.now() };
        self.wait(|reply| self.store.submit_job(change.clone(), reply))
    }

    /// What the journal says of rows that were handed over; `job` is that of a backfill.
    fn entry(&self, said: &mut Enrichment, table: &RowTable, as_of: i64, job: Option<i64>) -> Option<NewEntry> {
        let keys = JournalKeys::new(self.store.digest_key());
        let handed = std::mem::take(&mut said.handed).into_iter();
        let accesses: Vec<_> = handed.filter_map(|handed| RelationAccess::of(handed, table.ids(), &keys)).collect();
        let detail = job.map(|job| serde_json::json!({ "job": job }).to_string());
        let time = self.clock.now();
        (!accesses.is_empty()).then_some(NewEntry { time, kind: EntryKind::Job, as_of: Some(as_of), detail, accesses })
    }

    fn submit(&self, results: RowResults, entry: Option<NewEntry>) -> Result<(), StoreError> {
        for _ in 0..MOST_MOMENTS {
            if self.store.queued_bytes() < BUSY_BYTES || self.stop.load(Ordering::Acquire) {
                break;
            }
            std::thread::park_timeout(MOMENT);
        }
        self.wait(|reply| self.store.submit_rows(results.clone(), entry.clone(), reply))
    }

    /// Hands something to the writer, again when it has too much to do, and waits for the commit.
    fn wait(&self, submit: impl Fn(Reply) -> Result<(), SubmitError>) -> Result<(), StoreError> {
        loop {
            let (tell, told) = sync_channel(1);
            let reply: Reply = Box::new(move |result| drop(tell.send(result.map(drop))));
            match submit(reply) {
                Ok(()) => return told.recv().unwrap_or(Err(StoreError::Closed)),
                Err(SubmitError::Closed) => return Err(StoreError::Closed),
                Err(SubmitError::Overloaded) if self.stop.load(Ordering::Acquire) => return Err(StoreError::Closed),
                Err(SubmitError::Overloaded) => std::thread::park_timeout(MOMENT),
            }
        }
    }
}

fn results(table: &RowTable, said: Enrichment) -> Vec<RowResult> {
    let rows = table.ids().iter().zip(said.derived).zip(said.runs);
    rows.map(|((row, derived), runs)| RowResult { row: *row, generation: None, derived, runs }).collect()
}
