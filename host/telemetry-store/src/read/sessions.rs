//! Sessions and what happened in them.

use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};
use telemetry_model::Timestamp;
use telemetry_model::query::Window;

use super::Snapshot;
use super::select::Select;
use crate::error::StoreError;

/// By what sessions are ordered; equal ones by their number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionOrder {
    /// The first event's time.
    #[default]
    Start,
    /// The last event's time.
    End,
    /// From the first event to the last.
    Duration,
    /// How many events.
    Events,
}

/// Whether a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// It does.
    Active,
    /// It was stopped, or has been silent for long enough.
    Completed,
}

/// Which sessions. What is `None` is not asked.
#[derive(Clone, Debug)]
pub struct SessionQuery {
    /// Of this agent.
    pub agent_id: Option<String>,
    /// By their start.
    pub window: Window,
    /// Active or completed.
    pub state: Option<SessionState>,
    /// A session whose last event is before this is completed.
    pub silent_since: Timestamp,
    /// At least so long, nanoseconds.
    pub min_duration: Option<i64>,
    /// At most so long, nanoseconds.
    pub max_duration: Option<i64>,
    /// The order.
    pub order: SessionOrder,
    /// From the least instead of from the greatest.
    pub ascending: bool,
    /// At most so many.
    pub limit: u32,
    /// Without the first so many.
    pub offset: u64,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Its id.
    pub session_id: String,
    /// The agent of its earliest event.
    pub agent_id: String,
    /// The first event's time.
    pub start_time: Timestamp,
    /// The last event's time.
    pub end_time: Timestamp,
    /// Whether it goes on.
    pub state: SessionState,
    /// Its events.
    pub events: i64,
    /// Its model calls.
    pub calls: i64,
    /// Its tool executions.
    pub executions: i64,
    /// Its events of level ERROR or CRITICAL, or whose name ends in `.error`.
    pub errors: i64,
}

/// A page of sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionPage {
    /// In the order asked.
    pub sessions: Vec<SessionRow>,
    /// How many there are on all pages.
    pub total: i64,
}

impl Snapshot {
    /// The sessions of `query`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn sessions(&self, query: &SessionQuery) -> Result<SessionPage, StoreError> {
        let found = self.read("read sessions", |connection| {
            let mut count = Select::new("select count(*) from session_rows r");
            conditions(&mut count, query);
            let total = connection.prepare(&count.sql)?.query_row(params_from_iter(&count.values), |row| row.get(0))?;
            let select = select_sessions(query);
            let mut statement = connection.prepare(&select.sql)?;
            let mut rows = statement.query(params_from_iter(&select.values))?;
            let sessions = self.meter().collect(&mut rows, |row| session(connection, row, query.silent_since))?;
            Ok(sessions.map(|sessions| SessionPage { sessions, total }))
        })?;
        self.metered(found)
    }
}

pub(super) fn select_sessions(query: &SessionQuery) -> Select {
    let mut select = Select::new(
        "select r.session, i.text, a.text, r.start_time, r.end_time, r.event_count, r.stopped_at
         from session_rows r join strings i on i.id = r.session join strings a on a.id = r.agent",
    );
    conditions(&mut select, query);
    select.end(match (query.order, query.ascending) {
        (SessionOrder::Start, true) => " order by r.start_time, r.session",
        (SessionOrder::Start, false) => " order by r.start_time desc, r.session desc",
        (SessionOrder::End, true) => " order by r.end_time, r.session",
        (SessionOrder::End, false) => " order by r.end_time desc, r.session desc",
        (SessionOrder::Duration, true) => " order by r.end_time - r.start_time, r.session",
        (SessionOrder::Duration, false) => " order by r.end_time - r.start_time desc, r.session desc",
        (SessionOrder::Events, true) => " order by r.event_count, r.session",
        (SessionOrder::Events, false) => " order by r.event_count desc, r.session desc",
    });
    select.page(query.limit, query.offset);
    select
}

fn conditions(select: &mut Select, query: &SessionQuery) {
    select.when("r.agent = (select id from strings where text = ?)", query.agent_id.clone().map(Value::Text));
    select.when("r.start_time >= ?", query.window.from.map(|from| Value::Integer(from.0)));
    select.when("r.start_time < ?", query.window.to.map(|to| Value::Integer(to.0)));
    let silent_since = Value::Integer(query.silent_since.0);
    match query.state {
        Some(SessionState::Completed) => select.also("(r.stopped_at is not null or r.end_time < ?)", [silent_since]),
        Some(SessionState::Active) => select.also("r.stopped_at is null and r.end_time >= ?", [silent_since]),
        None => {}
    }
    select.when("r.end_time - r.start_time >= ?", query.min_duration.map(Value::Integer));
    select.when("r.end_time - r.start_time <= ?", query.max_duration.map(Value::Integer));
}

pub(super) const CALLS: &str = "select count(*) from llm_call_rows c where c.session = ?1";
pub(super) const EXECUTIONS: &str = "select count(*) from tool_execution_rows x where x.session = ?1";
pub(super) const ERRORS: &str = "select count(*) from event_rows e where e.session = ?1 and e.is_error is not null";

fn session(connection: &rusqlite::Connection, row: &Row<'_>, silent_since: Timestamp) -> rusqlite::Result<SessionRow> {
    let id: i64 = row.get(0)?;
    let count = |sql: &str| connection.prepare_cached(sql)?.query_row([id], |row| row.get(0));
    let end_time = Timestamp(row.get(4)?);
    let stopped_at: Option<i64> = row.get(6)?;
    Ok(SessionRow {
        session_id: row.get(1)?,
        agent_id: row.get(2)?,
        start_time: Timestamp(row.get(3)?),
        end_time,
        state: if stopped_at.is_some() || end_time < silent_since { SessionState::Completed } else { SessionState::Active },
        events: row.get(5)?,
        calls: count(CALLS)?,
        executions: count(EXECUTIONS)?,
        errors: count(ERRORS)?,
    })
}
