//! `/v1/plugins`: what is loaded, what is not and why, what each has done; loading again, switching on and off.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use telemetry_plugins::{Catalog, PluginStatus};

use super::extract::{self, Path};
use super::{ApiError, blocking};
use crate::app::App;
use crate::live::{SwitchError, find};

/// Every plugin; log lines stand at the plugin's own route.
#[derive(Debug, Serialize)]
pub struct Plugins {
    /// Shipped ones first, then the drop-in folder's.
    pub items: Vec<PluginStatus>,
    /// Why the operator's files of grants and switches could not be used the last time, if so; then what they said before holds.
    pub problem: Option<String>,
}

impl Plugins {
    fn of(catalog: &Catalog, problem: Option<String>) -> Json<Self> {
        let mut items = catalog.statuses();
        items.iter_mut().for_each(|status| status.log.clear());
        Json(Plugins { items, problem })
    }
}

/// All plugins, loaded or not.
pub async fn list(State(app): State<Arc<App>>) -> Json<Plugins> {
    Plugins::of(&app.plugins.current(), app.plugins.problem())
}

/// One plugin with its last log lines; of several with one id the one that serves.
///
/// # Errors
/// 404 when there is none of that id.
pub async fn one(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<PluginStatus>, ApiError> {
    find(&app.plugins.current(), &id).map(Json).ok_or_else(|| ApiError::not_found(format!("there is no plugin `{id}`")))
}

/// `POST /v1/plugins/reload`: loads what the folder and the files of grants and switches say now, and tries again what failed.
///
/// # Errors
/// 409 when one of these files cannot be used: then nothing changes.
pub async fn reload(State(app): State<Arc<App>>, request: Request) -> Result<Json<Plugins>, ApiError> {
    // It says nothing, but one left unread would cost the client its connection.
    let _ = axum::body::to_bytes(request.into_body(), MAX_BODY).await;
    let plugins = Arc::clone(&app.plugins);
    let catalog = blocking(move || plugins.reload_all().map_err(ApiError::conflict)).await?;
    Ok(Plugins::of(&catalog, None))
}

/// Bytes of a body that means nothing.
const MAX_BODY: usize = 64 << 10;

/// The body of [`enable`].
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enabled {
    /// On or off.
    pub enabled: bool,
}

/// `PUT /v1/plugins/{id}/enabled`: switches a plugin on or off, now and after each start.
///
/// # Errors
/// 404 when there is none of that id; 409 when the configuration has it off, or what was switched cannot be kept.
pub async fn enable(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    extract::Json(Enabled { enabled }): extract::Json<Enabled>,
) -> Result<Json<PluginStatus>, ApiError> {
    let plugins = Arc::clone(&app.plugins);
    blocking(move || plugins.switch(&id, enabled)).await.map(Json)
}

impl From<SwitchError> for ApiError {
    fn from(error: SwitchError) -> Self {
        match error {
            SwitchError::Unknown(_) => ApiError::not_found(error.to_string()),
            SwitchError::Configured(_) | SwitchError::File(_) => ApiError::conflict(error.to_string()),
        }
    }
}
