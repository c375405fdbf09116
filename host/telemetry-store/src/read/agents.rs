//! Agents and what they did in a window.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params_from_iter};
use telemetry_model::query::Window;
use telemetry_model::{JsonText, Timestamp};

use super::Snapshot;
use super::events::json;
use super::select::Select;
use crate::error::StoreError;

/// By what agents are ordered; equal ones by their id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AgentOrder {
    /// The first event's time.
    #[default]
    FirstSeen,
    /// The last event's time.
    LastSeen,
    /// The id.
    Id,
}

/// Which agents. What is `None` is not asked.
#[derive(Clone, Debug, Default)]
pub struct AgentQuery {
    /// Seen in this window; what is counted falls into it too.
    pub window: Window,
    /// First seen at or after.
    pub first_seen_from: Option<Timestamp>,
    /// Last seen at or after.
    pub last_seen_from: Option<Timestamp>,
    /// Last seen before.
    pub last_seen_to: Option<Timestamp>,
    /// The order.
    pub order: AgentOrder,
    /// From the least instead of from the greatest.
    pub ascending: bool,
    /// At most so many.
    pub limit: u32,
    /// Without the first so many.
    pub offset: u64,
}

/// One agent.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentRow {
    /// Its id.
    pub agent_id: String,
    /// The time of its first event.
    pub first_seen: Timestamp,
    /// The time of its last event.
    pub last_seen: Timestamp,
    /// What it did.
    pub activity: Activity,
}

/// What an agent did in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Activity {
    /// Model calls begun.
    pub calls: i64,
    /// Those of them whose tokens nobody told.
    pub calls_without_tokens: i64,
    /// The sum of the totals told, input plus output where no total was; `None` when there are calls and none told any, or when the
    /// sum does not fit 64 bits.
    pub tokens: Option<i64>,
    /// Mean duration of the calls that have one, milliseconds; `None` when none has.
    pub mean_duration_ms: Option<f64>,
    /// Tool executions begun.
    pub executions: i64,
    /// Events of level ERROR or CRITICAL, or whose name ends in `.error`.
    pub errors: i64,
    /// Security alerts.
    pub alerts: i64,
    /// Security alerts of category `sensitive_data`.
    pub policy_violations: i64,
}

/// A page of agents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentPage {
    /// In the order asked.
    pub agents: Vec<AgentRow>,
    /// How many there are on all pages.
    pub total: i64,
}

impl Snapshot {
    /// The agents of `query`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn agents(&self, query: &AgentQuery) -> Result<AgentPage, StoreError> {
        let found = self.read("read agents", |connection| {
            let mut count = Select::new("select count(*) from agent_rows r");
            conditions(&mut count, query);
            let total = connection.prepare(&count.sql)?.query_row(params_from_iter(&count.values), |row| row.get(0))?;
            let mut select =
                Select::new("select r.agent, s.text, r.first_seen, r.last_seen from agent_rows r join strings s on s.id = r.agent");
            conditions(&mut select, query);
            select.end(match (query.order, query.ascending) {
                (AgentOrder::FirstSeen, true) => " order by r.first_seen, s.text",
                (AgentOrder::FirstSeen, false) => " order by r.first_seen desc, s.text",
                (AgentOrder::LastSeen, true) => " order by r.last_seen, s.text",
                (AgentOrder::LastSeen, false) => " order by r.last_seen desc, s.text",
                (AgentOrder::Id, true) => " order by s.text",
                (AgentOrder::Id, false) => " order by s.text desc",
            });
            select.page(query.limit, query.offset);
            let mut statement = connection.prepare(&select.sql)?;
            let mut rows = statement.query(params_from_iter(&select.values))?;
            let agents = self.meter().collect(&mut rows, |row| agent(connection, row, query.window))?;
            Ok(agents.map(|agents| AgentPage { agents, total }))
        })?;
        self.metered(found)
    }

    /// The agent of this id, with all it did in `window`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn agent(&self, agent_id: &str, window: Window) -> Result<Option<AgentRow>, StoreError> {
        self.read("read an agent", |connection| {
            let sql =
                "select r.agent, s.text, r.first_seen, r.last_seen from agent_rows r join strings s on s.id = r.agent where s.text = ?1";
            connection.prepare_cached(sql)?.query_row([agent_id], |row| agent(connection, row, window)).optional()
        })
    }

    /// What an agent's latest events say of its environment: a JSON object of `env.*`, `host.name` and `os.*`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn agent_environment(&self, agent_id: &str) -> Result<Option<JsonText>, StoreError> {
        self.read("read an agent's environment", |connection| {
            let sql = "select environment from agents where id = ?1";
            let text: Option<Option<String>> = connection.prepare_cached(sql)?.query_row([agent_id], |row| row.get(0)).optional()?;
            Ok(text.flatten().as_deref().map(json))
        })
    }
}

fn conditions(select: &mut Select, query: &AgentQuery) {
    let time = |time: Option<Timestamp>| time.map(|time| Value::Integer(time.0));
    select.when("r.last_seen >= ?", time(query.window.from));
    select.when("r.first_seen < ?", time(query.window.to));
    select.when("r.first_seen >= ?", time(query.first_seen_from));
    select.when("r.last_seen >= ?", time(query.last_seen_from));
    select.when("r.last_seen < ?", time(query.last_seen_to));
}

fn agent(connection: &rusqlite::Connection, row: &Row<'_>, window: Window) -> rusqlite::Result<AgentRow> {
    let id: i64 = row.get(0)?;
    Ok(AgentRow {
        agent_id: row.get(1)?,
        first_seen: Timestamp(row.get(2)?),
        last_seen: Timestamp(row.get(3)?),
        activity: activity(connection, id, window)?,
    })
}

pub(super) const CALLS: &str = "
    select count(*), count(*) - count(t.tokens), sum(t.tokens >> 32), sum(t.tokens & 4294967295), avg(t.duration)
    from (select coalesce(c.total_tokens, case when c.input_tokens < 4611686018427387904 and c.output_tokens < 4611686018427387904
                                               then c.input_tokens + c.output_tokens end) as tokens,
                 coalesce(c.duration_ms, case when c.roles & 1 and c.end_time >= c.start_time
                                              then (c.end_time - c.start_time) / 1e6 end) as duration
          from llm_call_rows c where c.agent = ?1 and c.start_time >= ?2 and c.start_time < ?3) t";
pub(super) const EXECUTIONS: &str =
    "select count(*) from tool_execution_rows x where x.agent = ?1 and x.start_time >= ?2 and x.start_time < ?3";
pub(super) const ERRORS: &str = "select count(*) from event_rows e
    where e.agent = ?1 and e.timestamp >= ?2 and e.timestamp < ?3 and e.is_error is not null";
pub(super) const ALERTS: &str = "select count(*), count(case when s.text = 'sensitive_data' then 1 end)
    from security_alert_rows r left join strings s on s.id = r.category
    where r.agent = ?1 and r.timestamp >= ?2 and r.timestamp < ?3";

/// SQLite's own sum fails beyond 64 bits: the upper and the lower halves are summed apart.
fn sum(upper: Option<i64>, lower: Option<i64>) -> Option<i64> {
    i64::try_from((i128::from(upper?) << 32) + i128::from(lower?)).ok()
}

fn activity(connection: &rusqlite::Connection, agent: i64, window: Window) -> rusqlite::Result<Activity> {
    // The last nanosecond of 2262 has no moment after it; nothing happens then.
    let bounds = (agent, window.from.map_or(i64::MIN, |from| from.0), window.to.map_or(i64::MAX, |to| to.0));
    let mut activity = connection.prepare_cached(CALLS)?.query_row(bounds, |row| {
        let calls = row.get(0)?;
        Ok(Activity {
            calls,
            calls_without_tokens: row.get(1)?,
            tokens: if calls == 0 { Some(0) } else { sum(row.get(2)?, row.get(3)?) },
            mean_duration_ms: row.get(4)?,
            ..Activity::default()
        })
    })?;
    activity.executions = connection.prepare_cached(EXECUTIONS)?.query_row(bounds, |row| row.get(0))?;
    activity.errors = connection.prepare_cached(ERRORS)?.query_row(bounds, |row| row.get(0))?;
    let alerts = connection.prepare_cached(ALERTS)?.query_row(bounds, |row| Ok((row.get(0)?, row.get(1)?)))?;
    (activity.alerts, activity.policy_violations) = alerts;
    Ok(activity)
}
