//! `GET /v1/quarantine` and `/v1/quarantine/{id}`: what was refused, with its reasons.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use telemetry_model::Timestamp;
use telemetry_store::{QuarantineItem, QuarantineQuery};

use super::ApiError;
use super::answers::read;
use super::extract::{Path, Query};
use crate::app::App;

/// Entries of one page at most.
const MAX_PAGE_SIZE: u32 = 1000;

/// Which entries to list. An empty parameter is an absent one.
#[derive(Debug, Default, Deserialize)]
pub struct ListParams {
    page: Option<String>,
    page_size: Option<String>,
    reason: Option<String>,
    agent_id: Option<String>,
    from_time: Option<String>,
    to_time: Option<String>,
}

#[derive(Serialize)]
struct List {
    items: Vec<QuarantineItem>,
    total: i64,
    page: u32,
    page_size: u32,
}

/// Entries without their bodies, latest first.
///
/// # Errors
/// 400 for a parameter that cannot be read, 500 when the database fails.
pub async fn list(State(app): State<Arc<App>>, Query(params): Query<ListParams>) -> Result<Response, ApiError> {
    let page = number("page", params.page, 1, u32::MAX)?;
    let page_size = number("page_size", params.page_size, 50, MAX_PAGE_SIZE)?;
    let (from, to) = (time("from_time", params.from_time)?, time("to_time", params.to_time)?);
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(ApiError::field("from_time", "is after to_time"));
    }
    let query = QuarantineQuery {
        reason: given(params.reason),
        agent_id: given(params.agent_id),
        from,
        to,
        limit: page_size,
        offset: u64::from(page - 1) * u64::from(page_size),
    };
    let (found, room) = read(&app, move |snapshot| snapshot.quarantine(&query)).await?;
    room.json(List { items: found.items, total: found.total, page, page_size })
}

/// One entry with its body.
///
/// # Errors
/// 404 when there is none, 500 when the database fails.
pub async fn entry(State(app): State<Arc<App>>, Path(id): Path<i64>) -> Result<Response, ApiError> {
    let (entry, room) = read(&app, move |snapshot| snapshot.quarantine_entry(id)).await?;
    room.json(entry.ok_or_else(|| ApiError::not_found(format!("nothing in quarantine has the id {id}")))?)
}

fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn number(field: &'static str, text: Option<String>, default: u32, most: u32) -> Result<u32, ApiError> {
    let Some(text) = given(text) else { return Ok(default) };
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| ApiError::field(field, format!("must be a number from 1 to {most}")))
}

fn time(field: &'static str, text: Option<String>) -> Result<Option<Timestamp>, ApiError> {
    let parse = |text: String| Timestamp::parse(&text).map_err(|error| ApiError::field(field, error.to_string()));
    given(text).map(parse).transpose()
}
