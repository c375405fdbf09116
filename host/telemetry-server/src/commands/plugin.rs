//! `cylestio-server plugin ..`: what a plugin's author and its operator run. None of it needs a server or a database.

mod backfill;
mod bench;
mod build;
mod check;
mod diff;
mod grant;
mod inspect;
mod lock;
mod new;
mod replay;
mod run;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use telemetry_devkit::CompileCache;
use telemetry_plugins::{Catalog, PluginKind, PluginSettings, SCRIPT};
use telemetry_server::config::{Config, ConfigError};

/// Makes, looks at and prepares plugins.
#[derive(Debug, Subcommand)]
pub enum PluginAction {
    /// Makes a project in a new folder: manifest, source, a case and the SDK, ready to build
    New {
        /// The plugin's id and the folder's name: a-z, 0-9 and hyphens
        name: String,
        /// validator, enricher, masker or metric
        #[arg(long, value_parser = kind)]
        kind: PluginKind,
        /// The language it is written in: rust, c, javascript or python
        #[arg(long)]
        lang: String,
    },
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
    /// Measures what the plugin in a folder costs on the rows of its cases, beside a component that does nothing
    Bench {
        /// The folder with `plugin.toml`, `cases/` and the built component
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Shows what a component is, reads, writes, imports and exports
    Inspect {
        /// The component
        file: PathBuf,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Runs a component over events, with no server, and prints what it gives: a JSON object a line
    Run {
        /// The component
        file: PathBuf,
        /// Events, one a line as JSON; without it those of the database (--db-path)
        #[arg(long, value_name = "FILE")]
        input: Option<PathBuf>,
        /// A metric's groups: fields, with commas between
        #[arg(long, value_name = "FIELDS")]
        group_by: Option<String>,
        /// A parameter of the report, as in its query: the metric's own, interval, from_time, to_time, filters; may be repeated
        #[arg(long = "set", value_name = "NAME=VALUE")]
        parameters: Vec<String>,
    },
    /// Shows which stored rows, and which values of a metric, would change with another version of a plugin
    Diff(diff::DiffArguments),
    /// Runs an enricher over the rows that are stored, and stores what it gives
    Backfill(backfill::BackfillArguments),
    /// Tries a plugin on the rows that are stored: what it gives, how long it takes, how much memory; nothing is stored
    Replay(replay::ReplayArguments),
    /// Shows what a component asks for, and grants it after you confirm
    Grant {
        /// The component
        file: PathBuf,
        /// Fields by name or pattern instead of those it asks, as 'attributes["llm.*"]'; may be repeated
        #[arg(long = "field", value_name = "PATTERN")]
        fields: Vec<String>,
        /// Without asking
        #[arg(long)]
        yes: bool,
    },
    /// Writes down which components load under the policy `locked`: all that would serve now, by id and digest
    Lock,
    /// Compiles every plugin into the cache, as the first start does by itself
    Compile,
    /// Compiles the component on standard input; the server starts this itself
    #[command(hide = true)]
    CompileOne {
        /// How memory is got, priority, MiB, seconds
        limits: Vec<String>,
    },
}

/// Runs `action`; `config` loads the configuration that a start would use.
///
/// # Errors
/// Why it could not be done. What was done and found wanting is an exit code.
pub fn run(action: &PluginAction, config: &dyn Fn() -> Result<Config, ConfigError>) -> anyhow::Result<ExitCode> {
    let settings = || settings(&config()?);
    match action {
        PluginAction::New { name, kind, lang } => new::run(name, *kind, lang),
        PluginAction::Build { folders } => build::run(folders, &settings),
        PluginAction::Check { file } => check::run(file, &config()?),
        PluginAction::Test { folder } => test::run(folder, &cache(&settings()?)),
        PluginAction::Bench { folder, json } => bench::run(folder, *json, &cache(&settings()?)),
        PluginAction::Inspect { file, json } => inspect::run(file, *json, settings()?.limits.max_file),
        PluginAction::Run { file, input, group_by, parameters } => {
            run::run(file, input.as_deref(), group_by.as_deref(), parameters, &config()?)
        }
        PluginAction::Backfill(arguments) => backfill::run(arguments, &config()?),
        PluginAction::Replay(arguments) => replay::run(arguments, &config()?),
        PluginAction::Diff(arguments) => diff::run(arguments, &config()?),
        PluginAction::Grant { file, fields, yes } => grant::run(file, fields, *yes, &config()?),
        PluginAction::Lock => lock::run(&config()?),
        PluginAction::Compile => {
            let settings = settings()?;
            Catalog::keep_compiled(&settings, SCRIPT.wasm).context("compiling `script`")?;
            Catalog::open(settings).map(drop).context("compiling plugins")?;
            Ok(ExitCode::SUCCESS)
        }
        PluginAction::CompileOne { limits } => {
            telemetry_plugins::compile_piped(limits).map_err(anyhow::Error::msg)?;
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

/// `NAME=VALUE` of `--set`.
fn pairs(parameters: &[String]) -> anyhow::Result<Vec<(String, String)>> {
    let pair = |parameter: &String| {
        let (name, value) = parameter.split_once('=').with_context(|| format!("`--set {parameter}`: it is NAME=VALUE"))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    parameters.iter().map(pair).collect()
}

fn kind(word: &str) -> Result<PluginKind, String> {
    let kinds = [PluginKind::Validator, PluginKind::Enricher, PluginKind::Masker, PluginKind::Metric];
    kinds.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| "it is one of validator, enricher, masker, metric".to_owned())
}
