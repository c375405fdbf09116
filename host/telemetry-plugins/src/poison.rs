//! Running a plugin over rows so that one bad row costs its neighbours nothing.
//!
//! The rows of the families that it asks for go together (an instance costs more than cells that are absent), cut by number and bytes. The rows of a cut that failed run again one by one, each in a fresh
//! instance; only those that fail alone take the on-failure action. While the breaker is open no row is tried.

use std::borrow::Cow;
use std::time::Instant;

use telemetry_model::outcome::RunOutcome;
use telemetry_model::{Batch, Family, Rows};

use crate::call::{CallError, Used};
use crate::journal::Witness;
use crate::plugin::Plugin;
use crate::project::{project, recycle};
use crate::settings::Limits;

pub(crate) const MS: u64 = 1_000_000;
const MIB: u64 = 1 << 20;
/// How often a call that the host could not run is tried.
const HOST_TRIES: usize = 3;

/// Whether a call that failed so is worth another try after `tries` of them. A row alone that ran out of time gets a second one: what a
/// hypervisor takes from a thread counts as the thread's own time, and there is no neighbour to tell by.
pub(crate) fn is_worth_another(error: &CallError, alone: bool, tries: usize) -> bool {
    match error {
        CallError::Deadline(_) => alone && tries < 2,
        error => !error.is_plugins() && tries < HOST_TRIES,
    }
}

/// Takes what a plugin said of rows.
pub(crate) trait RowTask {
    /// Notes what the plugin is handed.
    fn witness(&mut self) -> &mut Witness;
    /// Calls the plugin with `batch`, the projection of `chosen`, and keeps its answer if all of it is good.
    fn attempt(&mut self, chosen: &[u32], batch: &Batch, budget: u64) -> (Result<(), CallError>, Used);
    /// Row `row` failed alone, or was not tried.
    fn failed(&mut self, row: u32, outcome: RunOutcome, error: Option<&CallError>);
    /// Rows that were answered.
    fn done(&mut self, chosen: &[u32]);
}

/// The rows and their families, looked up once for all plugins.
pub(crate) struct Families {
    rows: Vec<u32>,
    of: Vec<Family>,
}

impl Families {
    pub(crate) fn of(rows: &dyn Rows) -> Self {
        Families { rows: (0..rows.len() as u32).collect(), of: (0..rows.len()).map(|row| rows.family(row)).collect() }
    }

    /// The rows of these families; of all when none are named.
    fn of_these(&self, wanted: Option<&[Family]>) -> Cow<'_, [u32]> {
        let Some(wanted) = wanted else { return Cow::Borrowed(&self.rows) };
        let is_wanted = |(row, family): (&u32, &Family)| wanted.contains(family).then_some(*row);
        Cow::Owned(self.rows.iter().zip(&self.of).filter_map(is_wanted).collect())
    }
}

/// Runs `plugin` over the rows it is called for.
pub(crate) fn run(plugin: &Plugin, limits: &Limits, rows: &dyn Rows, families: &Families, task: &mut dyn RowTask) {
    let chosen = families.of_these(plugin.manifest.families.as_deref());
    chosen.chunks(limits.batch_rows.max(1)).for_each(|cut| run_cut(plugin, limits, rows, cut, task));
}

fn run_cut(plugin: &Plugin, limits: &Limits, rows: &dyn Rows, cut: &[u32], task: &mut dyn RowTask) {
    if skip(plugin, cut, task) {
        return;
    }
    let batch = project(rows, cut, &plugin.manifest.reads);
    if batch.data.len() > limits.batch_bytes && cut.len() > 1 {
        recycle(batch);
        let (left, right) = cut.split_at(cut.len() / 2);
        run_cut(plugin, limits, rows, left, task);
        run_cut(plugin, limits, rows, right, task);
        return;
    }
    let budget = plugin.limits.deadline_ms * MS + 50_000 * cut.len() as u64 + by_bytes(batch.data.len());
    let result = call(plugin, cut, &batch, budget, task);
    recycle(batch);
    match result {
        Ok(()) => {
            task.done(cut);
            plugin.breaker().batch(Instant::now(), 0, cut.len());
        }
        // A batch of one was alone already, and had more time than a row run alone.
        Err(error) if cut.len() == 1 => {
            fail(plugin, cut, &error, task);
            plugin.breaker().batch(Instant::now(), 1, 1);
        }
        Err(_) => run_alone(plugin, rows, cut, task),
    }
}

/// Leaves rows out while the breaker is open.
fn skip(plugin: &Plugin, rows: &[u32], task: &mut dyn RowTask) -> bool {
    let open = plugin.breaker().is_open(Instant::now());
    if open {
        plugin.counters.skip(rows.len());
        rows.iter().for_each(|row| task.failed(*row, RunOutcome::BreakerOpen, None));
    }
    open
}

fn run_alone(plugin: &Plugin, rows: &dyn Rows, cut: &[u32], task: &mut dyn RowTask) {
    let mut failed = 0;
    // One that may wait gets the time of two calls for all of them: others wait for it.
    let patience = plugin.callee.waiting.as_ref().map(|waiting| (Instant::now(), waiting.limit.saturating_mul(2)));
    for row in cut {
        let chosen = std::slice::from_ref(row);
        if patience.is_some_and(|(since, limit)| since.elapsed() >= limit) {
            failed += 1;
            plugin.counters.skip(1);
            task.failed(*row, RunOutcome::Deadline, None);
            continue;
        }
        // What has failed so far may have opened it.
        if skip(plugin, chosen, task) {
            continue;
        }
        let batch = project(rows, chosen, &plugin.manifest.reads);
        let usual = 20 * plugin.breaker().pace() * batch.data.len() as u64;
        let budget = (2 * MS + 200_000 + by_bytes(batch.data.len())).max(usual);
        let result = call(plugin, chosen, &batch, budget, task);
        recycle(batch);
        match result {
            Ok(()) => task.done(chosen),
            Err(error) => {
                failed += usize::from(error.is_plugins());
                fail(plugin, chosen, &error, task);
            }
        }
    }
    plugin.breaker().batch(Instant::now(), failed, cut.len());
}

/// One call; again when that may help.
fn call(plugin: &Plugin, chosen: &[u32], batch: &Batch, budget: u64, task: &mut dyn RowTask) -> Result<(), CallError> {
    task.witness().handing(chosen, batch);
    let mut tries = 0;
    loop {
        let (result, used) = task.attempt(chosen, batch, budget);
        task.witness().looked_up(&used.1);
        plugin.counters.call(chosen.len(), batch.data.len(), &used, result.as_ref().err());
        tries += 1;
        match result {
            Err(error) if is_worth_another(&error, chosen.len() == 1, tries) => std::thread::yield_now(),
            Err(error) if !error.is_plugins() => return Err(error),
            result => {
                plugin.breaker().call(Instant::now(), used.0, batch.data.len(), result.is_err());
                return result;
            }
        }
    }
}

fn fail(plugin: &Plugin, rows: &[u32], error: &CallError, task: &mut dyn RowTask) {
    plugin.counters.poison();
    rows.iter().for_each(|row| task.failed(*row, error.outcome(), Some(error)));
}

pub(crate) fn by_bytes(bytes: usize) -> u64 {
    200 * MS * bytes as u64 / MIB
}
