//! `/v1/plugins/{id}/jobs`: running an enricher again over what is stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use telemetry_model::Timestamp;
use telemetry_model::query::Window;
use telemetry_store::{JobChange, StoreError, SubmitError};
use tokio::sync::oneshot;

use super::extract::{self, Path};
use super::{ApiError, blocking};
use crate::app::App;
use crate::history::{job_json, whole_job};
use crate::live::find;

/// What a job is asked to do.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    /// `backfill`, which is all there is.
    kind: Option<String>,
    /// RFC 3339: rows from then on.
    from_time: Option<String>,
    /// RFC 3339: rows before then.
    to_time: Option<String>,
}

/// The plugin's jobs, the latest first, at most 100.
///
/// # Errors
/// 404 when there is no plugin of that id.
pub async fn list(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    known(&app, &id)?;
    jobs(&app, id).await
}

/// One job, with the rows that stand apart: those on which the plugin had not run well before.
///
/// # Errors
/// 404 when there is no plugin of that id, or it has no such job.
pub async fn one(State(app): State<Arc<App>>, Path((id, number)): Path<(String, i64)>) -> Result<Json<Value>, ApiError> {
    known(&app, &id)?;
    let (store, plugin) = (app.store.clone(), id.clone());
    let job = blocking(move || {
        let snapshot = store.snapshot()?;
        let job = snapshot.jobs(&plugin)?.into_iter().find(|job| job.id == number);
        job.map(|job| whole_job(&snapshot, &job)).transpose()
    });
    job.await?.map(Json).ok_or_else(|| ApiError::not_found(format!("`{id}` has no job {number}")))
}

/// Makes a job that runs the enricher over the stored rows of its source in a window. It goes on after a restart.
///
/// # Errors
/// 400 for a window that is none; 404 without a plugin of that id; 409 when it is no enricher that serves, or has a job already.
pub async fn create(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    extract::Json(asked): extract::Json<Asked>,
) -> Result<Json<Value>, ApiError> {
    known(&app, &id)?;
    let window = asked.window()?;
    let source = app.plugins.current().enricher_source(&id);
    let relation =
        source.ok_or_else(|| ApiError::conflict(format!("`{id}` is no enricher that serves: only enrichers run over stored rows")))?;
    let (store, plugin) = (app.store.clone(), id.clone());
    let running = blocking(move || store.snapshot()?.jobs(&plugin)).await?.into_iter().any(|job| job.state == "running");
    if running {
        return Err(ApiError::conflict(format!("a job of `{id}` is running; DELETE cancels it")));
    }
    let made = Arc::new(AtomicI64::new(0));
    let now = app.clock.now();
    change(&app, JobChange::Create { plugin_id: id.as_str().into(), relation, window, now, id: Arc::clone(&made) }).await?;
    let (store, number) = (app.store.clone(), made.load(Ordering::Acquire));
    let job = blocking(move || Ok::<_, StoreError>(store.snapshot()?.jobs(&id)?.into_iter().find(|job| job.id == number))).await?;
    Ok(Json(job.map_or(Value::Null, |job| job_json(&job))))
}

/// Cancels the plugin's running jobs. What they stored so far stays.
///
/// # Errors
/// 404 when there is no plugin of that id.
pub async fn cancel(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    known(&app, &id)?;
    let (store, plugin) = (app.store.clone(), id.clone());
    let all = blocking(move || store.snapshot()?.jobs(&plugin)).await?;
    for job in all.iter().filter(|job| job.state == "running") {
        change(&app, JobChange::End { job: job.id, failure: None, now: app.clock.now() }).await?;
    }
    jobs(&app, id).await
}

fn known(app: &App, id: &str) -> Result<(), ApiError> {
    find(&app.plugins.current(), id).map(drop).ok_or_else(|| ApiError::not_found(format!("there is no plugin `{id}`")))
}

async fn jobs(app: &Arc<App>, id: String) -> Result<Json<Value>, ApiError> {
    let store = app.store.clone();
    let jobs = blocking(move || store.snapshot()?.jobs(&id)).await?;
    Ok(Json(json!({ "items": jobs.iter().map(job_json).collect::<Vec<_>>() })))
}

async fn change(app: &App, change: JobChange) -> Result<(), ApiError> {
    let (tell, told) = oneshot::channel();
    let reply = Box::new(move |result: Result<Vec<telemetry_model::Outcome>, StoreError>| drop(tell.send(result.map(drop))));
    match app.store.submit_job(change, reply) {
        Err(SubmitError::Overloaded) => return Err(ApiError::overloaded("the server is busy", 1)),
        Err(SubmitError::Closed) => return Err(StoreError::Closed.into()),
        Ok(()) => {}
    }
    told.await.unwrap_or(Err(StoreError::Closed)).map_err(ApiError::from)
}

impl Asked {
    fn window(&self) -> Result<Window, ApiError> {
        if self.kind.as_deref().is_some_and(|kind| kind != "backfill") {
            return Err(ApiError::field("kind", "there is `backfill` only"));
        }
        let time = |field: &'static str, text: &Option<String>| match text.as_deref().map(Timestamp::parse) {
            None => Ok(None),
            Some(Ok(time)) => Ok(Some(time)),
            Some(Err(error)) => Err(ApiError::field(field, format!("it is {error}"))),
        };
        let window = Window { from: time("from_time", &self.from_time)?, to: time("to_time", &self.to_time)? };
        match (window.from, window.to) {
            (Some(from), Some(to)) if from > to => Err(ApiError::field("from_time", "is after to_time")),
            _ => Ok(window),
        }
    }
}
