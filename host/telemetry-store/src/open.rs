//! Opening the file: the lock, the settings that only an empty file takes, the migrations, the digest key.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use rusqlite_migration::{M, Migrations};
use telemetry_model::DigestKey;

use crate::error::StoreError;
use crate::indexed::{IndexedKey, register};
use crate::settings::StoreSettings;

/// Marks a file as ours, in SQLite's header: "CyLS".
const APPLICATION_ID: i64 = 0x4379_4c53;

const MIGRATIONS: &[M<'static>] = &[
    M::up(include_str!("../../../migrations/0001_events.sql")),
    M::up(include_str!("../../../migrations/0002_relations.sql")),
    M::up(include_str!("../../../migrations/0003_readable.sql")),
    M::up(include_str!("../../../migrations/0004_errors.sql")),
    M::up(include_str!("../../../migrations/0005_indexed_attributes.sql")),
    M::up(include_str!("../../../migrations/0006_journal.sql")),
    M::up(include_str!("../../../migrations/0007_row_enrichment.sql")),
    M::up(include_str!("../../../migrations/0008_journal_lookups.sql")),
    M::up(include_str!("../../../migrations/0009_job_rows.sql")),
];

/// An open, migrated file and the right to write to it.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) connection: Connection,
    pub(crate) key: DigestKey,
    pub(crate) indexed: Vec<IndexedKey>,
    pub(crate) lock: WriterLock,
}

/// Held while this process may write; the file beside the database names the process.
#[derive(Debug)]
pub(crate) struct WriterLock {
    _file: File,
}

/// Opens `settings.path` for writing.
pub(crate) fn open(settings: &StoreSettings) -> Result<OpenFile, StoreError> {
    let path = &settings.path;
    check_path(path)?;
    let lock = lock(path)?;
    let mut connection = writing_connection(settings)?;
    prepare_empty(&connection, settings)?;
    check_owner(&connection, path)?;
    let mode: String = connection
        .query_row("pragma journal_mode = wal", [], |row| row.get(0))
        .map_err(|error| StoreError::sqlite("switch the database to write-ahead logging", error))?;
    if mode != "wal" {
        return Err(unusable(path, "its file system does not support write-ahead logging"));
    }
    migrate(&mut connection, path)?;
    let key = digest_key(&connection)?;
    let indexed = register(&mut connection, &settings.indexed_attributes)
        .map_err(|error| StoreError::sqlite("register indexed attributes", error))?;
    Ok(OpenFile { connection, key, indexed, lock })
}

/// A pool of read-only connections to the file.
pub(crate) fn readers(settings: &StoreSettings) -> Result<r2d2::Pool<SqliteConnectionManager>, StoreError> {
    let timeout = Duration::from_millis(u64::from(settings.busy_timeout_ms));
    let manager = SqliteConnectionManager::file(&settings.path)
        .with_flags(OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .with_init(move |connection| {
            connection.busy_timeout(timeout)?;
            connection.set_prepared_statement_cache_capacity(128);
            connection.execute_batch("pragma trusted_schema = off; pragma query_only = on; pragma mmap_size = 268435456")
        });
    r2d2::Pool::builder()
        .max_size(settings.pool_size.max(1))
        .min_idle(Some(0))
        // Nothing to wake up for: connections cost little and keep their prepared statements.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_on_check_out(false)
        .connection_timeout(Duration::from_secs(30))
        .build(manager)
        .map_err(|_| StoreError::Busy)
}

/// A further connection for writing, as the checkpoints need it.
pub(crate) fn writing_connection(settings: &StoreSettings) -> Result<Connection, StoreError> {
    let path = &settings.path;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| unusable(path, &reason(&error)))?;
    let set = || {
        connection.busy_timeout(Duration::from_millis(u64::from(settings.busy_timeout_ms)))?;
        connection.set_prepared_statement_cache_capacity(256);
        connection.execute_batch(
            "pragma synchronous = full; pragma foreign_keys = on; pragma trusted_schema = off; pragma wal_autocheckpoint = 0;
             pragma cache_size = -65536; pragma temp_store = memory",
        )?;
        match settings.max_pages {
            Some(pages) => connection.query_row(&format!("pragma max_page_count = {pages}"), [], |_| Ok(())),
            None => Ok(()),
        }
    };
    set().map_err(|error| not_a_database(path, error))?;
    Ok(connection)
}

fn check_path(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Err(unusable(path, "it is a folder"));
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.is_dir() => Err(unusable(path, "its folder does not exist")),
        _ => Ok(()),
    }
}

fn lock(path: &Path) -> Result<WriterLock, StoreError> {
    let beside = lock_path(path);
    let named = |error: std::io::Error| unusable(path, &format!("its lock file `{}`: {error}", beside.display()));
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&beside).map_err(named)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.take(32).read_to_string(&mut pid);
            let pid = if pid.trim().is_empty() { "unknown" } else { pid.trim() };
            return Err(StoreError::InUse { path: path.to_owned(), pid: pid.into() });
        }
        Err(TryLockError::Error(error)) => return Err(named(error)),
    }
    file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(named)?;
    Ok(WriterLock { _file: file })
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// Page size and vacuum mode are silently ignored once a page is written or the log is on.
fn prepare_empty(connection: &Connection, settings: &StoreSettings) -> Result<(), StoreError> {
    let path = &settings.path;
    let pages: i64 = connection.query_row("pragma page_count", [], |row| row.get(0)).map_err(|error| not_a_database(path, error))?;
    if pages > 0 {
        return Ok(());
    }
    connection
        .execute_batch(&format!(
            "pragma page_size = {}; pragma auto_vacuum = incremental; pragma application_id = {APPLICATION_ID}",
            settings.page_size
        ))
        .map_err(|error| unusable(path, &reason(&error)))
}

fn check_owner(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let id: i64 = connection.query_row("pragma application_id", [], |row| row.get(0)).map_err(|error| not_a_database(path, error))?;
    if id != APPLICATION_ID {
        return Err(StoreError::Foreign { path: path.to_owned(), problem: "it is the SQLite database of another program" });
    }
    if connection.is_readonly(rusqlite::MAIN_DB).unwrap_or(false) {
        return Err(unusable(path, "it is not writable"));
    }
    Ok(())
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found: i64 = connection.query_row("pragma user_version", [], |row| row.get(0)).map_err(|error| not_a_database(path, error))?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::TooNew { path: path.to_owned(), found, known });
    }
    Migrations::from_slice(MIGRATIONS)
        .to_latest(connection)
        .map_err(|error| StoreError::Migration { path: path.to_owned(), source: Arc::new(error) })
}

/// Made once, from SQLite's generator, which the operating system's randomness seeds.
fn digest_key(connection: &Connection) -> Result<DigestKey, StoreError> {
    let failed = |error| StoreError::sqlite("read the digest key", error);
    connection
        .execute("insert into store_keys (name, value) values ('digest', randomblob(32)) on conflict do nothing", [])
        .map_err(failed)?;
    let key: Option<[u8; 32]> = connection
        .query_row("select value from store_keys where name = ?", params!["digest"], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    key.map(DigestKey::new).ok_or_else(|| StoreError::Corrupt { operation: "read the digest key", problem: "there is none".into() })
}

fn not_a_database(path: &Path, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => StoreError::Foreign { path: path.to_owned(), problem: "it is not a SQLite database" },
        _ => unusable(path, &reason(&error)),
    }
}

fn unusable(path: &Path, problem: &str) -> StoreError {
    StoreError::Unusable { path: path.to_owned(), problem: problem.into() }
}

fn reason(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(code, text) => text.clone().unwrap_or_else(|| code.to_string()),
        other => other.to_string(),
    }
}
