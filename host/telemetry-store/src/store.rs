//! The handle that everyone holds.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, unbounded};
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::Connection;
use telemetry_model::journal::Handed;
use telemetry_model::{DigestKey, Timestamp};

use crate::error::{StoreError, SubmitError};
use crate::health::WriteHealth;
use crate::indexed::IndexedKey;
use crate::item::{NewEvent, WriteItem};
use crate::journal::{NewEntry, Notes, Orphans};
use crate::open;
use crate::prepare::PreparedEvent;
use crate::rowqueue::RowSignal;
use crate::settings::StoreSettings;
use crate::writer::{Job, Queued, Reply, Writer};

/// One open database. Cheap to clone; all clones are the same store. The last one to be dropped closes it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    key: DigestKey,
    indexed: Vec<IndexedKey>,
    health: Arc<WriteHealth>,
    readers: RwLock<Option<r2d2::Pool<SqliteConnectionManager>>>,
    queue_bytes: usize,
    queued: Arc<Queued>,
    orphans: Arc<Orphans>,
    rows: Arc<RowSignal>,
    jobs: RwLock<Option<Sender<Job>>>,
    writer: Mutex<Option<JoinHandle<Connection>>>,
    /// Given up last, when the writer has ended.
    _lock: open::WriterLock,
}

impl Store {
    /// Makes or migrates the file, takes the right to write to it and starts the writer thread.
    ///
    /// # Errors
    /// When the path is unusable, the file foreign, too new or in use by another process.
    pub fn open(settings: StoreSettings) -> Result<Store, StoreError> {
        let file = open::open(&settings)?;
        let readers = open::readers(&settings)?;
        let (jobs, waiting) = unbounded();
        let queued = Arc::new(Queued::default());
        let orphans = Arc::new(Orphans::default());
        let queue_bytes = settings.queue_bytes;
        let path = settings.path.clone();
        let rows = Arc::new(RowSignal::default());
        let health = Arc::new(WriteHealth::new());
        let (counted, told) = (Arc::clone(&queued), Arc::clone(&health));
        let writer = Writer {
            jobs: waiting,
            queued: counted,
            health: told,
            key: file.key.clone(),
            indexed: file.indexed.clone(),
            rows: Arc::clone(&rows),
            settings,
            orphans: Arc::clone(&orphans),
        };
        let connection = file.connection;
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                writer.run(&connection);
                connection
            })
            .map_err(|error| StoreError::Unusable { path, problem: error.to_string().into() })?;
        Ok(Store {
            shared: Arc::new(Shared {
                key: file.key,
                indexed: file.indexed,
                health,
                readers: RwLock::new(Some(readers)),
                queue_bytes,
                queued,
                orphans,
                rows,
                jobs: RwLock::new(Some(jobs)),
                writer: Mutex::new(Some(thread)),
                _lock: file.lock,
            }),
        })
    }

    /// The key of this database's digests.
    pub fn digest_key(&self) -> &DigestKey {
        &self.shared.key
    }

    /// Cuts an event for storage. Needs no database: run it on the worker threads.
    pub fn prepare(&self, event: NewEvent) -> PreparedEvent {
        PreparedEvent::new(event, &self.shared.key, &self.shared.indexed)
    }

    /// Queues the items of one request. `reply` is called on the writer thread, once, after the commit, with one outcome an item; it
    /// must be quick. The items are stored all or none, except that a request of more than 4 MiB is stored in parts: when a later
    /// one fails, [`StoreError::Partial`] tells what became of which item.
    ///
    /// # Errors
    /// When too many bytes wait, or the store is closed; then `reply` is dropped.
    pub fn submit(&self, items: Vec<WriteItem>, reply: Reply) -> Result<(), SubmitError> {
        self.queue(Job::new(items, Notes::default(), reply, false))
    }

    /// [`Store::submit`], and notes in the journal what plugins were handed of the items at `time`: rows count from the first item.
    ///
    /// # Errors
    /// As [`Store::submit`]; then the next entry says that the rows were not stored.
    pub fn submit_handed(&self, items: Vec<WriteItem>, handed: Vec<Handed>, time: Timestamp, reply: Reply) -> Result<(), SubmitError> {
        self.queue(Job::new(items, Notes { handed, time, entry: None }, reply, false))
    }

    /// [`Store::submit`] with an entry of the journal in the same transaction.
    pub(crate) fn submit_noted(&self, items: Vec<WriteItem>, entry: Option<NewEntry>, reply: Reply) -> Result<(), SubmitError> {
        let time = entry.as_ref().map_or(Timestamp(0), |entry| entry.time);
        self.queue(Job::new(items, Notes { handed: Vec::new(), time, entry }, reply, false))
    }

    /// Appends an entry to the journal with whatever else is written; `reply` is called when it is durable.
    ///
    /// # Errors
    /// As [`Store::submit`].
    pub fn journal(&self, entry: NewEntry, reply: Reply) -> Result<(), SubmitError> {
        let notes = Notes { handed: Vec::new(), time: entry.time, entry: Some(entry) };
        self.queue(Job::new(Vec::new(), notes, reply, false))
    }

    /// Asks the writer whether events can be stored, by a write of its own that joins what waits. A write that went well is believed
    /// for 10 seconds; after one that failed for want of room, as many bytes must go in before all is well. `now`: the time of day.
    ///
    /// # Errors
    /// When the store is closed; then `reply` is dropped.
    pub fn check_writes(&self, now: Timestamp, reply: Reply) -> Result<(), SubmitError> {
        let probe = self.shared.health.is_due(now);
        self.queue(Job::new(Vec::new(), Notes::default(), reply, probe))
    }

    fn queue(&self, mut job: Job) -> Result<(), SubmitError> {
        let bytes = job.bytes;
        // A request larger than the whole queue is taken when nothing else of its kind waits.
        if !self.shared.queued.add(bytes, self.shared.queue_bytes) {
            self.shared.orphans.add(job.rest_of_notes().handed);
            return Err(SubmitError::Overloaded);
        }
        let sent = match self.shared.jobs.read() {
            Ok(jobs) => jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok()),
            Err(_) => false,
        };
        if sent {
            return Ok(());
        }
        self.shared.queued.remove(bytes);
        Err(SubmitError::Closed)
    }

    /// Bytes that wait to be written.
    pub fn queued_bytes(&self) -> usize {
        self.shared.queued.bytes()
    }

    /// Writes what waits, answers, copies the log into the file and ends the writer thread. Reads under way go on, new ones do not
    /// begin; when none is left the database is one file.
    pub fn close(&self) {
        self.shared.close();
    }

    pub(crate) fn row_signal(&self) -> &RowSignal {
        &self.shared.rows
    }

    /// A connection for reading; back to the pool when dropped.
    pub(crate) fn reader(&self) -> Result<r2d2::PooledConnection<SqliteConnectionManager>, StoreError> {
        let readers = self.shared.readers.read().unwrap_or_else(PoisonError::into_inner).clone();
        readers.ok_or(StoreError::Closed)?.get().map_err(|_| StoreError::Busy)
    }
}

impl Shared {
    fn close(&self) {
        if let Ok(mut jobs) = self.jobs.write() {
            *jobs = None;
        }
        let thread = self.writer.lock().ok().and_then(|mut thread| thread.take());
        let Some(thread) = thread else { return };
        // The last connection to be closed takes the log away, if it may write.
        self.readers.write().unwrap_or_else(PoisonError::into_inner).take();
        match thread.join() {
            Ok(connection) => drop(connection),
            Err(_) => tracing::error!("store.writer.panicked"),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
    }
}
