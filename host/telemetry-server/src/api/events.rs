//! Stored events: newest first, one, some by their numbers.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use telemetry_plugins::Catalog;
use telemetry_store::{EventQuery, EventRow, Provenance, Snapshot, StoredEvent};

use super::ApiError;
use super::answers::read;
use super::extract::{self, Path, Query};
use crate::analysis::listing;
use crate::analysis::params::Params;
use crate::app::App;

/// Names the parameter `cursor` of the next page, when there may be one.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");
/// Of a list with filters on attributes: events that were looked at; whether it ended before the page was full because those were many
/// (the next page goes on); the key in whose index was sought; those whose filters could only be scanned for.
const SCANNED_EVENTS: HeaderName = HeaderName::from_static("x-scanned-events");
const SCAN_ENDED_EARLY: HeaderName = HeaderName::from_static("x-scan-ended-early");
const SOUGHT_BY: HeaderName = HeaderName::from_static("x-sought-by");
const UNINDEXED_FILTERS: HeaderName = HeaderName::from_static("x-unindexed-filters");
/// Most numbers of one request.
const MAX_IDS: usize = 100;

type Pairs = Query<Vec<(String, String)>>;

/// `GET /v1/telemetry/events`: v1's list, newest first; the header `x-next-cursor` leads on.
///
/// # Errors
/// 400 with every problem of the parameters.
pub async fn list(State(app): State<Arc<App>>, Query(pairs): Pairs) -> Result<Response, ApiError> {
    let query = listing::events(&pairs, app.clock.now())?;
    page(&app, query).await
}

/// `GET /v1/telemetry/traces/{trace_id}`: the events of a trace by their time; none for a trace that nobody sent.
///
/// # Errors
/// 400 with every problem of the parameters.
pub async fn of_trace(State(app): State<Arc<App>>, Path(trace_id): Path<String>, Query(pairs): Pairs) -> Result<Response, ApiError> {
    let query = listing::events_of(&pairs, Some(trace_id), None)?;
    page(&app, query).await
}

/// `GET /v1/telemetry/sessions/{session_id}/events`: the events of a session by their time.
///
/// # Errors
/// 400 with every problem of the parameters.
pub async fn of_session(State(app): State<Arc<App>>, Path(session_id): Path<String>, Query(pairs): Pairs) -> Result<Response, ApiError> {
    let query = listing::events_of(&pairs, None, Some(session_id))?;
    page(&app, query).await
}

/// One event, with where it comes from if asked.
#[derive(Debug, Serialize)]
pub struct OneEvent {
    #[serde(flatten)]
    event: StoredEvent,
    /// The call or execution that it is a part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<OneRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<Provenance>,
}

/// The call or execution of an event, with what enrichers over rows said of it.
#[derive(Debug, Serialize)]
struct OneRow {
    #[serde(flatten)]
    row: EventRow,
    /// The plugins that are yet to see it, or its latest change.
    pending: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<Provenance>,
}

impl OneRow {
    fn new(mut row: EventRow, plugins: &Catalog, wanted: bool) -> Self {
        let pending = if row.pending { plugins.row_enrichers(row.relation) } else { Vec::new() };
        let provenance = std::mem::take(&mut row.provenance);
        OneRow { pending: pending.into_iter().map(str::to_owned).collect(), row, provenance: wanted.then_some(provenance) }
    }
}

/// `GET /v1/telemetry/events/{id}`; with `provenance=1` also which plugins ran and who wrote what.
///
/// # Errors
/// 404 for a number that no event has, and for what is no number.
pub async fn one(State(app): State<Arc<App>>, Path(id): Path<String>, Query(pairs): Pairs) -> Result<Response, ApiError> {
    let mut params = Params::new(&pairs);
    let wanted = params.boolean("provenance").unwrap_or(false);
    params.finish()?;
    let missing = || ApiError::not_found("there is no such event");
    let id: i64 = id.parse().map_err(|_| missing())?;
    let plugins = app.plugins.current();
    let find = move |snapshot: &Snapshot| {
        let Some(event) = snapshot.event(id)? else { return Ok(None) };
        let provenance = if wanted { Some(snapshot.provenance(&event)?) } else { None };
        let row = snapshot.row_of(&event)?.map(|row| OneRow::new(row, &plugins, wanted));
        Ok(Some(OneEvent { event, row, provenance }))
    };
    let (found, room) = read(&app, find).await?;
    room.json(found.ok_or_else(missing)?)
}

/// `POST /v1/telemetry/events/by-ids`: a JSON list of at most 100 numbers as strings; unknown ones are skipped, the order is kept,
/// and the list ends early after 16 MiB.
///
/// # Errors
/// 400 for more, or anything else.
pub async fn by_ids(State(app): State<Arc<App>>, extract::Json(ids): extract::Json<Vec<String>>) -> Result<Response, ApiError> {
    if ids.len() > MAX_IDS {
        return Err(ApiError::field("body", format!("{} ids; at most {MAX_IDS} are taken", ids.len())));
    }
    let ids: Vec<i64> = ids.iter().filter_map(|id| id.parse().ok()).collect();
    let (events, room) = read(&app, move |snapshot| snapshot.events_by_ids(&ids)).await?;
    room.json(events)
}

async fn page(app: &Arc<App>, query: EventQuery) -> Result<Response, ApiError> {
    let (page, room) = read(app, move |snapshot| snapshot.events(&query)).await?;
    let next = page.next.and_then(|cursor| HeaderValue::from_str(&listing::cursor_text(cursor)).ok());
    let mut response = room.json(page.events)?;
    let headers = response.headers_mut();
    if let Some(next) = next {
        headers.insert(NEXT_CURSOR, next);
    }
    if let Some(scan) = page.scan {
        headers.insert(SCANNED_EVENTS, HeaderValue::from(scan.scanned));
        headers.insert(SCAN_ENDED_EARLY, HeaderValue::from_static(if scan.ended_early { "true" } else { "false" }));
        let keys = [(SOUGHT_BY, scan.sought.into_iter().collect()), (UNINDEXED_FILTERS, scan.unindexed)];
        for (name, keys) in keys {
            let keys: Vec<_> = keys.iter().map(|key: &String| Value::from(key.as_str()).to_string()).collect();
            if let Ok(value) = HeaderValue::from_bytes(keys.join(", ").as_bytes())
                && !keys.is_empty()
            {
                headers.insert(name, value);
            }
        }
    }
    Ok(response)
}
