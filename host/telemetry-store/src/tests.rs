//! What the write side promises, through the store as others use it.

mod correlation;
mod disk;
mod exactness;
mod indexed;
mod opening;
mod writing;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;

use telemetry_model::facts::Facts;
use telemetry_model::{Event, Outcome, Timestamp};
use tempfile::TempDir;

use crate::testing;
use crate::{NewEvent, Store, StoreError, StoreSettings, WriteItem};

/// A store in a folder of its own.
struct Scratch {
    folder: TempDir,
    store: Store,
}

impl Scratch {
    fn new() -> Self {
        // Thousands of commits: in memory where there is such a folder.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let store = open(folder.path().join("test.db"));
        Scratch { folder, store }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }

    /// Closes and opens it again, as a restart does.
    fn reopen(self) -> Self {
        let Scratch { folder, store } = self;
        drop(store);
        let store = open(folder.path().join("test.db"));
        Scratch { folder, store }
    }

    fn connection(&self) -> rusqlite::Connection {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = rusqlite::Connection::open_with_flags(self.path(), flags).unwrap();
        connection.execute_batch("pragma trusted_schema = off").unwrap();
        connection
    }

    /// Rows of a query, columns joined by `|`.
    fn rows(&self, sql: &str) -> Vec<String> {
        let connection = self.connection();
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let cells = (0..columns).map(|column| match row.get_ref(column).unwrap() {
                rusqlite::types::ValueRef::Null => "-".to_owned(),
                rusqlite::types::ValueRef::Integer(value) => value.to_string(),
                rusqlite::types::ValueRef::Real(value) => value.to_string(),
                rusqlite::types::ValueRef::Text(value) => String::from_utf8_lossy(value).into_owned(),
                rusqlite::types::ValueRef::Blob(value) => format!("{value:02x?}"),
            });
            Ok(cells.collect::<Vec<_>>().join("|"))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    fn number(&self, sql: &str) -> i64 {
        self.connection().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Stores `events` as one request.
    fn store(&self, events: impl IntoIterator<Item = (Event, Facts)>) -> Vec<Outcome> {
        submit(&self.store, events.into_iter().map(|(event, facts)| item(&self.store, event, facts)).collect()).unwrap()
    }
}

fn open(path: PathBuf) -> Store {
    Store::open(StoreSettings::new(path)).unwrap()
}

fn item(store: &Store, event: Event, facts: Facts) -> WriteItem {
    let new = NewEvent { event, facts, derived: Vec::new(), runs: Arc::from([]), received_at: Timestamp(1) };
    WriteItem::Event(Box::new(store.prepare(new)))
}

fn submit(store: &Store, items: Vec<WriteItem>) -> Result<Vec<Outcome>, StoreError> {
    let (sender, receiver) = channel();
    store.submit(items, Box::new(move |result| sender.send(result).unwrap())).unwrap();
    receiver.recv().unwrap()
}

/// The captured events, in order of arrival.
fn golden(store: &Store) -> Vec<(Event, Facts)> {
    let fixtures = [
        include_str!("../../../tests/fixtures/golden/monitor-events.ndjson"),
        include_str!("../../../tests/fixtures/golden/legacy-events.ndjson"),
    ];
    fixtures.iter().flat_map(|text| text.lines()).map(|line| testing::read(line, store.digest_key())).collect()
}
