//! Agents: v1's list and detail.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use telemetry_model::Timestamp;
use telemetry_store::{AgentPage, AgentRow, Snapshot};

use super::answers::read;
use super::extract::{Path, Query};
use super::{ApiError, pagination};
use crate::analysis::listing;
use crate::app::App;

type Pairs = Query<Vec<(String, String)>>;

/// `GET /v1/agents`.
///
/// # Errors
/// 400 with every problem of the parameters.
pub async fn list(State(app): State<Arc<App>>, Query(pairs): Pairs) -> Result<Response, ApiError> {
    let now = app.clock.now();
    let inactive_before = inactive_before(&app, now);
    let (page, query) = listing::agents(&pairs, now, inactive_before)?;
    let find = move |snapshot: &Snapshot| query.as_ref().map_or_else(|| Ok(AgentPage::default()), |query| snapshot.agents(query));
    let (found, room) = read(&app, find).await?;
    let items: Vec<Value> = found.agents.iter().map(|agent| item(agent, inactive_before)).collect();
    room.json(json!({
        "items": items,
        "pagination": pagination(page, found.total),
        "meta": { "timestamp": now },
    }))
}

/// `GET /v1/agents/{agent_id}`: with what it did in the window, in all without one.
///
/// # Errors
/// 404 for an agent that nobody sent; 400 with every problem of the parameters.
pub async fn one(State(app): State<Arc<App>>, Path(agent_id): Path<String>, Query(pairs): Pairs) -> Result<Response, ApiError> {
    let now = app.clock.now();
    let inactive_before = inactive_before(&app, now);
    let window = listing::window(&pairs, now)?;
    let find = move |snapshot: &Snapshot| {
        let Some(agent) = snapshot.agent(&agent_id, window)? else { return Ok(None) };
        let environment = snapshot.agent_environment(&agent_id)?;
        Ok(Some((agent, environment)))
    };
    let (found, room) = read(&app, find).await?;
    let Some((agent, environment)) = found else { return Err(ApiError::not_found("there is no such agent")) };
    let activity = &agent.activity;
    room.json(json!({
        "agent_id": agent.agent_id,
        "name": agent.agent_id,
        "type": "other",
        "status": status(&agent, inactive_before),
        "created_at": agent.first_seen,
        "updated_at": agent.last_seen,
        "environment": environment.map(|environment| environment.to_value()),
        "metrics": {
            "request_count": activity.calls,
            "token_usage": activity.tokens,
            "requests_without_tokens": activity.calls_without_tokens,
            "avg_response_time_ms": activity.mean_duration_ms,
            "tool_usage": activity.executions,
            "error_count": activity.errors,
            "security_alerts_count": activity.alerts,
            "policy_violations_count": activity.policy_violations,
        },
    }))
}

fn item(agent: &AgentRow, inactive_before: Timestamp) -> Value {
    let activity = &agent.activity;
    json!({
        "agent_id": agent.agent_id,
        "name": agent.agent_id,
        "type": "other",
        "status": status(agent, inactive_before),
        "created_at": agent.first_seen,
        "updated_at": agent.last_seen,
        "request_count": activity.calls,
        "token_usage": activity.tokens,
        "requests_without_tokens": activity.calls_without_tokens,
        "error_count": activity.errors,
    })
}

fn status(agent: &AgentRow, inactive_before: Timestamp) -> &'static str {
    if agent.last_seen < inactive_before { "inactive" } else { "active" }
}

fn inactive_before(app: &App, now: Timestamp) -> Timestamp {
    super::before(now, app.config.correlation.agent_inactive_s)
}
