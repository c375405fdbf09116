//! What fuzzing kept, run again: each input does what its target asserts. How to fuzz stands in `ARCHITECTURE.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../fuzz/src/component.rs"]
mod component;
#[path = "../fuzz/src/load.rs"]
mod load;
#[path = "../fuzz/src/manifest.rs"]
mod manifest;
#[path = "../fuzz/src/table.rs"]
mod table;

/// Every input that is kept for `target`.
fn kept(target: &str) -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn manifests() {
    kept("manifest").iter().for_each(|bytes| manifest::run(bytes));
}

#[test]
fn components() {
    kept("component").iter().for_each(|bytes| component::run(bytes));
}

#[test]
fn files_all_the_way() {
    for bytes in kept("load") {
        assert_eq!(load::run(&bytes), Ok(()));
    }
}

#[test]
fn tables() {
    kept("table").iter().for_each(|bytes| table::run(bytes));
}
