//! Stored events: newest first, one, some by their numbers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use telemetry_store::{EventPage, EventQuery, Provenance, StoreError, StoredEvent};

use super::extract::{self, Path, Query};
use super::{ApiError, blocking};
use crate::analysis::listing;
use crate::analysis::params::Params;
use crate::app::App;

/// Names the parameter `cursor` of the next page, when there may be one.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");
/// Most numbers of one request.
const MAX_IDS: usize = 100;

type Pairs = Query<Vec<(String, String)>>;

/// `GET /v1/telemetry/events`: v1's list, newest first; the header `x-next-cursor` leads on.
///
/// # Errors
/// 400 with every problem of the parameters.
pub async fn list(State(app): State<Arc<App>>, Query(pairs): Pairs) -> Result<Response, ApiError> {
    let query = listing::events(&pairs, app.clock.now())?;
    Ok(page(read(app, query).await?))
}

/// `GET /v1/telemetry/traces/{trace_id}`: the events of a trace by their time; none for a trace that nobody sent.
///
/// # Errors
/// 400 with every problem of the parameters.
pub async fn of_trace(State(app): State<Arc<App>>, Path(trace_id): Path<String>, Query(pairs): Pairs) -> Result<Response, ApiError> {
    let query = listing::events_of(&pairs, Some(trace_id), None)?;
    Ok(page(read(app, query).await?))
}

/// `GET /v1/telemetry/sessions/{session_id}/events`: the events of a session by their time.
///
/// # Errors
/// 400 with every problem of the parameters.
pub async fn of_session(State(app): State<Arc<App>>, Path(session_id): Path<String>, Query(pairs): Pairs) -> Result<Response, ApiError> {
    let query = listing::events_of(&pairs, None, Some(session_id))?;
    Ok(page(read(app, query).await?))
}

/// One event, with where it comes from if asked.
#[derive(Debug, Serialize)]
pub struct OneEvent {
    #[serde(flatten)]
    event: StoredEvent,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<Provenance>,
}

/// `GET /v1/telemetry/events/{id}`; with `provenance=1` also which plugins ran and who wrote what.
///
/// # Errors
/// 404 for a number that no event has, and for what is no number.
pub async fn one(State(app): State<Arc<App>>, Path(id): Path<String>, Query(pairs): Pairs) -> Result<Json<OneEvent>, ApiError> {
    let mut params = Params::new(&pairs);
    let wanted = params.boolean("provenance").unwrap_or(false);
    params.finish()?;
    let found = match id.parse::<i64>() {
        Err(_) => None,
        Ok(id) => {
            let read = move || {
                let snapshot = app.store.snapshot()?;
                let Some(event) = snapshot.event(id)? else { return Ok(None) };
                let provenance = if wanted { Some(snapshot.provenance(&event)?) } else { None };
                Ok::<_, StoreError>(Some(OneEvent { event, provenance }))
            };
            blocking(read).await?
        }
    };
    found.map(Json).ok_or_else(|| ApiError::not_found("there is no such event"))
}

/// `POST /v1/telemetry/events/by-ids`: a JSON list of at most 100 numbers as strings; unknown ones are skipped, the order is kept,
/// and the list ends early after 16 MiB.
///
/// # Errors
/// 400 for more, or anything else.
pub async fn by_ids(
    State(app): State<Arc<App>>,
    extract::Json(ids): extract::Json<Vec<String>>,
) -> Result<Json<Vec<StoredEvent>>, ApiError> {
    if ids.len() > MAX_IDS {
        return Err(ApiError::field("body", format!("{} ids; at most {MAX_IDS} are taken", ids.len())));
    }
    let read = move || {
        let ids: Vec<i64> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        app.store.snapshot()?.events_by_ids(&ids)
    };
    blocking(read).await.map(Json)
}

async fn read(app: Arc<App>, query: EventQuery) -> Result<EventPage, ApiError> {
    blocking(move || app.store.snapshot()?.events(&query)).await
}

fn page(page: EventPage) -> Response {
    let next = page.next.and_then(|cursor| HeaderValue::from_str(&listing::cursor_text(cursor)).ok());
    let mut response = Json(page.events).into_response();
    if let Some(next) = next {
        response.headers_mut().insert(NEXT_CURSOR, next);
    }
    response
}
