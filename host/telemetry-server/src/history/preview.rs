//! What a plugin that is not installed would say of the last rows of its source.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use telemetry_model::query::{Filter, RowQuery, Window};
use telemetry_model::{Field, Relation};
use telemetry_plugins::{ColumnStatus, PluginKind};
use telemetry_store::{RowReference, ScanError, Snapshot};

use super::ledger::Ledger;
use super::opened::{Opened, Version};
use super::said::said;
use super::{HistoryError, word};

/// Rows that are tried at most.
const ROWS: u32 = 100;

/// What it would do.
#[derive(Clone, Debug, Serialize)]
pub struct Preview {
    /// The plugin.
    pub plugin: Version,
    /// What it is.
    pub kind: &'static str,
    /// Whose rows it takes.
    pub source: &'static str,
    /// What it reads.
    pub reads: Vec<ColumnStatus>,
    /// What it writes.
    pub writes: Vec<ColumnStatus>,
    /// Rows that it was tried on: the last of its source, at most 100.
    pub rows: u64,
    /// By outcome, how many of them; a row that it is not called for is in none.
    pub outcomes: BTreeMap<String, u64>,
    /// Rows that cannot be made again as a plugin would see them.
    pub unreadable: u64,
    /// The rows that it says something of, or fails on.
    pub items: Vec<Previewed>,
    /// Of a metric: the columns of its report over all these rows as one group, a row or several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Vec<Map<String, Value>>>,
    /// How it failed the last time, if it did.
    pub last_failure: Option<String>,
    /// CPU time of its calls, microseconds.
    pub cpu_us: u64,
    /// What it logged.
    pub log: Vec<String>,
}

/// What it says of one row.
#[derive(Clone, Debug, Serialize)]
pub struct Previewed {
    /// Which.
    pub row: RowReference,
    /// How it fared; null when it was not called.
    pub outcome: Option<String>,
    /// An enricher's attributes; a validator's violations by field and code; what a masker replaces, by JSON pointer.
    pub values: BTreeMap<String, Value>,
}

/// Runs the plugin over the last rows of a snapshot. What it is handed is noted in `ledger`.
///
/// # Errors
/// [`HistoryError`].
pub fn preview(snapshot: &Snapshot, opened: &Opened, ledger: &mut Ledger) -> Result<Preview, HistoryError> {
    let status = opened.status.clone();
    let mut preview = Preview {
        plugin: opened.version(),
        kind: word(status.kind),
        source: opened.source().as_str(),
        reads: status.reads,
        writes: status.writes,
        rows: 0,
        outcomes: BTreeMap::new(),
        unreadable: 0,
        items: Vec::new(),
        report: None,
        last_failure: None,
        cpu_us: 0,
        log: Vec::new(),
    };
    if opened.kind() == PluginKind::Metric {
        report(&mut preview, snapshot, opened, ledger)?;
    } else {
        rows(&mut preview, snapshot, opened, ledger)?;
    }
    if let Some(status) = crate::live::find(&opened.catalog(), opened.id()) {
        preview.last_failure = status.last_failure;
        preview.cpu_us = status.counters.map_or(0, |counters| counters.cpu_ns / 1_000);
        preview.log = status.log.into_iter().map(|line| line.message).collect();
    }
    Ok(preview)
}

fn rows(preview: &mut Preview, snapshot: &Snapshot, opened: &Opened, ledger: &mut Ledger) -> Result<(), HistoryError> {
    let relation = opened.source();
    let ids = snapshot.last_rows(relation, ROWS)?;
    let mut left = &ids[..];
    while !left.is_empty() {
        let page = said(opened, snapshot, left, &[opened.id()], ledger)?;
        if page.is_empty() {
            return Ok(());
        }
        for (id, said) in left.iter().zip(&page) {
            preview.rows += 1;
            preview.unreadable += u64::from(said.is_unreadable);
            let outcome = said.outcome.and_then(|outcome| serde_json::to_value(outcome).ok()?.as_str().map(str::to_owned));
            if let Some(outcome) = &outcome {
                *preview.outcomes.entry(outcome.clone()).or_default() += 1;
            }
            let has_failed = said.outcome.is_some_and(|outcome| outcome != telemetry_model::outcome::RunOutcome::Ok);
            if has_failed || !said.values.is_empty() {
                let row = snapshot.row_reference(relation, *id)?;
                preview.items.push(Previewed { row, outcome, values: said.values.clone() });
            }
        }
        left = left.get(page.len()..).unwrap_or_default();
    }
    Ok(())
}

fn report(preview: &mut Preview, snapshot: &Snapshot, opened: &Opened, ledger: &mut Ledger) -> Result<(), HistoryError> {
    let metric = opened.catalog().metric(opened.id()).map_err(|error| HistoryError::Unknown(error.to_string()))?;
    let ids = snapshot.last_rows(metric.spec().source, ROWS)?;
    let failed = |preview: &mut Preview, error: &dyn std::fmt::Display| preview.last_failure = Some(error.to_string());
    let mut run = match metric.open(&Map::new()) {
        Ok(run) => run,
        Err(error) => {
            failed(preview, &error);
            return Ok(());
        }
    };
    let families = metric.spec().families.iter().flatten().map(|family| family.as_str().to_owned()).collect::<Vec<_>>();
    let of_family = || Filter::equal(Field::Fixed(Relation::Events, "family"), families.clone());
    let query = RowQuery {
        relation: metric.spec().source,
        columns: metric.spec().reads.clone(),
        window: Window::default(),
        filters: if families.is_empty() { Vec::new() } else { vec![of_family()] },
        group_by: Vec::new(),
        interval: None,
        max_groups: 1,
    };
    let range = ids.first().copied().zip(ids.last().copied());
    let scanned = range.map(|range| snapshot.scan_ids(&query, range, &mut run)).transpose();
    let answer = match scanned {
        Ok(scan) => {
            preview.rows = scan.map_or(0, |scan| scan.matched_rows);
            let grouped = run.ensure_groups(1);
            grouped.and_then(|()| run.answer()).map_err(|error| error.to_string())
        }
        Err(ScanError::Store(error)) => return Err(error.into()),
        Err(ScanError::Sink(error)) => Err(error.to_string()),
        Err(_) => return Err(HistoryError::Stopped),
    };
    // What was handed over is told, also when it failed.
    ledger.queried(run.take_access())?;
    match answer {
        Ok(rows) => {
            let named = |row: telemetry_plugins::MetricRow| {
                metric.spec().outputs.iter().map(|output| output.name.to_string()).zip(row.values).collect()
            };
            preview.report = Some(rows.into_iter().map(named).collect());
        }
        Err(error) => failed(preview, &error),
    }
    Ok(())
}
