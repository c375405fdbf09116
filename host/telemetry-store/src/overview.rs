//! What the first look at a database shows: how much there is, and the last model calls.

use rusqlite::Row;
use serde::Serialize;
use telemetry_model::Timestamp;

use crate::error::StoreError;
use crate::indexed::{IndexProgress, index_progress};
use crate::store::Store;

/// How many rows there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Stored events.
    pub events: i64,
    /// Model calls.
    pub llm_calls: i64,
    /// Calls of tools.
    pub tool_executions: i64,
    /// Sessions.
    pub sessions: i64,
    /// Agents.
    pub agents: i64,
    /// Security alerts.
    pub security_alerts: i64,
    /// What was refused and kept.
    pub quarantine: i64,
}

/// One model call in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecentCall {
    /// When it began.
    pub start_time: Timestamp,
    /// Whose.
    pub agent_id: String,
    /// The model, when it was told.
    pub model: Option<String>,
    /// `success`, `error` or `open`.
    pub status: String,
    /// Null while open.
    pub duration_ms: Option<f64>,
    /// Null when not told.
    pub input_tokens: Option<i64>,
    /// Null when not told.
    pub output_tokens: Option<i64>,
    /// Whether enrichers are yet to see it, or its latest change.
    pub pending: bool,
}

/// The first look.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overview {
    /// How much there is.
    pub counts: Counts,
    /// The last model calls by their start, latest first.
    pub calls: Vec<RecentCall>,
    /// Calls and executions that wait for enrichers.
    pub pending_rows: i64,
    /// How far the attributes that filters seek are indexed.
    pub indexed_attributes: Vec<IndexProgress>,
}

impl Store {
    /// Counts everything and reads the last `limit` model calls, from one snapshot. Blocks.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn overview(&self, limit: u32) -> Result<Overview, StoreError> {
        let failed = |error| StoreError::sqlite("read the overview", error);
        let mut connection = self.reader()?;
        let snapshot = connection.transaction().map_err(failed)?;
        let counts = snapshot.query_row(COUNTS, [], counts).map_err(failed)?;
        let mut statement = snapshot.prepare_cached(CALLS).map_err(failed)?;
        let calls = statement.query_map([limit], call).and_then(Iterator::collect).map_err(failed)?;
        let pending_rows = snapshot.query_row("select count(*) from row_queue", [], |row| row.get(0)).map_err(failed)?;
        let indexed_attributes = index_progress(&snapshot).map_err(failed)?;
        Ok(Overview { counts, calls, pending_rows, indexed_attributes })
    }

    /// Reads one row, to see that reads work. Blocks.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn check_reads(&self) -> Result<(), StoreError> {
        let read = self.reader()?.query_row("select count(*) from (select id from event_rows order by id desc limit 1)", [], |_| Ok(()));
        read.map_err(|error| StoreError::sqlite("read the database", error))
    }
}

const COUNTS: &str = "
    select (select count(*) from event_rows) as events,
           (select count(*) from llm_call_rows) as llm_calls,
           (select count(*) from tool_execution_rows) as tool_executions,
           (select count(*) from session_rows) as sessions,
           (select count(*) from agent_rows) as agents,
           (select count(*) from security_alert_rows) as security_alerts,
           (select count(*) from quarantine) as quarantine";

const CALLS: &str = "
    select c.start_time, c.agent_id, c.model, c.status, c.duration_ms, c.input_tokens, c.output_tokens,
           exists (select 1 from row_queue q where q.relation = 1 and q.row = c.id) as pending
    from llm_calls c
    order by c.start_time desc
    limit ?";

fn counts(row: &Row<'_>) -> rusqlite::Result<Counts> {
    Ok(Counts {
        events: row.get("events")?,
        llm_calls: row.get("llm_calls")?,
        tool_executions: row.get("tool_executions")?,
        sessions: row.get("sessions")?,
        agents: row.get("agents")?,
        security_alerts: row.get("security_alerts")?,
        quarantine: row.get("quarantine")?,
    })
}

fn call(row: &Row<'_>) -> rusqlite::Result<RecentCall> {
    Ok(RecentCall {
        start_time: Timestamp(row.get("start_time")?),
        agent_id: row.get("agent_id")?,
        model: row.get("model")?,
        status: row.get("status")?,
        duration_ms: row.get("duration_ms")?,
        input_tokens: row.get("input_tokens")?,
        output_tokens: row.get("output_tokens")?,
        pending: row.get("pending")?,
    })
}
