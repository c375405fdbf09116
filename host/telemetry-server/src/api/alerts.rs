//! `GET /v1/alerts`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};
use telemetry_store::Snapshot;

use super::answers::read;
use super::extract::Query;
use super::{ApiError, pagination};
use crate::analysis::listing;
use crate::app::App;

/// Alerts in v1's shape, latest first. `metrics` counts the window and the agent, whatever else is filtered, as in v1.
///
/// # Errors
/// 400 with every problem of the parameters.
pub async fn list(State(app): State<Arc<App>>, Query(pairs): Query<Vec<(String, String)>>) -> Result<Response, ApiError> {
    let (page, query) = listing::alerts(&pairs, app.clock.now())?;
    let asked = query.clone();
    let find = move |snapshot: &Snapshot| Ok((snapshot.alerts(&query)?, snapshot.alert_counts(query.window, query.agent_id.as_deref())?));
    let ((found, counts), room) = read(&app, find).await?;
    let by = |counts: &[(String, i64)]| counts.iter().map(|(name, count)| (name.clone(), Value::from(*count))).collect::<Map<_, _>>();
    room.json(json!({
        "alerts": found.alerts,
        "total_count": found.total,
        "pagination": pagination(page, found.total),
        "metrics": {
            "total_count": counts.total,
            "by_severity": by(&counts.by_severity),
            "by_category": by(&counts.by_category),
            "by_alert_level": by(&counts.by_alert_level),
            "by_llm_vendor": by(&counts.by_llm_vendor),
        },
        "time_range": {
            "from": asked.window.from,
            "to": asked.window.to,
            "description": description(&pairs),
        },
        "filters": {
            "severity": asked.severity,
            "category": asked.category,
            "category_exclude": asked.category_exclude,
            "alert_level": asked.alert_level,
            "llm_vendor": asked.llm_vendor,
            "agent_id": asked.agent_id,
            "trace_id": asked.trace_id,
            "span_id": asked.span_id,
            "search": asked.search,
        },
    }))
}

fn description(pairs: &[(String, String)]) -> String {
    let given = |wanted: &str| pairs.iter().find(|(name, value)| name == wanted && !value.is_empty()).map(|(_, value)| value.as_str());
    if given("from_time").or(given("to_time")).is_some() {
        return "Custom".to_owned();
    }
    format!("Last {}", given("time_range").unwrap_or("7d"))
}
