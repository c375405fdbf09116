//! Security alerts, latest first, and how many there are of which kind.

use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};
use serde::Serialize;
use telemetry_model::query::Window;
use telemetry_model::{JsonText, Timestamp};

use super::Snapshot;
use super::events::json;
use super::select::Select;
use crate::error::StoreError;

/// Which alerts. What is `None` or empty is not asked; of several values any may match.
#[derive(Clone, Debug, Default)]
pub struct AlertQuery {
    /// By their time.
    pub window: Window,
    /// Of this agent.
    pub agent_id: Option<String>,
    /// Of this trace.
    pub trace_id: Option<String>,
    /// Of this span.
    pub span_id: Option<String>,
    /// Of one of these severities.
    pub severity: Vec<String>,
    /// Of one of these categories.
    pub category: Vec<String>,
    /// Of none of these categories.
    pub category_exclude: Vec<String>,
    /// Of one of these levels.
    pub alert_level: Vec<String>,
    /// About a call of one of these vendors.
    pub llm_vendor: Vec<String>,
    /// Whose description, sample or keywords contain this, letter case aside (ASCII).
    pub search: Option<String>,
    /// At most so many.
    pub limit: u32,
    /// Without the first so many.
    pub offset: u64,
}

/// One alert, as v1 gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlertRow {
    /// Its event's number.
    pub id: i64,
    /// When it happened.
    pub timestamp: Timestamp,
    /// As sent.
    pub schema_version: Option<String>,
    /// As sent.
    pub trace_id: Option<String>,
    /// As sent.
    pub span_id: Option<String>,
    /// As sent.
    pub parent_span_id: Option<String>,
    /// The event's name.
    pub event_name: String,
    /// The event's level.
    pub log_level: String,
    /// `suspicious`, `dangerous`, ..
    pub alert_level: Option<String>,
    /// `sensitive_data`, ..
    pub category: Option<String>,
    /// `medium`, `high`, ..
    pub severity: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Of the call it is about.
    pub llm_vendor: Option<String>,
    /// What set it off.
    pub content_sample: Option<String>,
    /// As sent.
    pub detection_time: Option<Timestamp>,
    /// A JSON array.
    pub keywords: Option<JsonText>,
    /// Its event's number.
    pub event_id: i64,
    /// Whose.
    pub agent_id: String,
    /// The session, if told.
    pub session_id: Option<String>,
    /// The model call of the same trace and span.
    pub llm_call_id: Option<i64>,
    /// The tool execution of the same trace and span.
    pub tool_execution_id: Option<i64>,
}

/// A page of alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertPage {
    /// Latest first.
    pub alerts: Vec<AlertRow>,
    /// How many there are on all pages.
    pub total: i64,
}

/// Alerts counted by one of their members, most first; `unknown` for those without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertCounts {
    /// All.
    pub total: i64,
    /// By severity.
    pub by_severity: Vec<(String, i64)>,
    /// By category.
    pub by_category: Vec<(String, i64)>,
    /// By level.
    pub by_alert_level: Vec<(String, i64)>,
    /// By vendor.
    pub by_llm_vendor: Vec<(String, i64)>,
}

impl Snapshot {
    /// The alerts of `query`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn alerts(&self, query: &AlertQuery) -> Result<AlertPage, StoreError> {
        let found = self.read("read alerts", |connection| {
            let mut count = Select::new("select count(*) from security_alert_rows r");
            conditions(&mut count, query);
            let total = connection.prepare(&count.sql)?.query_row(params_from_iter(&count.values), |row| row.get(0))?;
            let select = select_alerts(query);
            let mut statement = connection.prepare(&select.sql)?;
            let alerts = self.meter().collect(&mut statement.query(params_from_iter(&select.values))?, alert)?;
            Ok(alerts.map(|alerts| AlertPage { alerts, total }))
        })?;
        self.metered(found)
    }

    /// Counts the alerts of a window, of one agent or of all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn alert_counts(&self, window: Window, agent_id: Option<&str>) -> Result<AlertCounts, StoreError> {
        self.read("count alerts", |connection| {
            let query = AlertQuery { window, agent_id: agent_id.map(str::to_owned), ..AlertQuery::default() };
            let by = |sql: &'static str, end: &'static str| {
                let mut select = Select::new(sql);
                conditions(&mut select, &query);
                select.end(end);
                let mut statement = connection.prepare(&select.sql)?;
                let counts = statement.query_map(params_from_iter(&select.values), |row| Ok((row.get(0)?, row.get(1)?)))?;
                counts.collect::<rusqlite::Result<Vec<(String, i64)>>>()
            };
            let by_severity = by(
                "select ifnull(s.text, 'unknown'), count(*) from security_alert_rows r left join strings s on s.id = r.severity",
                " group by 1 order by 2 desc, 1",
            )?;
            Ok(AlertCounts {
                total: by_severity.iter().map(|(_, count)| count).sum(),
                by_severity,
                by_category: by(
                    "select ifnull(s.text, 'unknown'), count(*) from security_alert_rows r left join strings s on s.id = r.category",
                    " group by 1 order by 2 desc, 1",
                )?,
                by_alert_level: by(
                    "select ifnull(s.text, 'unknown'), count(*) from security_alert_rows r left join strings s on s.id = r.alert_level",
                    " group by 1 order by 2 desc, 1",
                )?,
                by_llm_vendor: by(
                    "select ifnull(s.text, 'unknown'), count(*) from security_alert_rows r left join strings s on s.id = r.llm_vendor",
                    " group by 1 order by 2 desc, 1",
                )?,
            })
        })
    }
}

fn conditions(select: &mut Select, query: &AlertQuery) {
    let text = |text: &Option<String>| text.clone().map(Value::Text);
    select.when("r.timestamp >= ?", query.window.from.map(|from| Value::Integer(from.0)));
    select.when("r.timestamp < ?", query.window.to.map(|to| Value::Integer(to.0)));
    select.when("r.agent = (select id from strings where text = ?)", text(&query.agent_id));
    select.when("r.trace = (select id from strings where text = ?)", text(&query.trace_id));
    select.when("r.span = ?", text(&query.span_id));
    select.any_of("r.severity in (select id from strings where text in (", &query.severity, "))");
    select.any_of("r.category in (select id from strings where text in (", &query.category, "))");
    select.any_of("r.alert_level in (select id from strings where text in (", &query.alert_level, "))");
    select.any_of("r.llm_vendor in (select id from strings where text in (", &query.llm_vendor, "))");
    select.any_of("ifnull(r.category, 0) not in (select id from strings where text in (", &query.category_exclude, "))");
    if let Some(search) = text(&query.search) {
        let sql = "(instr(lower(ifnull(r.description, '')), lower(?)) or instr(lower(ifnull(r.content_sample, '')), lower(?))
                    or instr(lower(ifnull(r.keywords, '')), lower(?)))";
        select.also(sql, [search.clone(), search.clone(), search]);
    }
}

pub(super) fn select_alerts(query: &AlertQuery) -> Select {
    let mut select = Select::new(
        "select r.event_id, r.timestamp, k.schema_version, t.text, r.span, e.parent_span, k.name, k.level, l.text, g.text, y.text,
                r.description, v.text, r.content_sample, r.detection_time, r.keywords, a.text, s.text,
                (select c.id from llm_call_rows c where c.trace = r.trace and c.span = r.span and c.span is not null),
                (select x.id from tool_execution_rows x where x.trace = r.trace and x.span = r.span and x.span is not null)
         from security_alert_rows r
         join event_rows e on e.id = r.event_id
         join event_kinds k on k.id = r.kind
         join strings a on a.id = r.agent
         left join strings s on s.id = r.session
         left join strings t on t.id = r.trace
         left join strings l on l.id = r.alert_level
         left join strings g on g.id = r.category
         left join strings y on y.id = r.severity
         left join strings v on v.id = r.llm_vendor",
    );
    conditions(&mut select, query);
    select.end(" order by r.timestamp desc, r.event_id desc");
    select.page(query.limit, query.offset);
    select
}

fn alert(row: &Row<'_>) -> rusqlite::Result<AlertRow> {
    let id = row.get(0)?;
    Ok(AlertRow {
        id,
        timestamp: Timestamp(row.get(1)?),
        schema_version: row.get(2)?,
        trace_id: row.get(3)?,
        span_id: row.get(4)?,
        parent_span_id: row.get(5)?,
        event_name: row.get(6)?,
        log_level: row.get(7)?,
        alert_level: row.get(8)?,
        category: row.get(9)?,
        severity: row.get(10)?,
        description: row.get(11)?,
        llm_vendor: row.get(12)?,
        content_sample: row.get(13)?,
        detection_time: row.get::<_, Option<i64>>(14)?.map(Timestamp),
        keywords: row.get_ref(15)?.as_str_or_null()?.map(json),
        event_id: id,
        agent_id: row.get(16)?,
        session_id: row.get(17)?,
        llm_call_id: row.get(18)?,
        tool_execution_id: row.get(19)?,
    })
}
