//! The built parts of the server, made once at start and handed to every request.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use telemetry_model::{Clock, Outcome, Timestamp};
use telemetry_plugins::{PluginState, PluginStatus};
use telemetry_store::{Store, StoreError, SubmitError};
use tokio::sync::{Semaphore, oneshot};

use crate::analysis::pool::MetricPool;
use crate::analysis::report::Reports;
use crate::api::answers::Answers;
use crate::api::health::Degraded;
use crate::config::{Config, ServerConfig};
use crate::journal::Journal;
use crate::live::LivePlugins;
use crate::processing::{Pipeline, PipelineSettings, RowQueue};
use crate::server::{StartError, Surroundings};

/// How long health waits for the writer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What handlers work with: `State<Arc<App>>`.
pub struct App {
    /// The configuration in force.
    pub config: Config,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// When the parts were open.
    pub started_at: Timestamp,
    /// The database.
    pub store: Store,
    /// The plugins.
    pub plugins: Arc<LivePlugins>,
    /// Reports by metric plugins.
    pub reports: Reports,
    /// The write path.
    pub pipeline: Pipeline,
    /// At most one verification of the journal at a time.
    pub audits: Arc<Semaphore>,
    /// At most one plugin is tried out at a time.
    pub previews: Arc<Semaphore>,
    /// Enrichers over stored rows.
    pub rows: RowQueue,
    /// Memory of answers.
    pub answers: Answers,
}

impl App {
    /// Opens the database, loads the plugins and starts the workers. Blocks for as long as that takes.
    ///
    /// # Errors
    /// When a part cannot start; a plugin that cannot be loaded is not one.
    pub fn open(config: Config, clock: Arc<dyn Clock>, surroundings: Surroundings) -> Result<Self, StartError> {
        let store = Store::open(config.store_settings())?;
        make_folder(config.plugins.path.as_deref());
        let journal = Journal::new(store.clone(), clock.clone(), config.plugins.journal);
        let plugins = LivePlugins::open(config.plugins.clone(), surroundings, journal)?;
        let ids = plugins.current().statuses().into_iter().map(|status| status.id.to_string()).collect();
        for (key, reason) in config.plugins.unknown_ids(&ids) {
            tracing::warn!(config.key = key, reason, "setting names no plugin");
        }
        let pool = MetricPool::start(config.plugins.metric_threads as usize, config.plugins.metric_queue as usize)
            .map_err(|_| StartError::Opening)?;
        let limit = Duration::from_secs(config.plugins.report_timeout_s);
        let reports = Reports::new(store.clone(), plugins.registry(), clock.clone(), pool, limit);
        let pipeline = Pipeline::new(store.clone(), plugins.registry(), pipeline_settings(&config.server)).map_err(StartError::Workers)?;
        let answers = Answers::new(config.server.max_answers_bytes());
        let rows = RowQueue::start(store.clone(), plugins.registry(), clock.clone()).map_err(StartError::Workers)?;
        let (audits, previews) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
        Ok(App { started_at: clock.now(), config, clock, store, plugins, reports, pipeline, audits, previews, rows, answers })
    }

    /// Why events cannot be stored whole or read, if so: a write must come back, a row must be readable, and every masker that is on
    /// must be able to run.
    pub async fn failing(&self) -> Option<Degraded> {
        let reason = match self.check_writes().await {
            Err(reason) => reason,
            Ok(()) => match self.check_reads().await {
                Err(reason) => reason,
                Ok(()) => return self.masker_failing(),
            },
        };
        Some(Degraded { part: "database".to_owned(), reason })
    }

    /// A masker that is on and cannot run: content is withheld until it can.
    fn masker_failing(&self) -> Option<Degraded> {
        let (id, reason) = self.plugins.current().failing_maskers().into_iter().next()?;
        Some(Degraded { part: format!("masker {id}"), reason })
    }

    async fn check_writes(&self) -> Result<(), String> {
        let (tell, told) = oneshot::channel();
        let reply = Box::new(move |outcome: Result<Vec<Outcome>, StoreError>| drop(tell.send(outcome)));
        match self.store.check_writes(self.clock.now(), reply) {
            Err(SubmitError::Overloaded) => return Ok(()),
            Err(error) => return Err(error.to_string()),
            Ok(()) => {}
        }
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(Ok(Ok(_))) => Ok(()),
            Ok(Ok(Err(error))) => Err(error.to_string()),
            Ok(Err(_)) => Err("the writer has ended".to_owned()),
            Err(_) => Err(format!("no write came back in {} s", PATIENCE.as_secs())),
        }
    }

    async fn check_reads(&self) -> Result<(), String> {
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || store.check_reads()).await {
            Ok(read) => read.map_err(|error| error.to_string()),
            Err(_) => Err("a read did not end".to_owned()),
        }
    }

    /// What else does not serve.
    pub fn degraded(&self) -> Vec<Degraded> {
        let problem = self.plugins.problem().map(|reason| Degraded { part: "plugins' files".to_owned(), reason });
        let statuses = self.plugins.current().statuses();
        problem.into_iter().chain(statuses.into_iter().filter_map(degraded)).collect()
    }

    /// Commits what was accepted and closes the database. Blocks.
    pub fn close(&self) {
        self.plugins.close();
        self.pipeline.close();
        self.rows.close();
        self.store.close();
    }
}

/// Makes the drop-in folder, so that there is a place to drop plugins into. Without it the server is whole all the same.
fn make_folder(path: Option<&Path>) {
    if let Some(path) = path
        && let Err(error) = std::fs::create_dir_all(path)
    {
        tracing::warn!(plugins.path = %path.display(), %error, "drop-in folder not made");
    }
}

/// Why a plugin, or the newer file of one, does not serve.
fn degraded(status: PluginStatus) -> Option<Degraded> {
    let reason = match (status.error, status.state) {
        (Some(error), PluginState::Serving) => format!("the version before goes on: {error}"),
        (Some(error), _) => error,
        (None, PluginState::BreakerOpen) => "left out for a while: its calls kept failing".to_owned(),
        (None, PluginState::Compiling) => "being compiled".to_owned(),
        (None, PluginState::Serving | PluginState::SwitchedOff | PluginState::Refused) => return None,
    };
    Some(Degraded { part: format!("plugin {}", status.id), reason })
}

/// One worker a core unless told, and room for three of the largest bodies.
fn pipeline_settings(server: &ServerConfig) -> PipelineSettings {
    let largest = server.max_body_bytes().max(server.max_batch_bytes());
    PipelineSettings { workers: server.workers, budget_bytes: largest.saturating_mul(3) }
}
