use std::path::Path;

use super::{Scratch, open};
use crate::{Store, StoreError, StoreSettings};

fn refusal(path: &Path) -> StoreError {
    match Store::open(StoreSettings::new(path)) {
        Ok(_) => panic!("opened {}", path.display()),
        Err(error) => error,
    }
}

#[test]
fn sets_what_only_an_empty_file_takes() {
    let scratch = Scratch::new();
    assert_eq!(scratch.rows("pragma auto_vacuum"), ["2"]);
    assert_eq!(scratch.rows("pragma journal_mode"), ["wal"]);
    assert_eq!(scratch.rows("pragma page_size"), [StoreSettings::new("").page_size.to_string()]);
}

#[test]
fn keeps_the_digest_key() {
    let scratch = Scratch::new();
    let before = scratch.store.digest_key().digest(b"x");
    let scratch = scratch.reopen();
    assert_eq!(scratch.store.digest_key().digest(b"x"), before);
    assert_ne!(Scratch::new().store.digest_key().digest(b"x"), before);
}

#[test]
fn refuses_a_second_writer_and_names_it() {
    let scratch = Scratch::new();
    let error = refusal(&scratch.path());
    assert_eq!(error.to_string(), format!("database `{}` is in use by process {}", scratch.path().display(), std::process::id()));
    let path = scratch.path();
    scratch.store.close();
    drop(scratch.store);
    open(path).close();
}

#[test]
fn refuses_a_newer_database_with_both_numbers() {
    let scratch = Scratch::new();
    let path = scratch.path();
    drop(scratch.store);
    rusqlite::Connection::open(&path).unwrap().execute_batch("pragma user_version = 99").unwrap();
    let error = refusal(&path);
    assert!(matches!(error, StoreError::TooNew { found: 99, .. }), "{error}");
    assert!(error.to_string().contains("its schema version is 99, this program knows versions up to"), "{error}");
}

#[test]
fn names_the_path_that_cannot_be_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "these are notes, and long enough to be looked at as a header of a database, or so one would think").unwrap();
    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("pragma user_version = 1").unwrap();
    for (path, problem) in [
        (folder.path().to_owned(), "it is a folder"),
        (folder.path().join("missing/x.db"), "its folder does not exist"),
        (text, "it is not a SQLite database"),
        (foreign, "it is the SQLite database of another program"),
    ] {
        assert_eq!(refusal(&path).to_string(), format!("cannot open database `{}`: {problem}", path.display()));
    }
}

#[test]
fn refuses_a_file_that_cannot_be_written() {
    let scratch = Scratch::new();
    let path = scratch.path();
    drop(scratch.store);
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).unwrap();
    // A superuser may write anyway.
    if std::fs::File::options().write(true).open(&path).is_err() {
        assert!(refusal(&path).to_string().contains(&path.display().to_string()));
    }
}
