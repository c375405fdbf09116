//! `GET /v1/plugins` and `/v1/plugins/{id}`: what is loaded, what is not and why, and what each has done.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use telemetry_plugins::{PluginState, PluginStatus};

use super::ApiError;
use super::extract::Path;
use crate::app::App;

/// Every plugin; log lines stand at the plugin's own route.
#[derive(Debug, Serialize)]
pub struct Plugins {
    /// Shipped ones first, then the drop-in folder's.
    pub items: Vec<PluginStatus>,
}

/// All plugins, loaded or not.
pub async fn list(State(app): State<Arc<App>>) -> Json<Plugins> {
    let mut items = app.plugins.statuses();
    items.iter_mut().for_each(|status| status.log.clear());
    Json(Plugins { items })
}

/// One plugin with its last log lines; of several with one id the one that serves.
///
/// # Errors
/// 404 when there is none of that id.
pub async fn one(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<PluginStatus>, ApiError> {
    let named = app.plugins.statuses().into_iter().filter(|status| status.id == id);
    let found = named.min_by_key(|status| status.state == PluginState::Refused);
    found.map(Json).ok_or_else(|| ApiError::not_found(format!("there is no plugin `{id}`")))
}
