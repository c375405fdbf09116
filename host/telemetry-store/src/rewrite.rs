//! Rewriting what is stored: every text of a client's goes through a function, and what it changes is replaced in place.
//!
//! For a stopped server only: it takes the writer's lock. Everything happens in one transaction, and what was replaced is overwritten
//! in the file. Hashes that conversations and repeats are found by are keyed and stay.

mod document;

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, Result, params};
use telemetry_model::DigestKey;

use crate::error::StoreError;
use crate::open::open;
use crate::settings::StoreSettings;
use document::Document;

/// What a stored text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredKind {
    /// JSON text.
    Json,
    /// The text of a value.
    Value,
    /// The text of something that identifies: different ones must stay different.
    Id,
    /// The name of an event.
    Name,
    /// Text that is no event.
    Body,
}

/// A stored text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredText {
    /// What it is.
    pub kind: StoredKind,
    /// The text.
    pub text: String,
}

/// How many texts were read, and how many of them were replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// Read.
    pub read: u64,
    /// Replaced.
    pub replaced: u64,
}

/// For each text what stands in its place; `None` leaves it. JSON may change inside its strings only. The key is the database's.
///
/// # Errors
/// In words; then nothing is replaced anywhere.
pub type Rewrite<'a> = dyn FnMut(&DigestKey, &[StoredText]) -> std::result::Result<Vec<Option<String>>, String> + 'a;

/// Where texts are: table, column, and what the column holds.
const COLUMNS: &[(&str, &str, Column)] = &[
    ("strings", "text", Column::Plain(StoredKind::Id)),
    ("event_kinds", "name", Column::Plain(StoredKind::Name)),
    ("event_kinds", "channel", Column::Plain(StoredKind::Value)),
    ("contents", "body", Column::Contents),
    ("contexts", "attributes", Column::Document(1)),
    ("event_rows", "attributes", Column::Document(1)),
    ("event_rows", "derived", Column::Document(2)),
    ("event_rows", "extra", Column::Document(0)),
    ("llm_call_rows", "derived", Column::Document(2)),
    ("tool_execution_rows", "derived", Column::Document(2)),
    ("event_rows", "span", Column::Plain(StoredKind::Id)),
    ("event_rows", "parent_span", Column::Plain(StoredKind::Id)),
    ("event_rows", "idempotency_key", Column::Plain(StoredKind::Id)),
    ("event_rows", "flags", Column::Plain(StoredKind::Json)),
    ("scopes", "last_call_span", Column::Plain(StoredKind::Id)),
    ("scopes", "last_execution_span", Column::Plain(StoredKind::Id)),
    ("llm_call_rows", "span", Column::Plain(StoredKind::Id)),
    ("llm_call_rows", "response_id", Column::Plain(StoredKind::Value)),
    ("tool_execution_rows", "span", Column::Plain(StoredKind::Id)),
    ("tool_execution_rows", "tool_id", Column::Plain(StoredKind::Value)),
    ("security_alert_rows", "span", Column::Plain(StoredKind::Id)),
    ("security_alert_rows", "description", Column::Plain(StoredKind::Value)),
    ("security_alert_rows", "content_sample", Column::Plain(StoredKind::Value)),
    ("security_alert_rows", "keywords", Column::Plain(StoredKind::Json)),
    ("environment_members", "key", Column::Plain(StoredKind::Id)),
    ("environment_members", "key_json", Column::Plain(StoredKind::Json)),
    ("environment_members", "value_json", Column::Plain(StoredKind::Json)),
    ("quarantine", "name", Column::Plain(StoredKind::Name)),
    ("quarantine", "agent_id", Column::Plain(StoredKind::Id)),
    ("quarantine", "reasons", Column::Plain(StoredKind::Json)),
    ("quarantine", "body", Column::Quarantined),
];

/// What a column holds.
#[derive(Clone, Copy)]
enum Column {
    Plain(StoredKind),
    /// Lists of so many ids and a document; with 0 a document by itself.
    Document(usize),
    /// `contents.body`, by depth.
    Contents,
    /// `quarantine.body`, by kind.
    Quarantined,
}

/// Rows of one round, at most.
const ROUND: usize = 500;

/// Hands every text in the file to `rewrite`.
///
/// # Errors
/// When the file cannot be opened or written, another process has it, or `rewrite` fails: then nothing is replaced.
pub fn rewrite(settings: &StoreSettings, rewrite: &mut Rewrite<'_>) -> Result<Rewritten, StoreError> {
    let mut file = open(settings)?;
    let failed = |error| StoreError::sqlite("rewrite what is stored", error);
    // What is replaced must not be left in free space.
    file.connection.execute_batch("pragma secure_delete = on").map_err(failed)?;
    let transaction = file.connection.transaction().map_err(failed)?;
    let mut done = Rewritten::default();
    for (table, column, holds) in COLUMNS {
        let mut cells = Cells { connection: &transaction, key: &file.key, table, column, holds: *holds };
        cells.all(rewrite, &mut done)?;
    }
    if done.replaced > 0 {
        forget_indexed(&transaction).map_err(failed)?;
    }
    transaction.commit().map_err(failed)?;
    file.connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(())).map_err(failed)?;
    if done.replaced > 0 {
        file.connection.execute_batch("vacuum").map_err(failed)?;
        file.connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(())).map_err(failed)?;
    }
    drop(file.lock);
    Ok(done)
}

/// Attributes that filters seek are read again from the events when the server starts.
fn forget_indexed(connection: &Connection) -> Result<()> {
    connection.execute("delete from attribute_values", [])?;
    connection.execute("update attribute_keys set filled = 0, target = (select coalesce(max(id), 0) from event_rows)", [])?;
    Ok(())
}

struct Cells<'a> {
    connection: &'a Connection,
    key: &'a DigestKey,
    table: &'static str,
    column: &'static str,
    holds: Column,
}

/// One cell and how its texts are put back.
struct Cell {
    id: i64,
    shape: Shape,
}

enum Shape {
    Plain,
    Document(Document),
}

impl Cells<'_> {
    fn all(&mut self, rewrite: &mut Rewrite<'_>, done: &mut Rewritten) -> Result<(), StoreError> {
        let failed = |error| StoreError::sqlite("read what is stored", error);
        let mut last = i64::MIN;
        loop {
            let rows = self.round(last).map_err(failed)?;
            let Some((id, ..)) = rows.last() else { return Ok(()) };
            last = *id;
            let (mut cells, mut texts) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
            for (id, text, tells) in rows {
                let (shape, stored) = self.shape(text, &tells)?;
                cells.push((Cell { id, shape }, stored.len()));
                texts.extend(stored);
            }
            done.read += texts.len() as u64;
            let changed = rewrite(self.key, &texts)
                .map_err(|problem| StoreError::Corrupt { operation: "rewrite a text", problem: problem.into() })?;
            let mut changed = changed.into_iter();
            for (cell, count) in cells {
                let of_cell: Vec<Option<String>> = changed.by_ref().take(count).collect();
                if of_cell.iter().any(Option::is_some) {
                    done.replaced += of_cell.iter().flatten().count() as u64;
                    self.put(cell, of_cell)?;
                }
            }
        }
    }

    /// The next cells behind the row `last`: id, text, and what tells how to read it. Rows without an id of their own are known by place.
    fn round(&self, last: i64) -> Result<Vec<(i64, String, Value)>> {
        let (table, column) = (self.table, self.column);
        let tells = match self.holds {
            Column::Contents => "depth",
            Column::Quarantined => "body_kind",
            _ => "null",
        };
        let id = self.id();
        let sql =
            format!("select {id}, {column}, {tells} from {table} where {id} > ? and {column} is not null order by {id} limit {ROUND}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([last], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.collect()
    }

    /// What tells a row: `environment_members` has no id, but few rows and two small numbers.
    fn id(&self) -> &'static str {
        match self.table {
            "environment_members" => "(environment * 65536 + ordinal)",
            "security_alert_rows" => "event_id",
            _ => "id",
        }
    }

    fn shape(&self, text: String, tells: &Value) -> Result<(Shape, Vec<StoredText>), StoreError> {
        let plain = |kind, text| Ok((Shape::Plain, vec![StoredText { kind, text }]));
        let ids = match (self.holds, tells) {
            (Column::Plain(kind), _) => return plain(kind, text),
            (Column::Quarantined, Value::Text(kind)) if kind == "json" => return plain(StoredKind::Json, text),
            (Column::Quarantined, _) => return plain(StoredKind::Body, text),
            (Column::Contents, Value::Integer(0)) => return plain(StoredKind::Json, text),
            (Column::Contents, _) => 0,
            (Column::Document(ids), _) => ids,
        };
        let document = Document::parse(&text, ids).ok_or_else(|| StoreError::Corrupt {
            operation: "read a document",
            problem: format!("`{}.{}` holds none", self.table, self.column).into(),
        })?;
        let texts = document.texts().map(|text| StoredText { kind: StoredKind::Json, text }).collect();
        Ok((Shape::Document(document), texts))
    }

    fn put(&self, cell: Cell, changed: Vec<Option<String>>) -> Result<(), StoreError> {
        let text = match cell.shape {
            Shape::Plain => changed.into_iter().flatten().next(),
            Shape::Document(document) => document.with(&changed),
        };
        let corrupt = || StoreError::Corrupt { operation: "rewrite a text", problem: "more than its strings was changed".into() };
        let text = text.ok_or_else(corrupt)?;
        let (table, column, id) = (self.table, self.column, self.id());
        let failed = |error| StoreError::sqlite("replace what is stored", error);
        let sql = format!("update {table} set {column} = ? where {id} = ?");
        let update = |text: &str| self.connection.prepare_cached(&sql).and_then(|mut statement| statement.execute(params![text, cell.id]));
        match update(&text) {
            // What was masked on arrival stands there already: rows that are not the same stay different.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => update(&format!("{text}-{}", cell.id)),
            done => done,
        }
        .map_err(failed)?;
        if matches!(self.holds, Column::Contents) {
            self.put_digest(cell.id, &text).map_err(failed)?;
        }
        Ok(())
    }

    /// A content is found by the digest of its text; where another has this one already, by none.
    fn put_digest(&self, id: i64, text: &str) -> Result<()> {
        let whole = self.key.digest(text.as_bytes());
        let taken: bool =
            self.connection.query_row("select exists (select 1 from contents where digest = ?)", [&whole.0[..]], |row| row.get(0))?;
        let digest = if taken { self.key.digest_parts(&[text.as_bytes(), &id.to_le_bytes()]) } else { whole };
        self.connection.execute("update contents set digest = ? where id = ?", params![&digest.0[..], id])?;
        Ok(())
    }
}
