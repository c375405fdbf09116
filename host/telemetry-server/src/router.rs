//! Every route on one page.

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post, put};

use crate::api::{self, guard};
use crate::app::App;
use crate::config::FeaturesConfig;

/// The routes over a built server, with what stands around all of them.
///
/// Layers run from the last to the first: request id and log line, panics, host rule, CORS, read token, admin rule, route.
pub fn router(app: Arc<App>) -> Router {
    pages(&app.config.features)
        .merge(ingest())
        .merge(reads())
        .merge(reports())
        .merge(plain())
        .route("/v1/health", get(api::health::health))
        .route("/v1/plugins/reload", post(api::plugins::reload))
        .route("/v1/plugins/preview", post(api::preview::try_out))
        .route("/v1/plugins/diff", post(api::diff::diff))
        .route("/v1/plugins/{id}/enabled", put(api::plugins::enable))
        .route("/v1/plugins/{id}/access", get(api::access::access))
        .route("/openapi.json", get(api::openapi::document))
        .route_layer(from_fn_with_state(app.clone(), guard::admin))
        .fallback(api::error::unknown_route)
        .method_not_allowed_fallback(api::error::wrong_method)
        .layer(from_fn_with_state(app.clone(), guard::access))
        .layer(from_fn_with_state(app.clone(), guard::cross_origin))
        .layer(from_fn_with_state(app.clone(), guard::host))
        .layer(from_fn(guard::panics))
        .layer(from_fn(guard::request_log))
        .with_state(app)
}

/// Routes without query parameters.
fn plain() -> Router<Arc<App>> {
    Router::new()
        .route("/metrics", get(api::exposition::exposition))
        .route("/v1/audit/verify", get(api::audit::verify))
        .route("/v1/overview", get(api::overview::overview))
        .route("/v1/plugins", get(api::plugins::list))
        .route("/v1/plugins/{id}", get(api::plugins::one))
        .route("/v1/plugins/{id}/jobs", get(api::jobs::list).post(api::jobs::create).delete(api::jobs::cancel))
        .route("/v1/plugins/{id}/jobs/{job}", get(api::jobs::one))
        .route("/v1/quarantine/{id}", get(api::quarantine::entry))
        .route("/v1/reports", get(api::reports::list))
        .route_layer(from_fn(api::extract::no_parameters))
}

/// What is stored, listed.
fn reads() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/telemetry/events", get(api::events::list))
        .route("/v1/telemetry/events/by-ids", post(api::events::by_ids))
        .route("/v1/telemetry/events/{id}", get(api::events::one))
        .route("/v1/telemetry/traces/{trace_id}", get(api::events::of_trace))
        .route("/v1/telemetry/sessions/{session_id}/events", get(api::events::of_session))
        .route("/v1/agents", get(api::agents::list))
        .route("/v1/agents/{agent_id}", get(api::agents::one))
        .route("/v1/sessions", get(api::sessions::list))
        .route("/v1/alerts", get(api::alerts::list))
        .route("/v1/quarantine", get(api::quarantine::list))
}

/// What agents send. PUT is as good as POST: the monitor can be set to it.
fn ingest() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/telemetry", post(api::telemetry::ingest).put(api::telemetry::ingest))
        .route("/v1/telemetry/batch", post(api::telemetry::ingest_batch).put(api::telemetry::ingest_batch))
}

/// What metric plugins say.
fn reports() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/reports/{metric}", get(api::reports::report))
        .route("/v1/metrics/llm/request_count", get(api::metrics::request_count))
        .route("/v1/metrics/tokens", get(api::metrics::tokens))
        .route("/v1/metrics/tool/success_rate", get(api::metrics::tool_success_rate))
}

/// What a browser shows.
fn pages(features: &FeaturesConfig) -> Router<Arc<App>> {
    if !features.page {
        return Router::new();
    }
    Router::new()
        .route("/", get(api::page::index))
        .route("/docs", get(api::openapi::docs))
        .route("/assets/docs.js", get(api::openapi::docs_script))
        .route("/assets/page.js", get(api::page::script))
        .route("/assets/page.css", get(api::page::style))
        .route("/assets/icon.svg", get(api::page::icon))
}
