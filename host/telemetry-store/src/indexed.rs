//! Attributes whose values are indexed: which keys, how their values are kept, and how far each index is filled.

use std::borrow::Cow;

use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Result, params};
use serde::Serialize;
use telemetry_model::JsonKind;
use telemetry_model::json::kind_of;

use crate::error::StoreError;
use crate::store::Store;

/// Longer texts are cut to at most so many bytes.
const MAX_TEXT: usize = 120;
/// A text of at most so many bytes was not cut.
pub(crate) const WHOLE_TEXT: usize = MAX_TEXT - 4;

/// A key whose values the writer indexes.
#[derive(Clone, Debug)]
pub(crate) struct IndexedKey {
    pub(crate) text: Box<str>,
    /// `strings.id`.
    pub(crate) id: i64,
}

/// How far one key is indexed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IndexProgress {
    /// The attribute's key.
    pub key: String,
    /// `complete`; `filling`: filters on it scan until it is complete; `removing`: it is no longer set.
    pub state: &'static str,
    /// While it is filling: stored events that are in it.
    pub done: i64,
    /// While it is filling: stored events that must be.
    pub total: i64,
}

/// A value as the index keeps it: numbers by value, a string's text, as a blob the JSON text of anything else.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum IndexValue {
    Text(Box<str>),
    Integer(i64),
    Real(f64),
    Json(Box<str>),
}

impl IndexValue {
    /// Of JSON text; `None` for null.
    pub(crate) fn of(json: &str) -> Option<Self> {
        let text = |text: &str| Some(IndexValue::Text(cut(text).into()));
        let other = |json: &str| Some(IndexValue::Json(cut(json).into()));
        match kind_of(json) {
            JsonKind::Null => None,
            JsonKind::String => {
                let inner = json.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
                match memchr::memchr(b'\\', inner.as_bytes()) {
                    None => text(inner),
                    Some(_) => text(&serde_json::from_str::<Cow<'_, str>>(json).unwrap_or_default()),
                }
            }
            JsonKind::Integer | JsonKind::Real => match (json.parse::<i64>(), json.parse::<f64>()) {
                // Minus nought is no integer: its spelling would be lost.
                (Ok(integer), _) if json != "-0" => Some(IndexValue::Integer(integer)),
                (_, Ok(real)) if real.is_finite() => Some(IndexValue::Real(real)),
                _ => other(json),
            },
            JsonKind::Boolean | JsonKind::Array | JsonKind::Object => other(json),
        }
    }
}

impl ToSql for IndexValue {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(match self {
            IndexValue::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            IndexValue::Integer(integer) => ToSqlOutput::Owned(Value::Integer(*integer)),
            IndexValue::Real(real) => ToSqlOutput::Owned(Value::Real(*real)),
            IndexValue::Json(json) => ToSqlOutput::Borrowed(ValueRef::Blob(json.as_bytes())),
        })
    }
}

/// At most the first `MAX_TEXT` bytes of `text`, whole characters.
pub(crate) fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or(text)
}

/// Notes which keys are indexed from now on: a new one is yet to be filled, one that is no longer set to be dropped. Gives those that
/// the writer keeps; a key that is set again while it is being dropped is new at the next start.
pub(crate) fn register(connection: &mut Connection, keys: &[String]) -> Result<Vec<IndexedKey>> {
    let transaction = connection.transaction()?;
    let last: i64 = transaction.query_row("select coalesce(max(id), 0) from event_rows", [], |row| row.get(0))?;
    let known: Vec<(i64, String)> = transaction
        .prepare("select k.key, s.text from attribute_keys k join strings s on s.id = k.key where not k.dropped")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_>>()?;
    for (id, _) in known.iter().filter(|(_, text)| !keys.contains(text)) {
        transaction.execute("update attribute_keys set dropped = 1 where key = ?", [id])?;
    }
    let mut kept = Vec::with_capacity(keys.len());
    for text in keys {
        transaction.execute("insert into strings (text) values (?) on conflict (text) do nothing", [text])?;
        let id: i64 = transaction.query_row("select id from strings where text = ?", [text], |row| row.get(0))?;
        let insert = "insert into attribute_keys (key, filled, target, dropped) values (?, 0, ?, 0) on conflict (key) do nothing";
        transaction.execute(insert, params![id, last])?;
        let dropped: bool = transaction.query_row("select dropped from attribute_keys where key = ?", [id], |row| row.get(0))?;
        if !dropped {
            kept.push(IndexedKey { text: text.as_str().into(), id });
        }
    }
    transaction.commit()?;
    Ok(kept)
}

/// `strings.id` of `key`, when its index holds every event of the snapshot.
pub(crate) fn complete(connection: &Connection, key: &str) -> Result<Option<i64>> {
    let sql = "select k.key from attribute_keys k where k.key = (select id from strings where text = ?1) and k.filled >= k.target \
               and not k.dropped and not exists (select 1 from row_keys w where w.key = k.key)";
    connection.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()
}

impl Store {
    /// How far each key of `indexed_attributes` is indexed. Blocks.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn index_progress(&self) -> Result<Vec<IndexProgress>, StoreError> {
        let failed = |error| StoreError::sqlite("read how far attributes are indexed", error);
        index_progress(&*self.reader()?).map_err(failed)
    }
}

/// How far each key is indexed.
pub(crate) fn index_progress(connection: &Connection) -> Result<Vec<IndexProgress>> {
    let sql = "select s.text, k.filled, k.target, k.dropped from attribute_keys k join strings s on s.id = k.key order by s.text";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let (done, total, dropped) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let state = match (dropped, done >= total) {
            (true, _) => "removing",
            (false, true) => "complete",
            (false, false) => "filling",
        };
        Ok(IndexProgress { key: row.get(0)?, state, done, total })
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_by_value_and_texts_are_cut() {
        let text = |text: &str| Some(IndexValue::Text(text.into()));
        let other = |json: &str| Some(IndexValue::Json(json.into()));
        for (json, value) in [
            ("null", None),
            ("5", Some(IndexValue::Integer(5))),
            ("-0", Some(IndexValue::Real(-0.0))),
            ("1.50", Some(IndexValue::Real(1.5))),
            ("12345678901234567890", Some(IndexValue::Real(12345678901234567890.0))),
            ("1e400", other("1e400")),
            ("true", other("true")),
            (r#""5""#, text("5")),
            (r#""a\u0000\"b""#, text("a\0\"b")),
            ("[1, 2]", other("[1, 2]")),
        ] {
            assert_eq!(IndexValue::of(json), value, "{json}");
        }
        assert_eq!(cut(&"\u{1f600}".repeat(40)).len(), 120);
        assert_eq!(cut(&format!("x{}", "\u{1f600}".repeat(40))).len(), 117);
    }
}
