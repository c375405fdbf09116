//! Events whose attributes pass filters: sought in the index of one of them, else a bounded part of the window is read.

use rusqlite::{Connection, params_from_iter};
use serde::Serialize;
use telemetry_model::Field;
use telemetry_model::Timestamp;
use telemetry_model::query::Window;

use super::compare::passes;
use super::documents::{Documents, EventDocuments, WantedKey};
use super::events::{EventCursor, EventQuery, conditions};
use super::seeks::{Seek, seeks};
use super::select::Select;

/// Events of one page of which documents are read at most.
const MOST_READ: u64 = 20_000;

/// How a filtered page was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EventScan {
    /// The attribute whose index was sought.
    pub sought: Option<String>,
    /// Attributes whose filters had to be scanned for: they have no index, or it is not filled yet.
    pub unindexed: Vec<String>,
    /// Events that were looked at.
    pub scanned: u64,
    /// The page ended before it was full, because so many events were looked at: the next one goes on.
    pub ended_early: bool,
}

/// The places of a page.
#[derive(Debug, Default)]
pub struct Places {
    pub places: Vec<EventCursor>,
    /// Where the next page begins.
    pub next: Option<EventCursor>,
    pub scan: EventScan,
}

/// Places of the events of `query`, which has filters.
pub fn places(connection: &Connection, query: &EventQuery) -> rusqlite::Result<Places> {
    let (found, unindexed) = seeks(connection, &query.filters)?;
    let seek = choose(connection, query, found)?;
    let unanswered: Vec<_> = query
        .filters
        .iter()
        .enumerate()
        .filter(|(place, _)| !seek.as_ref().is_some_and(|seek| seek.exact && seek.filter == *place))
        .filter_map(|(_, filter)| match &filter.field {
            Field::Attribute(key) => Some((key, filter)),
            Field::Fixed(..) => None,
        })
        .collect();
    let keys = unanswered.iter().map(|(key, _)| WantedKey::find(connection, key)).collect::<rusqlite::Result<Vec<_>>>()?;
    let names = |field: &Field| match field {
        Field::Attribute(key) => key.to_string(),
        Field::Fixed(..) => field.to_string(),
    };
    let mut page = Places::default();
    page.scan.sought = seek.as_ref().map(|seek| seek.key.to_string());
    page.scan.unindexed = unindexed.iter().map(names).collect();
    let select = select_filtered(query, seek);
    let mut statement = connection.prepare(&select.sql)?;
    let mut document = connection.prepare_cached("select attributes, context, derived from event_rows where id = ?1")?;
    let mut documents = Documents::new(connection);
    let mut rows = statement.query(params_from_iter(&select.values))?;
    let mut skipped = 0;
    while let Some(row) = rows.next()? {
        let place = EventCursor { id: row.get(0)?, timestamp: Timestamp(row.get(1)?) };
        if page.scan.scanned >= MOST_READ {
            page.scan.ended_early = true;
            return Ok(page);
        }
        page.scan.scanned += 1;
        page.next = Some(place);
        if !keys.is_empty() {
            let mut found = vec![None; keys.len()];
            document.query_row([place.id], |row| {
                let event = EventDocuments {
                    attributes: row.get_ref(0)?.as_str()?,
                    context: row.get(1)?,
                    derived: row.get_ref(2)?.as_str_or_null()?,
                };
                documents.find(event, &keys, &mut found)
            })?;
            let all = unanswered.iter().zip(&found).all(|((_, filter), json)| json.as_ref().is_some_and(|json| passes(json, filter)));
            if !all {
                continue;
            }
        }
        if skipped < query.offset {
            skipped += 1;
            continue;
        }
        page.places.push(place);
        if page.places.len() >= query.limit as usize {
            return Ok(page);
        }
    }
    page.next = None;
    Ok(page)
}

/// An index that gives events in order before one that does not, and none beside a trace or a session, which are short.
fn choose(connection: &Connection, query: &EventQuery, seeks: Vec<Seek>) -> rusqlite::Result<Option<Seek>> {
    if query.trace_id.is_some() || query.session_id.is_some() {
        return Ok(None);
    }
    let window = beyond_cursor(query);
    let mut seeks: Vec<_> = seeks.into_iter().map(|seek| seek.within(window)).collect();
    let mut few = None;
    for (place, seek) in seeks.iter().enumerate() {
        if seeks.len() > 1 && !seek.finds_more_than(connection, MOST_READ as u32)? {
            few = Some(place);
            break;
        }
    }
    let place = few.or_else(|| seeks.iter().position(|seek| seek.ordered)).unwrap_or(0);
    Ok((place < seeks.len()).then(|| seeks.swap_remove(place)))
}

/// The part of the window that is not before the cursor.
fn beyond_cursor(query: &EventQuery) -> Window {
    let mut window = query.window;
    if let Some(after) = query.after {
        let behind = Timestamp(after.timestamp.0.saturating_add(1));
        match query.ascending {
            true => window.from = Some(window.from.map_or(after.timestamp, |from| from.max(after.timestamp))),
            false if behind.0 < i64::MAX => window.to = Some(window.to.map_or(behind, |to| to.min(behind))),
            false => {}
        }
    }
    window
}

/// The numbers and times of events that may pass, in order.
pub(super) fn select_filtered(query: &EventQuery, seek: Option<Seek>) -> Select {
    let Some(seek) = seek else {
        let mut select = conditions(Select::new("select r.id, r.timestamp from event_rows r"), query);
        select.end(if query.ascending { " order by r.timestamp, r.id" } else { " order by r.timestamp desc, r.id desc" });
        return select;
    };
    let mut select = Select::new("select r.id, r.timestamp from attribute_values a cross join event_rows r on r.id = a.event and ");
    select.sql.push_str(&seek.sql);
    select.values.extend(seek.values);
    let mut select = conditions(select, query);
    select.end(if query.ascending { " order by a.time, a.event" } else { " order by a.time desc, a.event desc" });
    select
}
