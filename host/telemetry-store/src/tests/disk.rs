//! A file that is full, and what is left when the store closes.

use std::sync::mpsc::channel;

use rusqlite::Connection;
use telemetry_model::facts::Facts;
use telemetry_model::{Outcome, Timestamp};

use super::{item, submit};
use crate::{Store, StoreError, StoreSettings, WriteItem, testing};

const SECOND: i64 = 1_000_000_000;

/// Its text does not compress into anything stored before.
fn request(store: &Store, number: usize) -> Vec<WriteItem> {
    let mut event = testing::event("x", 1);
    event.agent_id = format!("agent-{number}").into();
    event.attributes = testing::attributes(&format!("{{\"a\":\"{number} {}\"}}", "x".repeat(20_000)));
    vec![item(store, event, Facts::None)]
}

fn check(store: &Store, now: i64) -> Result<(), StoreError> {
    let (sender, receiver) = channel();
    store.check_writes(Timestamp(now), Box::new(move |result| sender.send(result).unwrap())).unwrap();
    receiver.recv().unwrap().map(drop)
}

#[test]
fn tells_that_the_file_is_full_and_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = StoreSettings::new(folder.path().join("test.db"));
    settings.max_pages = Some(500);
    let store = Store::open(settings.clone()).unwrap();
    let other = Connection::open(&settings.path).unwrap();
    other.execute("insert into store_keys (name, value) values ('filler', zeroblob(400000))", []).unwrap();
    assert!(check(&store, 0).is_ok());
    let results: Vec<_> = (0..500).map(|number| submit(&store, request(&store, number))).take_while(Result::is_ok).collect();
    let stored = results.len() as i64;
    assert!((1..400).contains(&stored), "{stored}");
    assert!(matches!(submit(&store, request(&store, 600)), Err(StoreError::Full { .. })));
    for now in [0, SECOND] {
        assert!(matches!(check(&store, now), Err(StoreError::Full { .. })), "a failure is not believed to pass");
    }
    let count = |table: &str| other.query_row(&format!("select count(*) from {table}"), [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((count("event_rows"), count("agent_rows")), (stored, stored), "nothing of a refused request is stored");
    other.execute("delete from store_keys where name = 'filler'", []).unwrap();
    assert!(check(&store, 2 * SECOND).is_ok(), "noticed without an event");
    assert_eq!(submit(&store, request(&store, 601)).unwrap(), [Outcome::Accepted { event_id: stored + 1 }]);
    assert_eq!((count("event_rows"), count("agent_rows")), (stored + 1, stored + 1));
    let left: i64 = other.query_row("select length(value) from store_keys where name = 'probe'", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 16, "a probe keeps no room");
}

#[test]
fn probes_only_when_asked_and_not_at_every_question() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(StoreSettings::new(folder.path().join("test.db"))).unwrap();
    let other = Connection::open(folder.path().join("test.db")).unwrap();
    let probe = |now| {
        check(&store, now).unwrap();
        other.query_row("select hex(value) from store_keys where name = 'probe'", [], |row| row.get::<_, String>(0)).unwrap()
    };
    let first = probe(0);
    assert_eq!(probe(9 * SECOND), first);
    let second = probe(10 * SECOND);
    assert_ne!(second, first);
    assert_ne!(probe(5 * SECOND), second, "the clock went back");
}

#[test]
fn leaves_one_file_behind() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(StoreSettings::new(folder.path().join("test.db"))).unwrap();
    submit(&store, request(&store, 0)).unwrap();
    store.check_reads().unwrap();
    store.close();
    assert!(matches!(store.check_reads(), Err(StoreError::Closed)));
    for gone in ["test.db-wal", "test.db-shm"] {
        assert!(!folder.path().join(gone).exists(), "{gone}");
    }
}
