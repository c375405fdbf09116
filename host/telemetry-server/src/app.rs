//! The built parts of the server, made once at start and handed to every request.

use std::sync::Arc;

use telemetry_model::{Clock, Timestamp};
use telemetry_plugins::{Catalog, PluginState, PluginStatus};
use telemetry_store::Store;

use crate::analysis::pool::MetricPool;
use crate::analysis::report::Reports;
use crate::api::health::Degraded;
use crate::config::Config;
use crate::server::StartError;

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
    pub plugins: Arc<Catalog>,
    /// Reports by metric plugins.
    pub reports: Reports,
}

impl App {
    /// Opens the database, loads the plugins and starts the workers. Blocks for as long as that takes.
    ///
    /// # Errors
    /// When a part cannot start; a plugin that cannot be loaded is not one.
    pub fn open(config: Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let store = Store::open(config.store_settings())?;
        let settings = config.plugins.settings().map_err(StartError::Grants)?;
        let plugins = Arc::new(Catalog::open(settings)?);
        report(&plugins);
        let pool = MetricPool::start(config.plugins.metric_threads as usize, config.plugins.metric_queue as usize)
            .map_err(|_| StartError::Opening)?;
        let reports = Reports::new(store.clone(), plugins.clone(), clock.clone(), pool);
        Ok(App { started_at: clock.now(), config, clock, store, plugins, reports })
    }

    /// Why events cannot be stored or read, if so.
    pub async fn failing(&self) -> Option<Degraded> {
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || store.check_reads()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Degraded { part: "database".into(), reason: error.to_string() }),
            Err(_) => Some(Degraded { part: "database".into(), reason: "the check did not end".into() }),
        }
    }

    /// What else does not serve.
    pub fn degraded(&self) -> Vec<Degraded> {
        let down = |status: &PluginStatus| matches!(status.state, PluginState::Refused | PluginState::BreakerOpen);
        let part = |status: PluginStatus| Degraded {
            part: format!("plugin {}", status.id),
            reason: status.error.unwrap_or_else(|| "left out for a while: its calls kept failing".to_owned()),
        };
        self.plugins.statuses().into_iter().filter(down).map(part).collect()
    }

    /// Commits what was accepted and closes the database. Blocks.
    pub fn close(&self) {}
}

/// Tells the log what was loaded and what was not.
fn report(plugins: &Catalog) {
    for status in plugins.statuses() {
        let (id, version) = (&*status.id, status.version.as_deref().unwrap_or_default());
        match status.state {
            PluginState::Refused => tracing::warn!(plugin.id = id, reason = status.error, "plugin refused"),
            PluginState::SwitchedOff => tracing::info!(plugin.id = id, "plugin switched off"),
            PluginState::Serving | PluginState::BreakerOpen => tracing::info!(plugin.id = id, plugin.version = version, "plugin loaded"),
        }
    }
}
