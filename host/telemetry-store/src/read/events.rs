//! Events: newest first, one by its number, those of a trace or session.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params_from_iter};
use serde::{Serialize, Serializer};
use telemetry_model::query::{Filter, Window};
use telemetry_model::{JsonText, Timestamp};

use super::Snapshot;
use super::documents::{Documents, EventDocuments, StoredAttribute};
use super::filtered::{EventScan, Places, places};
use super::select::Select;
use super::weight::Weight;
use crate::error::StoreError;

/// Which events, in which order. What is `None` is not asked.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// Of this agent.
    pub agent_id: Option<String>,
    /// Of this name.
    pub name: Option<String>,
    /// Whose name is this, or begins with it and a dot.
    pub event_type: Option<String>,
    /// Of this level, upper case.
    pub level: Option<String>,
    /// Of this trace.
    pub trace_id: Option<String>,
    /// Of this session.
    pub session_id: Option<String>,
    /// By their time.
    pub window: Window,
    /// On attributes; all must match.
    pub filters: Vec<Filter>,
    /// Those behind this one.
    pub after: Option<EventCursor>,
    /// Earliest first instead of latest first.
    pub ascending: bool,
    /// At most so many.
    pub limit: u32,
    /// Without the first so many.
    pub offset: u64,
}

/// A place in the order of events: time, then number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventCursor {
    /// `events.timestamp`.
    pub timestamp: Timestamp,
    /// `events.id`.
    pub id: i64,
}

/// Some events, and where the next ones begin.
#[derive(Clone, Debug, Default)]
pub struct EventPage {
    /// In the order asked.
    pub events: Vec<StoredEvent>,
    /// The last one's place, when there may be more behind it.
    pub next: Option<EventCursor>,
    /// How they were found, when there are filters.
    pub scan: Option<EventScan>,
}

/// One event as it is stored.
#[derive(Clone, Debug, Serialize)]
pub struct StoredEvent {
    /// Its number, in order of arrival; a string in JSON.
    #[serde(serialize_with = "as_text")]
    pub id: i64,
    /// As sent.
    pub schema_version: Option<String>,
    /// When it happened.
    pub timestamp: Timestamp,
    /// As sent.
    pub trace_id: Option<String>,
    /// As sent.
    pub span_id: Option<String>,
    /// As sent.
    pub parent_span_id: Option<String>,
    /// Its name.
    pub name: String,
    /// Upper case.
    pub level: String,
    /// `unknown-agent` when none was sent.
    pub agent_id: String,
    /// The attribute `session.id`.
    pub session_id: Option<String>,
    /// As sent.
    pub channel: Option<String>,
    /// What the client sent.
    pub attributes: AttributeMap,
    /// What plugins wrote.
    pub derived: AttributeMap,
    /// What was odd: `[{"code", "field", "message"}, ..]`.
    pub flags: JsonText,
    /// Members of the envelope beyond the known ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<JsonText>,
    /// When it came in.
    pub received_at: Timestamp,
    /// Bytes as sent.
    pub size: i64,
    /// Which plugin wrote each of `derived`: `plugin_versions.id`.
    #[serde(skip)]
    pub(crate) writers: Vec<(String, i64)>,
    /// `run_sets.id`.
    #[serde(skip)]
    pub(crate) runs: Option<i64>,
}

/// Keys and exact JSON values in order; an object in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeMap(pub Vec<(String, JsonText)>);

impl Serialize for AttributeMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// Bytes of JSON after which a page ends early, so that one answer stays bounded whatever the events hold.
const PAGE_BYTES: usize = 16 << 20;

impl Snapshot {
    /// The events of `query`.
    ///
    /// # Errors
    /// When the database cannot be read, or as [`Snapshot::within`].
    pub fn events(&self, query: &EventQuery) -> Result<EventPage, StoreError> {
        let (found, weight) = self.read("weigh events", |connection| {
            let mut found = find(connection, query)?;
            let mut weight = Weight::default();
            for (place, count) in found.places.iter().zip(1..) {
                weight.add(connection, place.id)?;
                if weight.is_a_page() {
                    found.next = Some(*place);
                    found.places.truncate(count);
                    break;
                }
            }
            Ok((found, weight))
        })?;
        self.admit(weight.peak())?;
        self.read("read events", |connection| {
            let mut page = EventPage { scan: found.scan, ..EventPage::default() };
            let mut documents = Documents::new(connection);
            let mut bytes = 0;
            for place in &found.places {
                let Some(event) = read_event(connection, &mut documents, place.id)? else { continue };
                bytes += event.bytes();
                page.events.push(event);
                page.next = Some(*place);
                if bytes >= PAGE_BYTES {
                    return Ok(page);
                }
            }
            page.next = found.next;
            Ok(page)
        })
    }

    /// The events with these numbers, in their order, each once; unknown ones are skipped. Ends early after 16 MiB.
    ///
    /// # Errors
    /// When the database cannot be read, or as [`Snapshot::within`].
    pub fn events_by_ids(&self, ids: &[i64]) -> Result<Vec<StoredEvent>, StoreError> {
        let (wanted, weight) = self.read("weigh events by number", |connection| {
            let mut wanted: Vec<i64> = Vec::new();
            let mut weight = Weight::default();
            for id in ids {
                if weight.is_a_page() {
                    break;
                }
                if !wanted.contains(id) && weight.add(connection, *id)? {
                    wanted.push(*id);
                }
            }
            Ok((wanted, weight))
        })?;
        self.admit(weight.peak())?;
        self.read("read events by number", |connection| {
            let mut documents = Documents::new(connection);
            let mut events: Vec<StoredEvent> = Vec::new();
            let mut bytes = 0;
            for id in wanted {
                if bytes >= PAGE_BYTES {
                    break;
                }
                if let Some(event) = read_event(connection, &mut documents, id)? {
                    bytes += event.bytes();
                    events.push(event);
                }
            }
            Ok(events)
        })
    }

    /// The event with this number.
    ///
    /// # Errors
    /// When the database cannot be read, or as [`Snapshot::within`].
    pub fn event(&self, id: i64) -> Result<Option<StoredEvent>, StoreError> {
        let mut weight = Weight::default();
        self.read("weigh an event", |connection| weight.add(connection, id))?;
        self.admit(weight.peak())?;
        self.read("read an event", |connection| read_event(connection, &mut Documents::new(connection), id))
    }
}

impl StoredEvent {
    fn bytes(&self) -> usize {
        let attributes = self.attributes.0.iter().chain(&self.derived.0);
        attributes.map(|(key, value)| key.len() + value.as_str().len()).sum::<usize>() + 512
    }
}

/// Which events, and where those behind them begin.
struct Found {
    places: Vec<EventCursor>,
    next: Option<EventCursor>,
    scan: Option<EventScan>,
}

fn find(connection: &rusqlite::Connection, query: &EventQuery) -> rusqlite::Result<Found> {
    if !query.filters.is_empty() {
        let Places { places, next, scan } = places(connection, query)?;
        return Ok(Found { places, next, scan: Some(scan) });
    }
    let select = select_events(query);
    let mut statement = connection.prepare(&select.sql)?;
    let places = statement.query_map(params_from_iter(&select.values), place)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let next = places.last().copied().filter(|_| places.len() >= query.limit as usize);
    Ok(Found { places, next, scan: None })
}

/// The numbers and times of the events asked for, through an index.
pub(super) fn select_events(query: &EventQuery) -> Select {
    let mut select = conditions(Select::new("select r.id, r.timestamp from event_rows r"), query);
    select.end(if query.ascending { " order by r.timestamp, r.id" } else { " order by r.timestamp desc, r.id desc" });
    select.page(query.limit, query.offset);
    select
}

/// What does not ask for attributes.
pub(super) fn conditions(mut select: Select, query: &EventQuery) -> Select {
    let text = |text: &Option<String>| text.clone().map(Value::Text);
    select.when("r.agent = (select id from strings where text = ?)", text(&query.agent_id));
    select.when("r.session = (select id from strings where text = ?)", text(&query.session_id));
    select.when("r.trace = (select id from strings where text = ?)", text(&query.trace_id));
    select.when("r.kind in (select id from event_kinds where name = ?)", text(&query.name));
    select.when("r.kind in (select id from event_kinds where level = ?)", text(&query.level));
    if let Some(event_type) = &query.event_type {
        let start = Value::Text(format!("{event_type}."));
        let sql = "r.kind in (select id from event_kinds where name = ? or substr(name, 1, length(?)) = ?)";
        select.also(sql, [Value::Text(event_type.clone()), start.clone(), start]);
    }
    select.when("r.timestamp >= ?", query.window.from.map(|from| Value::Integer(from.0)));
    select.when("r.timestamp < ?", query.window.to.map(|to| Value::Integer(to.0)));
    if let Some(after) = query.after {
        let (time, id) = (Value::Integer(after.timestamp.0), Value::Integer(after.id));
        let sql = if query.ascending {
            "r.timestamp >= ? and (r.timestamp > ? or r.id > ?)"
        } else {
            "r.timestamp <= ? and (r.timestamp < ? or r.id < ?)"
        };
        select.also(sql, [time.clone(), time, id]);
    }
    select
}

fn place(row: &Row<'_>) -> rusqlite::Result<EventCursor> {
    Ok(EventCursor { id: row.get(0)?, timestamp: Timestamp(row.get(1)?) })
}

const EVENT: &str = "
    select e.id, k.schema_version, e.timestamp, t.text, e.span, e.parent_span, k.name, k.level, a.text, s.text, k.channel,
           e.received_at, e.size, e.runs, e.flags, e.extra, e.context, e.derived, e.attributes
    from event_rows e
    join event_kinds k on k.id = e.kind
    join strings a on a.id = e.agent
    left join strings s on s.id = e.session
    left join strings t on t.id = e.trace
    where e.id = ?1";

fn read_event(connection: &rusqlite::Connection, documents: &mut Documents<'_>, id: i64) -> rusqlite::Result<Option<StoredEvent>> {
    connection.prepare_cached(EVENT)?.query_row([id], |row| event_of(row, documents)).optional()
}

fn event_of(row: &Row<'_>, documents: &mut Documents<'_>) -> rusqlite::Result<StoredEvent> {
    let stored =
        EventDocuments { attributes: row.get_ref(18)?.as_str()?, context: row.get(16)?, derived: row.get_ref(17)?.as_str_or_null()? };
    let all = documents.all(stored)?;
    let (derived, attributes): (Vec<_>, Vec<_>) = all.into_iter().partition(|attribute| attribute.plugin.is_some());
    let writers = derived.iter().filter_map(|attribute| attribute.plugin.map(|plugin| (attribute.key.to_string(), plugin))).collect();
    let extra = row.get_ref(15)?.as_str_or_null()?.map(|extra| documents.text(extra)).transpose()?;
    let flags = row.get_ref(14)?.as_str_or_null()?.map_or_else(|| json("[]"), json);
    Ok(StoredEvent {
        id: row.get(0)?,
        schema_version: row.get(1)?,
        timestamp: Timestamp(row.get(2)?),
        trace_id: row.get(3)?,
        span_id: row.get(4)?,
        parent_span_id: row.get(5)?,
        name: row.get(6)?,
        level: row.get(7)?,
        agent_id: row.get(8)?,
        session_id: row.get(9)?,
        channel: row.get(10)?,
        attributes: map(attributes),
        derived: map(derived),
        flags,
        extra: extra.as_deref().map(json),
        received_at: Timestamp(row.get(11)?),
        size: row.get(12)?,
        writers,
        runs: row.get(13)?,
    })
}

fn map(attributes: Vec<StoredAttribute>) -> AttributeMap {
    AttributeMap(attributes.into_iter().map(|attribute| (attribute.key.to_string(), json(&attribute.json))).collect())
}

/// Stored JSON; what does not read is null rather than an answer that does not.
pub(super) fn json(text: &str) -> JsonText {
    JsonText::parse(text).unwrap_or_else(|_| JsonText::null())
}

/// A number as a string, as v1 gives ids.
pub(super) fn as_text<S: Serializer>(id: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}
