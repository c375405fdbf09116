//! `GET /v1/sessions`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use telemetry_store::{SessionRow, SessionState};

use super::answers::read;
use super::extract::Query;
use super::{ApiError, before, pagination};
use crate::analysis::listing;
use crate::app::App;

/// Sessions in v1's shape, latest first unless asked otherwise.
///
/// # Errors
/// 400 with every problem of the parameters.
pub async fn list(State(app): State<Arc<App>>, Query(pairs): Query<Vec<(String, String)>>) -> Result<Response, ApiError> {
    let now = app.clock.now();
    let (page, query) = listing::sessions(&pairs, now, before(now, app.config.correlation.silence_s))?;
    let window = query.window;
    let (found, room) = read(&app, move |snapshot| snapshot.sessions(&query)).await?;
    room.json(json!({
        "items": found.sessions.iter().map(item).collect::<Vec<_>>(),
        "pagination": pagination(page, found.total),
        "meta": { "from_time": window.from, "to_time": window.to },
    }))
}

fn item(session: &SessionRow) -> Value {
    let length = i128::from(session.end_time.0) - i128::from(session.start_time.0);
    json!({
        "session_id": session.session_id,
        "agent_id": session.agent_id,
        "start_time": session.start_time,
        "end_time": session.end_time,
        "duration_seconds": i64::try_from(length / 1_000_000_000).ok(),
        "event_count": session.events,
        "llm_request_count": session.calls,
        "tool_execution_count": session.executions,
        "error_count": session.errors,
        "status": match session.state {
            SessionState::Active => "active",
            SessionState::Completed => "completed",
        },
    })
}
