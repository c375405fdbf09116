//! A job carried on in a database that no server uses.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use telemetry_model::query::Window;
use telemetry_model::{Clock, time::SystemClock};
use telemetry_plugins::{Catalog, Registry};
use telemetry_store::{JobChange, Store, StoreError, StoredJob, SubmitError};

use super::existing;
use super::history::settings;
use crate::config::Config;
use crate::history::{job_json, whole_job};
use crate::journal::Journal;
use crate::live::find;
use crate::processing::RowQueue;

/// How often progress is looked at.
const MOMENT: Duration = Duration::from_millis(100);

/// Runs the enricher `id` over the stored rows of its source in `window`, or carries on the job that it has; gives the job as it ended.
/// `progress` is shown the job again and again.
///
/// # Errors
/// When it is no enricher that serves, or the database cannot be used.
pub fn backfill(config: &Config, id: &str, window: Window, progress: &mut dyn FnMut(&Value)) -> anyhow::Result<Value> {
    let store = existing(config)?;
    let mut work = || {
        let plugins = Arc::new(Registry::open(&settings(config, &store)?, || ())?);
        let Some(relation) = plugins.current().enricher_source(id) else { bail!("{}", why_not(&plugins.current(), id)) };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        // Before any row is handed over.
        Journal::new(store.clone(), clock.clone(), config.plugins.journal).note_offline("plugin backfill", id, &plugins.current())?;
        let number = match running(&store, id)? {
            Some(job) => job.id,
            None => {
                let made = Arc::new(AtomicI64::new(0));
                let new = JobChange::Create { plugin_id: id.into(), relation, window, now: clock.now(), id: Arc::clone(&made) };
                change(&store, new)?;
                made.load(Ordering::Acquire)
            }
        };
        let rows = RowQueue::start(store.clone(), plugins, clock).context("starting a thread")?;
        let ended = follow(&store, id, number, progress);
        rows.close();
        ended
    };
    let ended = work();
    store.close();
    ended
}

/// Cancels the running job of the plugin `id`; gives it as it is then. `None`: it has none.
///
/// # Errors
/// When the database cannot be used.
pub fn cancel(config: &Config, id: &str) -> anyhow::Result<Option<Value>> {
    let store = existing(config)?;
    let work = || {
        let Some(job) = running(&store, id)? else { return Ok(None) };
        change(&store, JobChange::End { job: job.id, failure: None, now: SystemClock.now() })?;
        Ok(found(&store, id, job.id)?.map(|job| job_json(&job)))
    };
    let done = work();
    store.close();
    done
}

fn follow(store: &Store, id: &str, number: i64, progress: &mut dyn FnMut(&Value)) -> anyhow::Result<Value> {
    loop {
        let job = found(store, id, number)?.context("the job is gone")?;
        progress(&job_json(&job));
        if job.state != "running" {
            return Ok(whole_job(&store.snapshot()?, &job)?);
        }
        std::thread::park_timeout(MOMENT);
    }
}

fn running(store: &Store, id: &str) -> Result<Option<StoredJob>, StoreError> {
    Ok(store.snapshot()?.jobs(id)?.into_iter().find(|job| job.state == "running"))
}

fn found(store: &Store, id: &str, number: i64) -> Result<Option<StoredJob>, StoreError> {
    Ok(store.snapshot()?.jobs(id)?.into_iter().find(|job| job.id == number))
}

fn change(store: &Store, change: JobChange) -> Result<(), StoreError> {
    let (tell, told): (mpsc::SyncSender<Result<(), StoreError>>, _) = sync_channel(1);
    let queued = store.submit_job(change, Box::new(move |done| drop(tell.send(done.map(drop)))));
    queued.map_err(|error| match error {
        SubmitError::Overloaded => StoreError::Busy,
        SubmitError::Closed => StoreError::Closed,
    })?;
    told.recv().unwrap_or(Err(StoreError::Closed))
}

fn why_not(catalog: &Catalog, id: &str) -> String {
    match find(catalog, id) {
        None => format!("there is no plugin `{id}`"),
        Some(status) => match status.error {
            Some(error) => format!("`{id}` does not serve: {error}"),
            None => format!("`{id}` is no enricher that serves: only enrichers run over stored rows"),
        },
    }
}
