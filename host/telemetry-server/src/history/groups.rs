//! Two reports of one snapshot, group by group.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};
use telemetry_model::Timestamp;
use telemetry_plugins::Metric;
use telemetry_store::{Instead, Snapshot, StoreError};

use super::diff::Sides;
use super::ledger::Ledger;
use crate::analysis::report::{Report, compute};
use crate::analysis::request::ReportRequest;

/// A row of a report that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupChange {
    /// Its bucket, where the report has an interval.
    pub time: Option<Timestamp>,
    /// Its group.
    pub group: Map<String, Value>,
    /// The columns that differ.
    pub values: BTreeMap<String, Sides<Value>>,
}

/// What became of a report.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Groups {
    /// Rows of both reports together.
    pub total: usize,
    /// Rows that differ.
    pub changed: usize,
    /// How a metric failed, where it gave no report: then nothing is compared.
    pub failed: Sides<Option<String>>,
    /// Those that differ, at most so many as were asked for.
    pub items: Vec<GroupChange>,
}

/// The rows of a report by bucket and group; several of one group are numbered.
type Keyed = BTreeMap<(Option<Timestamp>, String, usize), (Map<String, Value>, Map<String, Value>)>;

/// A report that is compared.
pub(super) struct Asking<'a> {
    /// Whose it is.
    pub(super) metric: Arc<Metric>,
    /// What it is asked.
    pub(super) request: ReportRequest,
    /// What stands in for what is stored.
    pub(super) instead: Option<&'a Instead>,
}

/// Compares two reports.
pub(super) fn groups(snapshot: &Snapshot, reports: Sides<Asking<'_>>, limit: usize, ledger: &mut Ledger) -> Result<Groups, StoreError> {
    let mut groups = Groups::default();
    let mut report = |asking: Asking<'_>, failure: &mut Option<String>| {
        let mut accesses = Vec::new();
        let report = compute(snapshot, asking.instead, asking.metric, asking.request, ledger.time(), &mut accesses);
        ledger.queried(accesses)?;
        Ok::<Keyed, StoreError>(match report {
            Ok(report) => keyed(&report),
            Err(error) => {
                *failure = Some(error.to_string());
                Keyed::new()
            }
        })
    };
    let old = report(reports.old, &mut groups.failed.old)?;
    let mut new = report(reports.new, &mut groups.failed.new)?;
    if groups.failed.old.is_some() || groups.failed.new.is_some() {
        return Ok(groups);
    }
    for (key, (group, old)) in old {
        let (_, new) = new.remove(&key).unwrap_or_default();
        groups.add(key.0, group, &old, &new, limit);
    }
    for (key, (group, new)) in new {
        groups.add(key.0, group, &Map::new(), &new, limit);
    }
    groups.items.sort_by_key(|change| change.time);
    Ok(groups)
}

impl Groups {
    fn add(
        &mut self,
        time: Option<Timestamp>,
        group: Map<String, Value>,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        limit: usize,
    ) {
        self.total += 1;
        let value = |side: &Map<String, Value>, name: &String| side.get(name).cloned().unwrap_or_default();
        let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
        let sides = names.map(|name| (name.clone(), Sides { old: value(old, name), new: value(new, name) }));
        let values: BTreeMap<_, _> = sides.filter(|(_, sides)| sides.old != sides.new).collect();
        if values.is_empty() {
            return;
        }
        self.changed += 1;
        if self.items.len() < limit {
            self.items.push(GroupChange { time, group, values });
        }
    }
}

fn keyed(report: &Report) -> Keyed {
    let names: Vec<String> = report.metric.spec().outputs.iter().map(|output| output.name.to_string()).collect();
    let mut keyed = Keyed::new();
    for row in &report.rows {
        let group = report.dimensions(row);
        let text = Value::from(group.clone()).to_string();
        let place = (0..).find(|place| !keyed.contains_key(&(row.key.bucket, text.clone(), *place))).unwrap_or_default();
        let values = names.iter().cloned().zip(row.values.iter().cloned()).collect();
        keyed.insert((row.key.bucket, text, place), (group, values));
    }
    keyed
}
