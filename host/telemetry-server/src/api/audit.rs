//! `GET /v1/audit/verify`: whether the access journal holds, over the database as it is now.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::{ApiError, blocking};
use crate::app::App;
use crate::audit::{Audit, verify as verify_journal};

/// Reads the whole journal; one at a time.
///
/// # Errors
/// 503 while another one runs.
pub async fn verify(State(app): State<Arc<App>>) -> Result<Json<Audit>, ApiError> {
    let Ok(turn) = app.audits.clone().try_acquire_owned() else {
        return Err(ApiError::overloaded("the journal is being verified already", 5));
    };
    blocking(move || {
        let _turn = turn;
        verify_journal(&app.store.snapshot()?, app.store.digest_key(), &app.config.plugins, None)
    })
    .await
    .map(Json)
}
