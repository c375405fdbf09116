//! A database for tests of reads, filled row by row in the order and with the times that a test wants.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::types::{ToSql, Value};
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use crate::open;
use crate::settings::StoreSettings;
use crate::store::Store;

/// An open store and a second connection that writes behind its back.
pub struct Fixture {
    /// The store.
    pub store: Store,
    /// Writes.
    pub connection: Connection,
    folder: PathBuf,
}

impl Fixture {
    /// An empty database.
    pub fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("telemetry-store-read-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let settings = StoreSettings::new(folder.join("test.db"));
        let store = Store::open(settings.clone()).unwrap();
        let connection = open::writing_connection(&settings).unwrap();
        connection.execute_batch("pragma synchronous = off").unwrap();
        Fixture { store, connection, folder }
    }

    /// `strings.id` of `text`.
    pub fn string(&self, text: &str) -> i64 {
        self.once("select id from strings where text = ?1", "insert into strings (text) values (?1)", &[&text])
    }

    /// Inserts `columns` into `table`, returns the row's id.
    pub fn insert(&self, table: &str, columns: &[(&str, Value)]) -> i64 {
        let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
        let marks = vec!["?"; columns.len()].join(", ");
        let sql = format!("insert into {table} ({}) values ({marks})", names.join(", "));
        self.connection.execute(&sql, params_from_iter(columns.iter().map(|(_, value)| value))).unwrap();
        self.connection.last_insert_rowid()
    }

    /// An event with attributes as stored documents.
    pub fn event(&self, time: i64, name: &str, agent: &str, more: &[(&str, Value)], attributes: &[(&str, &str)]) -> i64 {
        let family = telemetry_model::Family::of(name).as_str();
        let kind = self.once(
            "select id from event_kinds where name = ?1",
            "insert into event_kinds (name, level, schema_version, family, is_error) values (?1, 'INFO', '1.0', ?2, 0)",
            &[&name, &family],
        );
        let documents: Vec<_> = attributes.iter().map(|(key, json)| serde_json::json!([self.string(key), json])).collect();
        let mut columns = vec![
            ("timestamp", Value::Integer(time)),
            ("received_at", Value::Integer(time)),
            ("kind", Value::Integer(kind)),
            ("agent", Value::Integer(self.string(agent))),
            ("size", Value::Integer(100)),
            ("attribute_count", Value::Integer(attributes.len() as i64)),
            ("attributes", Value::Text(serde_json::Value::from(documents).to_string())),
        ];
        columns.extend(more.iter().cloned());
        self.insert("event_rows", &columns)
    }

    /// A model call that ended, with its event.
    pub fn call(&self, time: i64, agent: &str, model: Option<&str>, tokens: Option<(i64, i64)>) -> i64 {
        let event = self.event(time, "llm.call.start", agent, &[], &[("llm.request.type", "\"chat\"")]);
        let integer = |value: Option<i64>| value.map_or(Value::Null, Value::Integer);
        let columns = [
            ("event_id", Value::Integer(event)),
            ("agent", Value::Integer(self.string(agent))),
            ("roles", Value::Integer(3)),
            ("sources", Value::Integer(0)),
            ("start_time", Value::Integer(time)),
            ("end_time", Value::Integer(time + 1_500_000)),
            ("model", integer(model.map(|model| self.string(model)))),
            ("input_tokens", integer(tokens.map(|(input, _)| input))),
            ("output_tokens", integer(tokens.map(|(_, output)| output))),
        ];
        self.insert("llm_call_rows", &columns)
    }

    /// The steps of SQLite's plan for `sql`.
    pub fn query_plan(&self, sql: &str, values: &[Value]) -> Vec<String> {
        let mut statement = self.connection.prepare(&format!("explain query plan {sql}")).unwrap();
        let steps = statement.query_map(params_from_iter(values), |row| row.get(3)).unwrap();
        steps.map(Result::unwrap).collect()
    }

    fn once(&self, find: &str, insert: &str, values: &[&dyn ToSql]) -> i64 {
        let found = self.connection.query_row(find, params![values[0]], |row| row.get(0)).optional().unwrap();
        found.unwrap_or_else(|| {
            self.connection.execute(insert, values).unwrap();
            self.connection.last_insert_rowid()
        })
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
