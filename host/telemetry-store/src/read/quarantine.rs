//! What was refused, latest first.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use serde::Serialize;
use telemetry_model::{JsonText, Timestamp};

use super::Snapshot;
use super::events::{as_text, json};
use super::select::Select;
use crate::error::StoreError;
use crate::store::Store;

/// One refused body without the body itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuarantineItem {
    /// Its number, in order of arrival; a string in JSON.
    #[serde(serialize_with = "as_text")]
    pub id: i64,
    /// When it came in.
    pub received_at: Timestamp,
    /// The peer's address.
    pub source: String,
    /// The event's name, when it has one.
    pub name: Option<String>,
    /// The event's agent, when it has one.
    pub agent_id: Option<String>,
    /// `[{"code", "field", "message", "plugin"}, ..]`.
    pub reasons: JsonText,
    /// `json` (whole, can be retried), `text` (does not decode), `digest` (not text, or too large: only digest and size are kept).
    pub body_kind: String,
    /// The keyed digest of what was received, where that is not kept whole; hex.
    pub digest: Option<String>,
    /// Bytes received.
    pub size: i64,
}

/// One refused body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuarantinedEvent {
    /// What is known of it.
    #[serde(flatten)]
    pub item: QuarantineItem,
    /// What was sent: JSON, or a string for text that does not decode; null where it is not kept.
    pub body: Option<JsonText>,
}

/// A page of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QuarantinePage {
    /// Latest first.
    pub items: Vec<QuarantineItem>,
    /// How many there are in all.
    pub total: i64,
}

/// Which entries to read; what is `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuarantineQuery {
    /// The code of one of its reasons.
    pub reason: Option<String>,
    /// The event's agent.
    pub agent_id: Option<String>,
    /// Received then or later.
    pub from: Option<Timestamp>,
    /// Received before.
    pub to: Option<Timestamp>,
    /// Entries at most.
    pub limit: u32,
    /// Entries to pass over.
    pub offset: u64,
}

impl Store {
    /// Entries that `query` describes, latest first. Blocks.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn quarantine(&self, query: &QuarantineQuery) -> Result<QuarantinePage, StoreError> {
        self.snapshot()?.quarantine(query)
    }

    /// One entry with its body. Blocks.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn quarantine_entry(&self, id: i64) -> Result<Option<QuarantinedEvent>, StoreError> {
        self.snapshot()?.quarantine_entry(id)
    }
}

impl Snapshot {
    /// Entries that `query` describes, latest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn quarantine(&self, query: &QuarantineQuery) -> Result<QuarantinePage, StoreError> {
        let found = self.read("read the quarantine", |connection| {
            let (count, list) = (count_quarantine(query), select_quarantine(query));
            let total = connection.prepare_cached(&count.sql)?.query_row(params_from_iter(count.values), |row| row.get(0))?;
            let mut statement = connection.prepare_cached(&list.sql)?;
            let items = self.meter().collect(&mut statement.query(params_from_iter(list.values))?, item)?;
            Ok(items.map(|items| QuarantinePage { items, total }))
        })?;
        self.metered(found)
    }

    /// One entry with its body.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn quarantine_entry(&self, id: i64) -> Result<Option<QuarantinedEvent>, StoreError> {
        self.admit(self.read("weigh a quarantined event", |connection| entry_bytes(connection, id))?)?;
        self.read("read a quarantined event", |connection| {
            let mut statement = connection.prepare_cached(
                "select id, received_at, source, name, agent_id, reasons, body_kind, digest, size, body from quarantine where id = ?1",
            )?;
            let entry = statement.query_row([id], |row| {
                let item = item(row)?;
                let body = row.get_ref(9)?.as_str_or_null()?;
                let body = body.map(|body| if item.body_kind == "json" { json(body) } else { JsonText::string(body) });
                Ok(QuarantinedEvent { item, body })
            });
            entry.optional()
        })
    }
}

/// A page of `query`, latest first.
pub(super) fn select_quarantine(query: &QuarantineQuery) -> Select {
    let mut select =
        Select::new("select r.id, r.received_at, r.source, r.name, r.agent_id, r.reasons, r.body_kind, r.digest, r.size from quarantine r");
    choose(&mut select, query);
    select.end(" order by r.received_at desc, r.id desc");
    select.page(query.limit, query.offset);
    select
}

/// How many there are on all pages.
pub(super) fn count_quarantine(query: &QuarantineQuery) -> Select {
    let mut select = Select::new("select count(*) from quarantine r");
    choose(&mut select, query);
    select
}

fn choose(select: &mut Select, query: &QuarantineQuery) {
    let (text, time) =
        (|text: &Option<String>| text.clone().map(Value::Text), |time: Option<Timestamp>| time.map(|time| Value::Integer(time.0)));
    select.when("r.received_at >= ?", time(query.from));
    select.when("r.received_at < ?", time(query.to));
    select.when("r.agent_id = ?", text(&query.agent_id));
    select.when("exists (select 1 from json_each(r.reasons) j where j.value ->> 'code' = ?)", text(&query.reason));
}

/// Memory that an entry takes until it is a JSON answer: JSON as a column, read, kept and written; text may also be escaped.
fn entry_bytes(connection: &Connection, id: i64) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached(
        "select (ifnull(octet_length(body), 0) + octet_length(reasons)) * case body_kind when 'json' then 4 else 10 end
         from quarantine where id = ?1",
    )?;
    Ok(statement.query_row([id], |row| row.get::<_, i64>(0)).optional()?.unwrap_or(0).unsigned_abs())
}

fn item(row: &Row<'_>) -> rusqlite::Result<QuarantineItem> {
    Ok(QuarantineItem {
        id: row.get(0)?,
        received_at: Timestamp(row.get(1)?),
        source: row.get(2)?,
        name: row.get(3)?,
        agent_id: row.get(4)?,
        reasons: json(row.get_ref(5)?.as_str()?),
        body_kind: row.get(6)?,
        digest: row.get(7)?,
        size: row.get(8)?,
    })
}
