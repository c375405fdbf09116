//! `GET /v1/health`: whether events can be stored and reads work.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use telemetry_model::Timestamp;

use super::guard::MayRead;
use crate::app::App;

/// Where it stands.
pub const PATH: &str = "/v1/health";

/// The answer. Without the read token only `status`.
#[derive(Debug, Default, Serialize)]
pub struct Health {
    /// `ok`; `degraded`: events are stored and read, but something else does not serve; `failing`; `starting`.
    pub status: &'static str,
    /// More, for those who may read.
    #[serde(flatten)]
    pub report: Option<Report>,
}

/// What those who may read are told.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The server's version.
    pub version: &'static str,
    /// When it began to answer.
    pub started_at: Timestamp,
    /// Whether anyone may read although the bind is beyond loopback.
    pub insecure_reads: bool,
    /// What does not serve.
    pub degraded: Vec<Degraded>,
}

/// Something that does not serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Degraded {
    /// `plugin secret-scan`, `database`.
    pub part: String,
    /// Why.
    pub reason: String,
}

/// 200 while events can be stored and reads work, else 503.
pub async fn health(State(app): State<Arc<App>>, Extension(MayRead(may_read)): Extension<MayRead>) -> Response {
    let failing = app.failing().await;
    let degraded = app.degraded();
    let status = match (&failing, degraded.is_empty()) {
        (Some(_), _) => "failing",
        (None, false) => "degraded",
        (None, true) => "ok",
    };
    let report = may_read.then(|| Report {
        version: env!("CARGO_PKG_VERSION"),
        started_at: app.started_at,
        insecure_reads: app.config.server.insecure_reads,
        degraded: failing.iter().cloned().chain(degraded).collect(),
    });
    answer(if failing.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }, Health { status, report })
}

/// 503 before the parts are open.
pub fn starting() -> Response {
    answer(StatusCode::SERVICE_UNAVAILABLE, Health { status: "starting", report: None })
}

fn answer(status: StatusCode, health: Health) -> Response {
    let mut response = (status, [(header::CACHE_CONTROL, "no-store")], Json(health)).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
