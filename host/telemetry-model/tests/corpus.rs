//! What fuzzing kept, run again. How to fuzz stands in `ARCHITECTURE.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../fuzz/src/output.rs"]
mod output;

#[test]
fn outputs() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/output");
    let mut inputs = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        output::run(&std::fs::read(entry.unwrap().path()).unwrap());
        inputs += 1;
    }
    assert!(inputs > 0);
}
