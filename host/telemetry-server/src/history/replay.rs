//! One plugin over what is stored: what it gives, what it takes.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;
use telemetry_model::Timestamp;
use telemetry_model::outcome::RunOutcome;
use telemetry_plugins::{CounterValues, PluginKind, PluginState, thread_cpu_ns};
use telemetry_store::{RowReference, Snapshot};

use super::HistoryError;
use super::diff::{Asked, request};
use super::ledger::Ledger;
use super::opened::{Opened, Version};
use super::said::{Said, said};
use crate::analysis::params::{InvalidParams, Problem};
use crate::analysis::report::compute;

const ROWS: u32 = 256;

/// A row on which the plugin fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedRow {
    /// Which.
    pub row: RowReference,
    /// How.
    pub outcome: RunOutcome,
}

/// What a trial came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replay {
    /// Which plugin.
    pub plugin: Version,
    /// What it is.
    pub kind: &'static str,
    /// Whose rows it takes.
    pub source: &'static str,
    /// Rows from then on.
    pub from_time: Option<Timestamp>,
    /// Rows before then.
    pub to_time: Option<Timestamp>,
    /// Rows there are.
    pub rows: u64,
    /// Rows that it was handed, by outcome; of a metric all together.
    pub outcomes: BTreeMap<String, u64>,
    /// Rows for which it gives something, by attribute, violation or place in the event; of a metric rows of its report.
    pub gives: BTreeMap<String, u64>,
    /// Events that cannot be made again as it would see them.
    pub unreadable: u64,
    /// Calls of the component.
    pub calls: u64,
    /// CPU nanoseconds of these calls, fresh instances included, for each row that was handed over; null when none was.
    pub call_ns_per_row: Option<f64>,
    /// CPU nanoseconds of everything, reading the row and checking the answer included, for each row.
    pub total_ns_per_row: Option<f64>,
    /// Seconds of wall time.
    pub seconds: f64,
    /// The most linear memory that an instance had, bytes.
    pub peak_memory_bytes: u64,
    /// What it may have, bytes.
    pub memory_limit_bytes: Option<usize>,
    /// How its last call that failed did.
    pub last_failure: Option<String>,
    /// Rows on which it fails, at most so many as were asked for.
    pub failed_rows: Vec<FailedRow>,
}

/// Runs `plugin` over the stored rows of a snapshot.
///
/// # Errors
/// [`HistoryError`].
pub fn replay(
    snapshot: &Snapshot,
    plugin: &Opened,
    asked: &Asked,
    ledger: &mut Ledger,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Replay, HistoryError> {
    let (cpu, started) = (thread_cpu_ns(), Instant::now());
    let mut replay = empty(plugin, asked);
    if plugin.kind() == PluginKind::Metric {
        report(snapshot, plugin, asked, ledger, &mut replay)?;
    } else if let Some((name, _)) = asked.query.first() {
        let reason = format!("only a metric takes parameters of a report, not {}", plugin.kind().as_str());
        return Err(InvalidParams(vec![Problem { field: name.clone(), reason }]).into());
    } else {
        pages(snapshot, plugin, asked, ledger, progress, &mut replay)?;
    }
    replay.measure(plugin, thread_cpu_ns().saturating_sub(cpu), started.elapsed().as_secs_f64());
    Ok(replay)
}

fn empty(plugin: &Opened, asked: &Asked) -> Replay {
    Replay {
        plugin: plugin.version(),
        kind: plugin.kind().as_str(),
        source: plugin.source().as_str(),
        from_time: asked.window.from,
        to_time: asked.window.to,
        rows: 0,
        outcomes: BTreeMap::new(),
        gives: BTreeMap::new(),
        unreadable: 0,
        calls: 0,
        call_ns_per_row: None,
        total_ns_per_row: None,
        seconds: 0.0,
        peak_memory_bytes: 0,
        memory_limit_bytes: plugin.status.limits.map(|limits| limits.memory_bytes),
        last_failure: None,
        failed_rows: Vec::new(),
    }
}

/// Shows `take` what the plugin says of each row.
fn each(
    snapshot: &Snapshot,
    plugin: &Opened,
    asked: &Asked,
    ledger: &mut Ledger,
    take: &mut dyn FnMut(i64, Said) -> Result<(), HistoryError>,
) -> Result<(), HistoryError> {
    let mut after = None;
    loop {
        let rows = snapshot.window_rows(plugin.source(), asked.window, after, i64::MAX, ROWS)?;
        let ids: Vec<i64> = rows.iter().map(|(_, id)| *id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let found = said(plugin, snapshot, &ids, &[plugin.id()], ledger)?;
        let Some(last) = rows.get(..found.len()).and_then(<[_]>::last) else { return Ok(()) };
        after = Some(*last);
        ids.into_iter().zip(found).try_for_each(|(id, said)| take(id, said))?;
    }
}

fn pages(
    snapshot: &Snapshot,
    plugin: &Opened,
    asked: &Asked,
    ledger: &mut Ledger,
    progress: &mut dyn FnMut(u64) -> bool,
    replay: &mut Replay,
) -> Result<(), HistoryError> {
    each(snapshot, plugin, asked, ledger, &mut |id, said| {
        replay.add(&said);
        if let Some(outcome) = said.outcome.filter(|outcome| *outcome != RunOutcome::Ok)
            && replay.failed_rows.len() < asked.limit
        {
            replay.failed_rows.push(FailedRow { row: snapshot.row_reference(plugin.source(), id)?, outcome });
        }
        if progress(replay.rows) { Ok(()) } else { Err(HistoryError::Stopped) }
    })
}

fn report(snapshot: &Snapshot, plugin: &Opened, asked: &Asked, ledger: &mut Ledger, replay: &mut Replay) -> Result<(), HistoryError> {
    let metric = plugin.catalog().metric(plugin.id()).map_err(|error| HistoryError::Unknown(error.to_string()))?;
    let request = request(&metric, &[], asked, ledger.time())?;
    let mut accesses = Vec::new();
    let report = compute(snapshot, None, metric, request, ledger.time(), &mut accesses);
    ledger.queried(accesses)?;
    match report {
        Ok(report) => {
            replay.rows = report.matched_rows;
            replay.outcomes.insert("ok".to_owned(), report.matched_rows);
            for row in &report.rows {
                for (output, _) in report.metric.spec().outputs.iter().zip(&row.values).filter(|(_, value)| !value.is_null()) {
                    *replay.gives.entry(output.name.to_string()).or_default() += 1;
                }
            }
        }
        Err(error) => replay.last_failure = Some(error.to_string()),
    }
    Ok(())
}

/// What a plugin says of one row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowLine {
    /// Which.
    pub row: RowReference,
    /// What it sets, by key.
    pub set: BTreeMap<String, Value>,
    /// How it fared; null when it was not called for this row.
    pub outcome: Option<RunOutcome>,
}

/// What `plugin` says of each stored row, by the rows' time.
///
/// # Errors
/// [`HistoryError`].
pub fn lines(snapshot: &Snapshot, plugin: &Opened, ledger: &mut Ledger) -> Result<Vec<RowLine>, HistoryError> {
    let mut lines = Vec::new();
    each(snapshot, plugin, &Asked::default(), ledger, &mut |id, said| {
        let row = snapshot.row_reference(plugin.source(), id)?;
        lines.push(RowLine { row, set: said.values, outcome: said.outcome });
        Ok(())
    })?;
    Ok(lines)
}

impl Replay {
    fn add(&mut self, said: &Said) {
        self.rows += 1;
        self.unreadable += u64::from(said.is_unreadable);
        if let Some(outcome) = said.outcome {
            let word = serde_json::to_value(outcome).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
            *self.outcomes.entry(word).or_default() += 1;
        }
        for (key, _) in said.values.iter().filter(|(_, value)| **value != Value::Null) {
            *self.gives.entry(key.clone()).or_default() += 1;
        }
    }

    fn measure(&mut self, plugin: &Opened, cpu: u64, seconds: f64) {
        let statuses = plugin.catalog().statuses();
        let now = statuses.into_iter().find(|status| status.id == plugin.id() && status.state == PluginState::Serving);
        let counters = now.as_ref().and_then(|status| status.counters).unwrap_or_default();
        let CounterValues { calls, rows, cpu_ns, peak_memory_bytes, .. } = counters;
        self.calls = calls;
        self.call_ns_per_row = (rows > 0).then(|| cpu_ns as f64 / rows as f64);
        self.total_ns_per_row = (self.rows > 0).then(|| cpu as f64 / self.rows as f64);
        (self.seconds, self.peak_memory_bytes) = (seconds, peak_memory_bytes);
        self.last_failure = self.last_failure.take().or_else(|| now.and_then(|status| status.last_failure));
    }
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = |ns: Option<f64>| ns.map_or_else(|| "-".to_owned(), |ns| format!("{ns:.0} ns"));
        writeln!(f, "{}: {} over {}, {} rows in {:.1} s", self.plugin, self.kind, self.source, self.rows, self.seconds)?;
        writeln!(f, "{:<32}{:>14}", "CPU of calls, a row", ns(self.call_ns_per_row))?;
        writeln!(f, "{:<32}{:>14}", "CPU of everything, a row", ns(self.total_ns_per_row))?;
        writeln!(f, "{:<32}{:>14}", "calls", self.calls)?;
        let limit = self.memory_limit_bytes.map_or_else(String::new, |limit| format!(" of {} KiB", limit >> 10));
        writeln!(f, "{:<32}{:>10} KiB{limit}", "peak memory", self.peak_memory_bytes >> 10)?;
        for (what, counts) in [("rows by outcome", &self.outcomes), ("rows it gives something for", &self.gives)] {
            if !counts.is_empty() {
                writeln!(f, "\n{what}")?;
            }
            for (name, count) in counts {
                writeln!(f, "  {name:<30}{count:>14}")?;
            }
        }
        if self.unreadable > 0 {
            writeln!(f, "\n{} events cannot be made again as it would see them", self.unreadable)?;
        }
        for failed in &self.failed_rows {
            let RowReference { relation, id, .. } = &failed.row;
            writeln!(f, "failed on {relation} {id}: {:?}", failed.outcome)?;
        }
        match &self.last_failure {
            Some(failure) => writeln!(f, "last failure: {failure}"),
            None => Ok(()),
        }
    }
}
