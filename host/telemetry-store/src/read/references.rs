//! What a row of a relation is known by.

use rusqlite::OptionalExtension;
use serde::{Serialize, Serializer};
use telemetry_model::{Relation, Timestamp};

use super::Snapshot;
use crate::error::StoreError;

/// A row of a relation, so that a person finds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowReference {
    /// Whose row it is.
    #[serde(serialize_with = "relation_name")]
    pub relation: Relation,
    /// Its number in the relation; a string in JSON.
    #[serde(serialize_with = "super::events::as_text")]
    pub id: i64,
    /// The first event of a call, execution or alert, the event itself; a string in JSON.
    #[serde(serialize_with = "optional_text")]
    pub event_id: Option<i64>,
    /// Of a session, call or execution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The row's own time.
    pub time: Option<Timestamp>,
}

fn relation_name<S: Serializer>(relation: &Relation, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(relation.as_str())
}

fn optional_text<S: Serializer>(id: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => super::events::as_text(id, serializer),
        None => serializer.serialize_none(),
    }
}

impl Snapshot {
    /// What the row `id` of `relation` is known by; of one that is not there, its number.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn row_reference(&self, relation: Relation, id: i64) -> Result<RowReference, StoreError> {
        let sql = match relation {
            Relation::Events => {
                "select r.timestamp, r.id, (select s.text from strings s where s.id = r.session) from event_rows r where r.id = ?1"
            }
            Relation::LlmCalls => {
                "select r.start_time, r.event_id, (select s.text from strings s where s.id = r.session) from llm_call_rows r where r.id = ?1"
            }
            Relation::ToolExecutions => {
                "select r.start_time, r.event_id, (select s.text from strings s where s.id = r.session) from tool_execution_rows r
                 where r.id = ?1"
            }
            Relation::Sessions => {
                "select r.start_time, null, (select s.text from strings s where s.id = r.session) from session_rows r where r.rowid = ?1"
            }
            Relation::SecurityAlerts => "select r.timestamp, r.event_id, null from security_alert_rows r where r.rowid = ?1",
        };
        self.read("read what a row is known by", |connection| {
            let read = |row: &rusqlite::Row<'_>| Ok((Timestamp(row.get(0)?), row.get(1)?, row.get(2)?));
            let found = connection.prepare_cached(sql)?.query_row([id], read).optional()?;
            let (time, event_id, session_id) = found.map_or((None, None, None), |(time, event, session)| (Some(time), event, session));
            Ok(RowReference { relation, id, event_id, session_id, time })
        })
    }

    /// The numbers of the last `limit` rows of `relation`, rising.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn last_rows(&self, relation: Relation, limit: u32) -> Result<Vec<i64>, StoreError> {
        let sql = match relation {
            Relation::Events => "select id from event_rows order by id desc limit ?1",
            Relation::LlmCalls => "select id from llm_call_rows order by id desc limit ?1",
            Relation::ToolExecutions => "select id from tool_execution_rows order by id desc limit ?1",
            Relation::Sessions => "select rowid from session_rows order by rowid desc limit ?1",
            Relation::SecurityAlerts => "select rowid from security_alert_rows order by rowid desc limit ?1",
        };
        let mut ids: Vec<i64> = self.read("read the last rows of a relation", |connection| {
            connection.prepare_cached(sql)?.query_map([limit], |row| row.get(0))?.collect()
        })?;
        ids.reverse();
        Ok(ids)
    }

    /// The first and the last number of a row of `relation`; `None` when there is no row.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn row_range(&self, relation: Relation) -> Result<Option<(i64, i64)>, StoreError> {
        let sql = match relation {
            Relation::Events => "select min(id), max(id) from event_rows",
            Relation::LlmCalls => "select min(id), max(id) from llm_call_rows",
            Relation::ToolExecutions => "select min(id), max(id) from tool_execution_rows",
            Relation::Sessions => "select min(rowid), max(rowid) from session_rows",
            Relation::SecurityAlerts => "select min(rowid), max(rowid) from security_alert_rows",
        };
        self.read("read the range of a relation", |connection| {
            let (first, last): (Option<i64>, Option<i64>) =
                connection.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(first.zip(last))
        })
    }
}
