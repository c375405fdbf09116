//! The REST API: thin handlers, one file a noun, over `processing` and `analysis`.

pub mod access;
pub mod agents;
pub mod alerts;
pub mod answers;
pub mod audit;
pub mod diff;
pub mod error;
pub mod events;
pub mod exposition;
pub mod extract;
pub mod guard;
pub mod health;
pub mod jobs;
pub mod metrics;
pub mod openapi;
pub mod overview;
pub mod page;
pub mod plugins;
pub mod preview;
pub mod quarantine;
pub mod reports;
pub mod sessions;
pub mod telemetry;

pub use error::{ApiError, Code};

use serde_json::{Value, json};
use telemetry_model::Timestamp;

use crate::analysis::listing::Page;
use crate::analysis::params::InvalidParams;

/// Runs `work`, which blocks, off the reactor.
///
/// # Errors
/// Its own, or 500 when it panicked.
pub async fn blocking<T, E, F>(work: F) -> Result<T, ApiError>
where
    T: Send + 'static,
    E: Send + 'static,
    ApiError: From<E>,
    F: FnOnce() -> Result<T, E> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(ApiError::from),
        Err(_) => Err(ApiError::unexpected()),
    }
}

impl From<InvalidParams> for ApiError {
    fn from(error: InvalidParams) -> Self {
        let details = error.0.into_iter().map(|problem| error::Detail { field: problem.field.into(), reason: problem.reason.into() });
        ApiError::validation("invalid request parameters").with_all(details)
    }
}

/// v1's `pagination` of a list of `total` items.
fn pagination(page: Page, total: i64) -> Value {
    let pages = total.unsigned_abs().div_ceil(page.page_size);
    json!({ "page": page.page, "page_size": page.page_size, "total": total, "pages": pages })
}

/// So many seconds before `now`.
fn before(now: Timestamp, seconds: u64) -> Timestamp {
    now.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000_000).saturating_neg())
}
