//! Plugins while the server runs: what the operator changes on disk or over HTTP is loaded without a restart.

mod changes;
pub(crate) mod switches;
mod watch;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use telemetry_plugins::{Catalog, Compiler, PluginSettings, PluginStatus, Registry};

use crate::config::PluginsConfig;
use crate::journal::Journal;
use crate::server::{StartError, Surroundings};
use watch::{Scene, Teller, Watch};

/// CPU time, in seconds, after which a small component is compiled where it holds up no other.
const QUICK: u64 = 3;

/// The plugins of a running server.
pub struct LivePlugins {
    config: PluginsConfig,
    journal: Journal,
    compiler: Option<Compiler>,
    environment: BTreeMap<String, String>,
    registry: Arc<Registry>,
    /// Why the operator's files could not be used the last time; then what they said before holds.
    trouble: Mutex<Option<String>>,
    watch: OnceLock<Watch>,
    /// One change at a time, from reading the files on.
    changing: Mutex<()>,
}

/// Why a plugin was not switched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SwitchError {
    /// There is none of that id.
    #[error("there is no plugin `{0}`")]
    Unknown(String),
    /// The configuration has it off, and wins.
    #[error("`{0}` is switched off by plugins.disabled of the configuration, which wins")]
    Configured(String),
    /// What was switched could not be kept.
    #[error("{0}")]
    File(String),
}

impl LivePlugins {
    /// Loads what is there, and watches from then on if the configuration says so.
    ///
    /// # Errors
    /// When the operator's files cannot be used, or there can be no engine. A plugin that does not load is no error.
    pub fn open(config: PluginsConfig, surroundings: Surroundings, journal: Journal) -> Result<Arc<Self>, StartError> {
        let Surroundings { program, environment } = surroundings;
        let compiler = program.map(|program| Compiler {
            program,
            args: ["plugin", "compile-one"].map(OsString::from).into(),
            memory_mib: u64::from(config.compile_memory_mib),
            seconds: u64::from(config.compile_seconds),
            quick_seconds: QUICK,
        });
        // Looked at first: what changes while plugins are loaded is loaded again.
        let scene = config.watch.then(|| Scene::of(&config));
        let (teller, heard) = watch::channel();
        let mut settings = config.settings().map_err(StartError::Grants)?;
        settings.compiler.clone_from(&compiler);
        settings.environment.clone_from(&environment);
        settings.journal_key = journal.key();
        let registry = Arc::new(Registry::open(&settings, built(teller.clone()))?);
        changes::log(&[], &registry.current().statuses());
        journal.note_catalog(&registry.current(), &settings);
        let live = Arc::new(LivePlugins {
            config,
            journal,
            compiler,
            environment,
            registry,
            trouble: Mutex::default(),
            watch: OnceLock::new(),
            changing: Mutex::new(()),
        });
        let watch = Watch::start(Arc::downgrade(&live), scene, teller, heard).map_err(StartError::Workers)?;
        // Nobody else has it yet.
        let _ = live.watch.set(watch);
        Ok(live)
    }

    /// What serves now. Take it once a unit of work, and finish on it.
    pub fn current(&self) -> Arc<Catalog> {
        self.registry.current()
    }

    /// For those that work with what serves.
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }

    /// Loads what the folder and the operator's files say now. Blocks.
    ///
    /// # Errors
    /// A sentence when a file of the operator's cannot be used: then nothing changes.
    pub fn reload(&self) -> Result<Arc<Catalog>, String> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        match self.settings() {
            Ok(settings) => {
                *self.trouble() = None;
                let before = self.current().statuses();
                let catalog = self.registry.reload(&settings);
                changes::log(&before, &catalog.statuses());
                self.journal.note_catalog(&catalog, &settings);
                Ok(catalog)
            }
            Err(problem) => {
                tracing::warn!(reason = problem, "plugins not loaded again");
                *self.trouble() = Some(problem.clone());
                Err(problem)
            }
        }
    }

    /// What plugins are loaded with now.
    ///
    /// # Errors
    /// A sentence when a file of the operator's cannot be used.
    pub fn settings(&self) -> Result<PluginSettings, String> {
        let mut settings = self.config.settings()?;
        settings.compiler.clone_from(&self.compiler);
        settings.environment.clone_from(&self.environment);
        settings.journal_key = self.journal.key();
        Ok(settings)
    }

    /// [`LivePlugins::reload`], and what failed to compile is tried again.
    ///
    /// # Errors
    /// As there.
    pub fn reload_all(&self) -> Result<Arc<Catalog>, String> {
        self.registry.retry();
        self.reload()
    }

    /// Switches a plugin on or off, now and after each start. Blocks.
    ///
    /// # Errors
    /// [`SwitchError`].
    pub fn switch(&self, id: &str, on: bool) -> Result<PluginStatus, SwitchError> {
        let unknown = || SwitchError::Unknown(id.to_owned());
        find(&self.current(), id).ok_or_else(unknown)?;
        if on && self.config.disabled.iter().any(|disabled| disabled == id) {
            return Err(SwitchError::Configured(id.to_owned()));
        }
        if let Some(path) = &self.config.switches_file {
            switches::switch(path, id, on).map_err(SwitchError::File)?;
        }
        let catalog = self.reload().map_err(SwitchError::File)?;
        find(&catalog, id).ok_or_else(unknown)
    }

    /// Why the operator's files are not in force, if so.
    pub fn problem(&self) -> Option<String> {
        self.trouble().clone()
    }

    /// Stops watching. Blocks until a change under way is through.
    pub fn close(&self) {
        if let Some(watch) = self.watch.get() {
            watch.stop();
        }
    }

    fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The plugin `id`; of several the one that serves.
pub fn find(catalog: &Catalog, id: &str) -> Option<PluginStatus> {
    let named = catalog.statuses().into_iter().filter(|status| status.id == id);
    named.min_by_key(|status| status.state == telemetry_plugins::PluginState::Refused)
}

fn built(teller: Teller) -> impl Fn() + Send + Sync + 'static {
    move || teller.built()
}
