//! `cylestio-server plugin ..`: what a plugin's author and its operator run. None of it needs a server or a database.

mod build;
mod check;
mod inspect;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use telemetry_devkit::CompileCache;
use telemetry_plugins::{Catalog, PluginSettings};
use telemetry_server::config::{Config, ConfigError};

/// Makes, looks at and prepares plugins.
#[derive(Debug, Subcommand)]
pub enum PluginAction {
    /// Builds the plugin in each folder: writes `<id>.wasm` beside its `plugin.toml`
    Build {
        /// Folders with a `plugin.toml`
        #[arg(default_value = ".")]
        folders: Vec<PathBuf>,
    },
    /// Tells whether the server, as it is configured, would load a component, and which grant it needs
    Check {
        /// The component
        file: PathBuf,
    },
    /// Runs the cases of the plugin in a folder, and those that follow from what it is
    Test {
        /// The folder with `plugin.toml`, `cases/` and the built component
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Shows what a component is, reads, writes, imports and exports
    Inspect {
        /// The component
        file: PathBuf,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Compiles every plugin into the cache, as the first start does by itself
    Compile,
}

/// Runs `action`; `config` loads the configuration that a start would use.
///
/// # Errors
/// Why it could not be done. What was done and found wanting is an exit code.
pub fn run(action: &PluginAction, config: &dyn Fn() -> Result<Config, ConfigError>) -> anyhow::Result<ExitCode> {
    let settings = || settings(&config()?);
    match action {
        PluginAction::Build { folders } => build::run(folders, &settings),
        PluginAction::Check { file } => check::run(file, &config()?),
        PluginAction::Test { folder } => test::run(folder, &cache(&settings()?)),
        PluginAction::Inspect { file, json } => inspect::run(file, *json, settings()?.limits.max_file),
        PluginAction::Compile => {
            Catalog::open(settings()?).map(drop).context("compiling plugins")?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What the component host of a start would be opened with.
fn settings(config: &Config) -> anyhow::Result<PluginSettings> {
    config.plugins.settings().map_err(anyhow::Error::msg).context("reading the grants")
}

/// The cache that server and commands share.
fn cache(settings: &PluginSettings) -> CompileCache {
    CompileCache { path: settings.cache_path.clone(), state: settings.state_path.clone() }
}
