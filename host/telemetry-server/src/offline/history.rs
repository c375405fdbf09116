//! Trials on a database that no server uses.

use std::sync::Arc;

use anyhow::Context;
use telemetry_model::{Clock, time::SystemClock};
use telemetry_plugins::PluginSettings;
use telemetry_store::{EntryKind, Store};

use super::existing;
use crate::config::Config;
use crate::history::{self, Asked, Diff, HistoryError, Ledger, Named, Opened, Replay, Sides};
use crate::journal::Journal;

/// What would change in the configured database with `new` in the place of `old`. `progress` is told how many rows are done.
///
/// # Errors
/// When one does not load, or the database cannot be read or is in use.
pub fn diff(config: &Config, old: &Named, new: &Named, asked: &Asked, progress: &mut dyn FnMut(u64) -> bool) -> anyhow::Result<Diff> {
    let store = existing(config)?;
    let mut done = || {
        let settings = settings(config, &store)?;
        let instead = if let Named::Id(id) = new { Some(id.as_str()) } else { None };
        let old = Opened::open(&settings, old, instead).map_err(told)?;
        let new = Opened::open(&settings, new, Some(old.id())).map_err(told)?;
        let plugins = Sides { old, new };
        let detail = history::detail("plugin diff", &[&plugins.old, &plugins.new]);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        note(config, &store, &clock, "plugin diff", &[&plugins.old, &plugins.new])?;
        let snapshot = store.snapshot()?;
        let mut ledger = Ledger::new(&store, &snapshot, EntryKind::Offline, clock.now(), &detail)?;
        let diff = history::diff(&snapshot, &plugins, asked, &mut ledger, progress);
        // What was handed over is told, also when it failed.
        ledger.finish()?;
        diff.map_err(told)
    };
    let done = done();
    store.close();
    done
}

/// What a plugin gives for the stored rows of the configured database, and what it takes. `progress` is told how many rows are done.
///
/// # Errors
/// As [`diff`].
pub fn replay(config: &Config, named: &Named, asked: &Asked, progress: &mut dyn FnMut(u64) -> bool) -> anyhow::Result<Replay> {
    let store = existing(config)?;
    let mut done = || {
        let plugin = Opened::open(&settings(config, &store)?, named, None).map_err(told)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        note(config, &store, &clock, "plugin replay", &[&plugin])?;
        let snapshot = store.snapshot()?;
        let detail = history::detail("plugin replay", &[&plugin]);
        let mut ledger = Ledger::new(&store, &snapshot, EntryKind::Offline, clock.now(), &detail)?;
        let replay = history::replay(&snapshot, &plugin, asked, &mut ledger, progress);
        ledger.finish()?;
        replay.map_err(told)
    };
    let done = done();
    store.close();
    done
}

/// Before any row is handed over, one entry a plugin.
pub(super) fn note(config: &Config, store: &Store, clock: &Arc<dyn Clock>, command: &str, plugins: &[&Opened]) -> anyhow::Result<()> {
    let journal = Journal::new(store.clone(), clock.clone(), config.plugins.journal);
    for plugin in plugins {
        journal.note_offline(command, plugin.id(), &plugin.catalog()).context("writing the journal")?;
    }
    Ok(())
}

/// The settings of a start on this database.
pub(super) fn settings(config: &Config, store: &Store) -> anyhow::Result<PluginSettings> {
    let mut settings = config.plugins.settings().map_err(anyhow::Error::msg)?;
    settings.journal_key = config.plugins.journal.then(|| store.digest_key().clone());
    Ok(settings)
}

/// With the lines that would grant it, where that is what is missing.
pub(super) fn told(error: HistoryError) -> anyhow::Error {
    match &error {
        HistoryError::Refused { grant: Some(lines), .. } => {
            anyhow::anyhow!("{error}\n\nThese lines in the grants would allow it:\n\n{lines}")
        }
        _ => error.into(),
    }
}
