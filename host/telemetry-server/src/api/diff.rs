//! `POST /v1/plugins/diff`: which stored rows another version of a plugin would change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::{Request, State};
use serde::Deserialize;
use telemetry_model::Timestamp;
use telemetry_model::query::Window;
use telemetry_plugins::Form;
use telemetry_store::EntryKind;

use super::preview::{self, SLACK};
use super::{ApiError, blocking, extract};
use crate::app::App;
use crate::history::{self, Asked, Diff, HistoryError, Ledger, Named, Opened, Sides, detail};
use crate::offline::Place;

/// Changes that are listed at most, and unless told.
const MOST: usize = 10_000;
const USUAL: usize = 1_000;

/// What is compared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    old: Side,
    new: Side,
    from_time: Option<String>,
    to_time: Option<String>,
    /// Of a metric: parameters of its report, name and value.
    #[serde(default)]
    query: Vec<(String, String)>,
    limit: Option<usize>,
}

/// One version: the id of a plugin that is shipped or dropped in, or a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Side {
    id: Option<String>,
    toml: Option<String>,
    wasm: Option<String>,
}

/// Says when nobody waits any more.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Compares two versions over what is stored. Nothing is written but what they were handed, in the access journal, before the answer leaves.
///
/// # Errors
/// 400 for what is no plugin or cannot be compared, 403 with the lines that would grant it; 413, 415; 503 while another is tried.
pub async fn diff(State(app): State<Arc<App>>, request: Request) -> Result<Json<Diff>, ApiError> {
    let permit = Arc::clone(&app.previews).try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::overloaded("another plugin is tried just now", 1))?;
    let limit = (app.config.plugins.max_file_mib as usize) << 20;
    let body: Body = extract::json(request, 2 * (limit / 3 * 4) + SLACK).await?;
    let waiting = Waiting(Arc::default());
    let gone = Arc::clone(&waiting.0);
    let done = blocking(move || {
        let done = run(&app, body, &gone);
        drop(permit);
        done
    });
    let done = done.await;
    drop(waiting);
    done.map(Json)
}

fn run(app: &App, body: Body, gone: &AtomicBool) -> Result<Diff, ApiError> {
    let place = Place::new(app.clock.now()).map_err(|error| ApiError::internal(&*error))?;
    let asked = Asked { window: window(&body)?, limit: body.limit.unwrap_or(USUAL).min(MOST), query: body.query };
    let (old, new) = (named(&place, "old", body.old)?, named(&place, "new", body.new)?);
    let settings = app.plugins.settings().map_err(ApiError::conflict)?;
    let registry = app.plugins.registry();
    let instead = if let Named::Id(id) = &new { Some(id.as_str()) } else { None };
    let old = Opened::beside(&registry, &settings, &old, instead).map_err(|error| told("old", error))?;
    let new = Opened::beside(&registry, &settings, &new, Some(old.id())).map_err(|error| told("new", error))?;
    let plugins = Sides { old, new };
    let snapshot = app.store.snapshot()?;
    let noted = detail("plugin diff", &[&plugins.old, &plugins.new]);
    let mut ledger = Ledger::new(&app.store, &snapshot, EntryKind::Job, app.clock.now(), &noted)?;
    let diff = history::diff(&snapshot, &plugins, &asked, &mut ledger, &mut |_| !gone.load(Ordering::Acquire));
    // What was handed over is told, also when it failed.
    ledger.finish()?;
    diff.map_err(|error| told("new", error))
}

/// The plugin of one side; a file is written where no drop-in file lies.
fn named(place: &Place, side: &'static str, sent: Side) -> Result<Named, ApiError> {
    let (form, bytes) = match sent {
        Side { id: Some(id), toml: None, wasm: None } => return Ok(Named::Id(id)),
        Side { id: None, toml, wasm } => preview::plugin(preview::Asked { toml, wasm })?,
        _ => return Err(ApiError::field(side, "it has one of `id`, `toml` and `wasm`")),
    };
    let ending = if form == Form::Text { "toml" } else { "wasm" };
    let file = place.file(&format!(".{side}.{ending}"));
    std::fs::write(&file, bytes).map_err(|error| ApiError::internal(&error))?;
    Ok(Named::File(file))
}

fn window(body: &Body) -> Result<Window, ApiError> {
    let time = |field: &'static str, text: &Option<String>| match text.as_deref().map(Timestamp::parse) {
        None => Ok(None),
        Some(Ok(time)) => Ok(Some(time)),
        Some(Err(error)) => Err(ApiError::field(field, format!("it is {error}"))),
    };
    Ok(Window { from: time("from_time", &body.from_time)?, to: time("to_time", &body.to_time)? })
}

fn told(side: &'static str, error: HistoryError) -> ApiError {
    match error {
        HistoryError::Store(error) => error.into(),
        HistoryError::Invalid(error) => error.into(),
        HistoryError::Refused { grant: Some(grant), .. } => ApiError::authorization("a grant is missing").with("grant", grant),
        HistoryError::Refused { reason, .. } => ApiError::field(side, reason),
        HistoryError::Stopped => ApiError::overloaded("it was given up", 1),
        other => ApiError::field(side, other.to_string()),
    }
}
