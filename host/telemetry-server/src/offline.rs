//! One plugin over a file of events or over a database, with no server: what it gives, line by line.

mod backfill;
mod events;
mod history;
mod place;
mod report;
mod rows;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use telemetry_model::{Clock, time::SystemClock};
use telemetry_plugins::{Catalog, Origin, PluginKind, PluginState, PluginStatus, Registry};
use telemetry_store::Store;

use crate::config::Config;
use crate::history::Opened;
use crate::journal::Journal;
use crate::processing::try_events;
pub use backfill::{backfill, cancel};
pub(crate) use events::as_sent;
pub use history::{diff, replay};
pub(crate) use place::Place;

/// What is run over what.
#[derive(Clone, Debug)]
pub struct OfflineRun {
    /// The component.
    pub file: PathBuf,
    /// Events, one a line as JSON; without it those of the configured database.
    pub input: Option<PathBuf>,
    /// Parameters of a report, as in its query: `group_by`, `interval`, the metric's own, filters.
    pub query: Vec<(String, String)>,
}

/// Runs the plugin as a server with `config` would, and writes a JSON object a line: for each event what a validator, enricher or masker
/// says of it, for each model call or tool execution what an enricher of those does, for each group what a metric does.
///
/// # Errors
/// When the component would not load, or events or database cannot be read.
pub fn run(config: &Config, run: &OfflineRun, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut settings = config.plugins.settings().map_err(anyhow::Error::msg)?;
    settings.candidate = Some(run.file.clone());
    let stored = if run.input.is_none() { Some(existing(config)?) } else { None };
    settings.journal_key = stored.as_ref().filter(|_| config.plugins.journal).map(|store| store.digest_key().clone());
    let plugins = Arc::new(Registry::open(&settings, || ())?);
    let (status, kind) = serving(&plugins.current(), &run.file)?;
    let id = status.id.clone();
    if kind != PluginKind::Metric && !run.query.is_empty() {
        bail!("only a metric takes parameters of a report, `{id}` is of kind {}", kind.as_str());
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    // The folder goes after the store in it.
    let (_place, store) = match stored {
        None => {
            let place = Place::new(clock.now())?;
            let store = Store::open(telemetry_store::StoreSettings { path: place.database(), ..config.store_settings() })?;
            (Some(place), store)
        }
        Some(store) => {
            // Before any row is handed over.
            Journal::new(store.clone(), clock.clone(), config.plugins.journal).note_offline("plugin run", &id, &plugins.current())?;
            (None, store)
        }
    };
    if kind == PluginKind::Metric {
        if let Some(input) = &run.input {
            report::ingest(&store, &plugins, events::of_file(input)?)?;
        }
        let report = report::compute(&store, &plugins, &id, &run.query, clock);
        store.close();
        return print(out, report?);
    }
    if status.source != Some("events") && kind == PluginKind::Enricher {
        let given = run.input.as_ref().map(|input| events::of_file(input)).transpose();
        let lines = given.and_then(|events| rows::of(&store, Opened { registry: plugins, status }, events, clock));
        store.close();
        return print(out, lines?);
    }
    let given = match &run.input {
        Some(input) => events::of_file(input),
        None => events::of_store(&store),
    };
    let tried = given.map(|events| try_events(&store, &plugins, &id, kind, events, clock.now()));
    store.close();
    print(out, tried?)
}

/// The plugin in `file`, and what it is.
fn serving(catalog: &Catalog, file: &Path) -> anyhow::Result<(PluginStatus, PluginKind)> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let status = catalog.statuses().into_iter().find(|status| status.origin == Origin::File(name.clone()));
    let status = status.with_context(|| format!("`{}` was not looked at", file.display()))?;
    match (status.state, status.kind) {
        (PluginState::Serving, Some(kind)) => Ok((status, kind)),
        (PluginState::SwitchedOff, _) => bail!("`{}` is switched off", status.id),
        _ => {
            let grant = status.grant.map(|lines| format!("\n\nThese lines in the grants would allow it:\n\n{lines}")).unwrap_or_default();
            bail!("`{}` would not load: {}{grant}", file.display(), status.error.unwrap_or_default())
        }
    }
}

/// The configured database, which must be there and not in use.
fn existing(config: &Config) -> anyhow::Result<Store> {
    let path = &config.database.path;
    if !path.is_file() {
        bail!("there is no database `{}`: name one with --db-path, or give events with --input", path.display());
    }
    Store::open(config.store_settings()).with_context(|| format!("opening `{}`", path.display()))
}

fn print(out: &mut dyn Write, lines: impl IntoIterator<Item = impl serde::Serialize>) -> anyhow::Result<()> {
    for line in lines {
        writeln!(out, "{}", serde_json::to_string(&line).context("printing")?).context("printing")?;
    }
    Ok(())
}
