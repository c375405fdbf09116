//! `GET /v1/quarantine` and `/v1/quarantine/{id}`: what was refused, with its reasons.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use telemetry_store::QuarantineItem;

use super::ApiError;
use super::answers::read;
use super::extract::{Path, Query};
use crate::analysis::listing;
use crate::app::App;

#[derive(Serialize)]
struct List {
    items: Vec<QuarantineItem>,
    total: i64,
    page: u64,
    page_size: u64,
}

/// Entries without their bodies, latest first.
///
/// # Errors
/// 400 with every problem of the parameters, 500 when the database fails.
pub async fn list(State(app): State<Arc<App>>, Query(pairs): Query<Vec<(String, String)>>) -> Result<Response, ApiError> {
    let (page, query) = listing::quarantine(&pairs, app.clock.now())?;
    let (found, room) = read(&app, move |snapshot| snapshot.quarantine(&query)).await?;
    room.json(List { items: found.items, total: found.total, page: page.page, page_size: page.page_size })
}

/// One entry with its body.
///
/// # Errors
/// 404 when there is none, 500 when the database fails.
pub async fn entry(State(app): State<Arc<App>>, Path(id): Path<i64>) -> Result<Response, ApiError> {
    let (entry, room) = read(&app, move |snapshot| snapshot.quarantine_entry(id)).await?;
    room.json(entry.ok_or_else(|| ApiError::not_found(format!("nothing in quarantine has the id {id}")))?)
}
