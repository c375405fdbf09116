//! What waits for enrichers over rows, what they said, and the jobs that run plugins over what is stored.

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use telemetry_model::query::Window;
use telemetry_model::{Relation, Timestamp};

use super::Snapshot;
use super::documents::{Documents, EventDocuments};
use super::events::{AttributeMap, StoredEvent, json};
use super::provenance::{Provenance, provenance};
use super::references::RowReference;
use crate::error::StoreError;

/// A row that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuedRow {
    /// `llm_calls.id` or `tool_executions.id`.
    pub row: i64,
    /// What it is now.
    pub generation: i64,
}

/// The call or execution that an event is a part of, and what enrichers said of it.
#[derive(Clone, Debug, Serialize)]
pub struct EventRow {
    /// `llm_calls` or `tool_executions`.
    #[serde(serialize_with = "relation_name")]
    pub relation: Relation,
    /// Its number; a string in JSON.
    #[serde(serialize_with = "super::events::as_text")]
    pub id: i64,
    /// What enrichers over rows wrote.
    pub derived: AttributeMap,
    /// Whether they are yet to see it, or its latest change.
    #[serde(skip)]
    pub pending: bool,
    /// Which ran and wrote what.
    #[serde(skip)]
    pub provenance: Provenance,
}

/// A job as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredJob {
    /// Its number.
    pub id: i64,
    /// The plugin that is run.
    pub plugin_id: String,
    /// `backfill`.
    pub kind: String,
    /// Over what.
    pub relation: Relation,
    /// The rows' own time: from here on.
    pub from: Option<Timestamp>,
    /// The rows' own time: before this.
    pub to: Option<Timestamp>,
    /// Rows there were in the window at the start.
    pub total: i64,
    /// Rows that the plugin was run over.
    pub done: i64,
    /// Rows that have other values than before.
    pub changed: i64,
    /// Rows on which it had not run well before.
    pub apart: i64,
    /// Rows on which it failed now.
    pub failed: i64,
    /// Rows on which this very version had run well before and that have other values now.
    pub unequal: i64,
    /// `running`, `done`, `cancelled` or `failed`.
    pub state: String,
    /// Why it failed.
    pub reason: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
    last_row: i64,
    cursor: Option<(i64, i64)>,
}

fn relation_name<S: serde::Serializer>(relation: &Relation, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(relation.as_str())
}

impl Snapshot {
    /// The first rows of `relation` that wait, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn queued_rows(&self, relation: Relation, limit: u32) -> Result<Vec<QueuedRow>, StoreError> {
        self.read("read the queue of rows", |connection| {
            let sql = "select row, generation from row_queue where relation = ?1 order by row limit ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![crate::writer::queue_number(relation), limit], |row| {
                Ok(QueuedRow { row: row.get(0)?, generation: row.get(1)? })
            })?;
            rows.collect()
        })
    }

    /// How many calls and executions wait.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn pending_rows(&self) -> Result<i64, StoreError> {
        self.read("count the queue of rows", |connection| {
            connection.prepare_cached("select count(*) from row_queue")?.query_row([], |row| row.get(0))
        })
    }

    /// The call or execution that `event` is a part of.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn row_of(&self, event: &StoredEvent) -> Result<Option<EventRow>, StoreError> {
        let relation = match telemetry_model::Family::of(&event.name) {
            telemetry_model::Family::Llm => Relation::LlmCalls,
            telemetry_model::Family::Tool => Relation::ToolExecutions,
            _ => return Ok(None),
        };
        self.read("read an event's call or execution", |connection| {
            let (paired, alone) = row_statements(relation);
            let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, Option<i64>>(2)?));
            let mut found = None;
            if let (Some(trace), Some(span)) = (&event.trace_id, &event.span_id) {
                found = connection.prepare_cached(paired)?.query_row([trace, span], read).optional()?;
            }
            if found.is_none() {
                found = connection.prepare_cached(alone)?.query_row([event.id], read).optional()?;
            }
            let Some((id, derived, runs)) = found else { return Ok(None) };
            let stored = EventDocuments { attributes: "[]", context: None, derived: derived.as_deref() };
            let all = Documents::new(connection).all(stored)?;
            let writers: Vec<_> = all.iter().filter_map(|attribute| Some((attribute.key.to_string(), attribute.plugin?))).collect();
            let provenance = provenance(connection, runs, &writers)?;
            let pending = "select exists (select 1 from row_queue where relation = ?1 and row = ?2)";
            let queued = params![crate::writer::queue_number(relation), id];
            let pending = connection.prepare_cached(pending)?.query_row(queued, |row| row.get(0))?;
            let derived = AttributeMap(all.iter().map(|attribute| (attribute.key.to_string(), json(&attribute.json))).collect());
            Ok(Some(EventRow { relation, id, derived, pending, provenance }))
        })
    }

    /// The jobs of a plugin, the latest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn jobs(&self, plugin_id: &str) -> Result<Vec<StoredJob>, StoreError> {
        self.read("read jobs", |connection| {
            let mut statement = connection.prepare_cached(&job_sql("plugin_id = ?1 order by id desc limit 100"))?;
            statement.query_map([plugin_id], job)?.collect()
        })
    }

    /// The rows of a job on which its plugin had not run well before, those it had failed on first: how it had fared, `None` when it had
    /// not run. At most 1,000 of each sort are known.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn job_apart(&self, job: &StoredJob) -> Result<Vec<(RowReference, Option<String>)>, StoreError> {
        let rows = self.read("read the rows of a job that stand apart", |connection| {
            let sql = "select row, outcome from job_rows where job = ? order by outcome is null, row";
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_map([job.id], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        rows.into_iter().map(|(row, outcome)| Ok((self.row_reference(job.relation, row)?, outcome))).collect()
    }

    /// The first job that runs.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn running_job(&self) -> Result<Option<StoredJob>, StoreError> {
        self.read("read the running job", |connection| {
            connection.prepare_cached(&job_sql("state = 'running' order by id limit 1"))?.query_row([], job).optional()
        })
    }

    /// The next rows of a job by their time, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn job_rows(&self, job: &StoredJob, limit: u32) -> Result<Vec<(Timestamp, i64)>, StoreError> {
        let after = job.cursor.map(|(time, row)| (Timestamp(time), row));
        self.window_rows(job.relation, Window { from: job.from, to: job.to }, after, job.last_row, limit)
    }

    /// Rows of events, calls or executions by time and id, behind `after` and at most `limit`: those in `window` with ids up to `last`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn window_rows(
        &self,
        relation: Relation,
        window: Window,
        after: Option<(Timestamp, i64)>,
        last: i64,
        limit: u32,
    ) -> Result<Vec<(Timestamp, i64)>, StoreError> {
        self.read("read rows by their time", |connection| {
            let sql = match relation {
                Relation::LlmCalls => {
                    "select start_time, id from llm_call_rows where start_time >= ?1 and start_time < ?2 and (start_time > ?1 or id > ?3)
                         and id <= ?4 order by start_time, id limit ?5"
                }
                Relation::ToolExecutions => {
                    "select start_time, id from tool_execution_rows where start_time >= ?1 and start_time < ?2
                         and (start_time > ?1 or id > ?3) and id <= ?4 order by start_time, id limit ?5"
                }
                _ => {
                    "select timestamp, id from event_rows where timestamp >= ?1 and timestamp < ?2 and (timestamp > ?1 or id > ?3)
                         and id <= ?4 order by timestamp, id limit ?5"
                }
            };
            let (time, row) = after.map_or((window.from.map_or(i64::MIN, |from| from.0), 0), |(time, row)| (time.0, row));
            let to = window.to.map_or(i64::MAX, |to| to.0);
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![time, to, row, last, limit], |row| Ok((Timestamp(row.get(0)?), row.get(1)?)))?;
            rows.collect()
        })
    }
}

fn row_statements(relation: Relation) -> (&'static str, &'static str) {
    match relation {
        Relation::LlmCalls => (
            "select id, derived, runs from llm_call_rows where trace = (select id from strings where text = ?1) and span = ?2",
            "select id, derived, runs from llm_call_rows where event_id = ?1 and span is null",
        ),
        _ => (
            "select id, derived, runs from tool_execution_rows where trace = (select id from strings where text = ?1) and span = ?2",
            "select id, derived, runs from tool_execution_rows where event_id = ?1 and span is null",
        ),
    }
}

fn job_sql(condition: &'static str) -> String {
    format!(
        "select id, plugin_id, kind, relation, from_time, to_time, total, done, changed, apart, failed, state, reason, created_at,
                updated_at, last_row, cursor_time, cursor_row, unequal
         from jobs where {condition}"
    )
}

fn job(row: &Row<'_>) -> rusqlite::Result<StoredJob> {
    let relation: String = row.get(3)?;
    let time = |column: usize| row.get::<_, Option<i64>>(column).map(|time| time.map(Timestamp));
    let cursor = match (row.get(16)?, row.get(17)?) {
        (Some(time), Some(row)) => Some((time, row)),
        _ => None,
    };
    Ok(StoredJob {
        id: row.get(0)?,
        plugin_id: row.get(1)?,
        kind: row.get(2)?,
        relation: relation.parse().unwrap_or(Relation::Events),
        from: time(4)?,
        to: time(5)?,
        total: row.get(6)?,
        done: row.get(7)?,
        changed: row.get(8)?,
        apart: row.get(9)?,
        failed: row.get(10)?,
        state: row.get(11)?,
        reason: row.get(12)?,
        created_at: Timestamp(row.get(13)?),
        updated_at: Timestamp(row.get(14)?),
        unequal: row.get(18)?,
        last_row: row.get(15)?,
        cursor,
    })
}
