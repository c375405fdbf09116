//! v1's metric routes. Every number comes out of the component named in the route's table.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use super::ApiError;
use super::extract::Query;
use super::reports::{attended, bytes, settings};
use crate::App;
use crate::analysis::report::ReportError;
use crate::analysis::series::{REQUEST_COUNT, Series, TOOL_SUCCESS_RATE};
use crate::analysis::tokens::{TOKENS, TokenRequests};
use crate::server::Peer;

type Pairs = Query<Vec<(String, String)>>;

/// `GET /v1/metrics/llm/request_count`: model calls begun, by day unless `interval` is given.
///
/// # Errors
/// As `/v1/reports/{metric}`.
pub async fn request_count(
    State(app): State<Arc<App>>,
    Query(pairs): Pairs,
    Extension(peer): Extension<Peer>,
) -> Result<Response, ApiError> {
    series(&app, &peer, REQUEST_COUNT, &pairs).await
}

/// `GET /v1/metrics/tool/success_rate`: the share, 0 to 1, of ended tool calls that succeeded; null where none ended.
///
/// # Errors
/// As `/v1/reports/{metric}`.
pub async fn tool_success_rate(
    State(app): State<Arc<App>>,
    Query(pairs): Pairs,
    Extension(peer): Extension<Peer>,
) -> Result<Response, ApiError> {
    series(&app, &peer, TOOL_SUCCESS_RATE, &pairs).await
}

/// `GET /v1/metrics/tokens`: tokens in all and by model.
///
/// # Errors
/// As `/v1/reports/{metric}`.
pub async fn tokens(State(app): State<Arc<App>>, Query(pairs): Pairs, Extension(peer): Extension<Peer>) -> Result<Response, ApiError> {
    let metric = app.reports.metric(TOKENS)?;
    let requests = TokenRequests::read(&pairs, &settings(&metric), app.reports.now()).map_err(ReportError::from)?;
    let asked = requests.all().into_iter().map(|request| (metric.clone(), request)).collect();
    let mut room = app.answers.room().await?;
    let reports = attended(&peer, app.reports.run_all(asked)).await?;
    room.grow(reports.iter().map(bytes).sum()).await?;
    room.json(requests.answer(&reports))
}

async fn series(app: &App, peer: &Peer, series: Series, pairs: &[(String, String)]) -> Result<Response, ApiError> {
    let metric = app.reports.metric(series.metric)?;
    let now = app.reports.now();
    let request = series.read(pairs, metric.spec().source, &settings(&metric), now).map_err(ReportError::from)?;
    let interval = pairs.iter().find(|(name, value)| name == "interval" && !value.is_empty()).map(|(_, value)| value.clone());
    let mut room = app.answers.room().await?;
    let report = attended(peer, app.reports.run(metric, request)).await?;
    room.grow(bytes(&report)).await?;
    room.json(series.answer(&report, interval, now))
}
