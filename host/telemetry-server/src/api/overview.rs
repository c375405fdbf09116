//! `GET /v1/overview`: what the page shows first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use telemetry_store::Overview;

use super::{ApiError, blocking};
use crate::app::App;

/// Model calls shown.
const CALLS: u32 = 10;

/// How much is stored, and the last model calls.
pub async fn overview(State(app): State<Arc<App>>) -> Result<Json<Overview>, ApiError> {
    blocking(move || app.store.overview(CALLS)).await.map(Json)
}
