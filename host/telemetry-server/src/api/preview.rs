//! `POST /v1/plugins/preview`: a plugin that is not installed, tried on the last rows of its source.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use telemetry_plugins::{Form, Origin, PluginKind, PluginState};
use telemetry_store::EntryKind;

use super::{ApiError, blocking, extract};
use crate::app::App;
use crate::history::{HistoryError, Ledger, Opened, Preview, detail, preview};
use crate::offline::Place;

/// Bytes of a body beside the component.
pub(super) const SLACK: usize = 64 << 10;

/// A text plugin, or a component.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) toml: Option<String>,
    pub(super) wasm: Option<String>,
}

/// Tries what the body holds. Nothing is stored but what it was handed, in the access journal, before the answer leaves.
///
/// # Errors
/// 400 when the body holds no plugin that loads, 403 with the lines that would grant it when it lacks a grant; 413, 415; 503 while another
/// is tried.
pub async fn try_out(State(app): State<Arc<App>>, request: Request) -> Result<Json<Preview>, ApiError> {
    // Before the body is read: one is large, and so may be what it takes to try it.
    let permit = Arc::clone(&app.previews).try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::overloaded("another plugin is tried just now", 1))?;
    let limit = (app.config.plugins.max_file_mib as usize) << 20;
    let asked: Asked = extract::json(request, limit / 3 * 4 + SLACK).await?;
    let (form, bytes) = plugin(asked)?;
    if bytes.len() > limit {
        return Err(ApiError::too_large(format!("the plugin has {} bytes, at most {limit}", bytes.len())));
    }
    blocking(move || {
        let tried = run(&app, form, &bytes);
        drop(permit);
        tried
    })
    .await
    .map(Json)
}

/// The plugin that a body holds.
///
/// # Errors
/// 400 when it holds none, or two.
pub(super) fn plugin(asked: Asked) -> Result<(Form, Vec<u8>), ApiError> {
    match (asked.toml, asked.wasm) {
        (Some(toml), None) => Ok((Form::Text, toml.into_bytes())),
        (None, Some(wasm)) => {
            let bytes = BASE64_STANDARD.decode(wasm).map_err(|error| ApiError::field("wasm", format!("it is no base64: {error}")))?;
            Ok((Form::Component, bytes))
        }
        _ => Err(ApiError::field("body", "it has either `toml`, the text of a plugin, or `wasm`, a component as base64")),
    }
}

fn run(app: &App, form: Form, bytes: &[u8]) -> Result<Preview, ApiError> {
    let opened = open(app, form, bytes)?;
    let snapshot = app.store.snapshot()?;
    let kind = if opened.kind() == PluginKind::Metric { EntryKind::Query } else { EntryKind::Job };
    let mut ledger = Ledger::new(&app.store, &snapshot, kind, app.clock.now(), &detail("preview", &[&opened]))?;
    let tried = preview(&snapshot, &opened, &mut ledger);
    // What was handed over is told, also when it failed.
    ledger.finish()?;
    tried.map_err(|error| match error {
        HistoryError::Store(error) => error.into(),
        other => ApiError::conflict(other.to_string()),
    })
}

/// Loads it as though it were dropped in, beside what serves, on the same engine.
fn open(app: &App, form: Form, bytes: &[u8]) -> Result<Opened, ApiError> {
    // A name that no file in the drop-in folder has.
    let (field, name) = if form == Form::Text { ("toml", ".preview.toml") } else { ("wasm", ".preview.wasm") };
    let place = Place::new(app.clock.now()).map_err(|error| ApiError::internal(&*error))?;
    let file = place.file(name);
    std::fs::write(&file, bytes).map_err(|error| ApiError::internal(&error))?;
    let mut settings = app.plugins.settings().map_err(ApiError::conflict)?;
    settings.candidate = Some(file);
    // It is tried on what there is, however it fails.
    settings.limits.breaker_open_s = 0;
    let registry = app.plugins.registry().beside(&settings);
    let is_it = |origin: &Origin| matches!(origin, Origin::File(file) if file == name);
    let status = registry.current().statuses().into_iter().find(|status| is_it(&status.origin));
    let status = status.ok_or_else(ApiError::unexpected)?;
    match (status.state, &status.grant) {
        (PluginState::Serving, _) => Ok(Opened { registry: Arc::new(registry), status }),
        (_, Some(grant)) => {
            let reason = status.error.clone().unwrap_or_default();
            Err(ApiError::authorization(format!("`{}` would not load: {reason}", status.id)).with("grant", grant.clone()))
        }
        (PluginState::SwitchedOff, _) => Err(ApiError::field(field, format!("`{}` is switched off", status.id))),
        _ => Err(ApiError::field(field, status.error.unwrap_or_else(|| "it does not load".to_owned()))),
    }
}
