//! What is left on the disk when the store closes.

use telemetry_model::facts::Facts;

use super::{item, submit};
use crate::{Store, StoreError, StoreSettings, WriteItem, testing};

/// Its text does not compress into anything stored before.
fn request(store: &Store, number: usize) -> Vec<WriteItem> {
    let mut event = testing::event("x", 1);
    event.agent_id = format!("agent-{number}").into();
    event.attributes = testing::attributes(&format!("{{\"a\":\"{number} {}\"}}", "x".repeat(20_000)));
    vec![item(store, event, Facts::None)]
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
