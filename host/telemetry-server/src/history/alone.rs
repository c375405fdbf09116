//! What a metric says of each row by itself: what tells which rows a changed metric takes otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use telemetry_model::Batch;
use telemetry_model::batch::Kind;
use telemetry_model::query::{RowQuery, RowSink};
use telemetry_plugins::{CallError, Metric, MetricError, MetricRow};
use telemetry_store::{ScanError, Snapshot, StoreError};

use super::HistoryError;
use super::ledger::Ledger;
use super::said::Said;

/// A metric and how it is asked.
pub(super) struct Alone<'a> {
    pub(super) metric: &'a Arc<Metric>,
    pub(super) parameters: &'a Map<String, Value>,
    pub(super) query: RowQuery,
}

impl Alone<'_> {
    /// What it says of each row whose id is in the range, its end included. Rows that it fails on are found by halves.
    pub(super) fn said(
        &self,
        snapshot: &Snapshot,
        (first, last): (i64, i64),
        ledger: &mut Ledger,
    ) -> Result<BTreeMap<i64, Said>, HistoryError> {
        let mut sink = Rows { alone: self, ids: Vec::new(), found: BTreeMap::new(), ledger };
        match snapshot.scan_ids(&self.query, (first, last), &mut sink) {
            Ok(_) => Ok(sink.found),
            Err(ScanError::Sink(Failed::Store(error)) | ScanError::Store(error)) => Err(error.into()),
            Err(ScanError::Sink(Failed::Metric(_))) if first < last => {
                let middle = first + (last - first) / 2;
                let mut found = self.said(snapshot, (first, middle), ledger)?;
                found.append(&mut self.said(snapshot, (middle + 1, last), ledger)?);
                Ok(found)
            }
            Err(ScanError::Sink(Failed::Metric(error))) => Ok([(first, Said { outcome: Some(error.outcome()), ..Said::default() })].into()),
            Err(ScanError::Stopped | ScanError::TooManyGroups { .. } | ScanError::GroupsTooLarge { .. }) => Err(HistoryError::Stopped),
        }
    }

    fn answer(&self, batch: Batch, ids: &[i64], ledger: &mut Ledger) -> Result<Vec<MetricRow>, Failed> {
        let count = batch.rows;
        let mut run = self.metric.open(self.parameters).map_err(failed)?;
        run.ids(ids);
        let answer = run.rows(batch, count).and_then(|()| run.answer());
        ledger.queried(run.take_access()).map_err(Failed::Store)?;
        answer.map_err(failed)
    }
}

enum Failed {
    Metric(CallError),
    Store(StoreError),
}

fn failed(error: MetricError) -> Failed {
    match error {
        MetricError::Failed { error, .. } => Failed::Metric(error),
        MetricError::InvalidParameter(error) => Failed::Metric(CallError::Declined(error.to_string())),
    }
}

struct Rows<'a, 'l> {
    alone: &'a Alone<'a>,
    ids: Vec<i64>,
    found: BTreeMap<i64, Said>,
    ledger: &'l mut Ledger,
}

impl RowSink for Rows<'_, '_> {
    type Error = Failed;

    fn wants_ids(&self) -> bool {
        true
    }

    fn ids(&mut self, ids: &[i64]) {
        self.ids = ids.to_vec();
    }

    fn rows(&mut self, mut batch: Batch, _group_count: u32) -> Result<(), Failed> {
        each_its_own(&mut batch);
        let outputs = &self.alone.metric.spec().outputs;
        for id in &self.ids {
            self.found.insert(*id, Said { outcome: Some(telemetry_model::outcome::RunOutcome::Ok), ..Said::default() });
        }
        for row in self.alone.answer(batch, &self.ids, self.ledger)? {
            let Some(said) = self.ids.get(row.group as usize).and_then(|id| self.found.get_mut(id)) else { continue };
            for (output, value) in outputs.iter().zip(row.values) {
                add(&mut said.values, &output.name, value);
            }
        }
        Ok(())
    }
}

/// A further row of the same group makes a list of the column.
fn add(values: &mut BTreeMap<String, Value>, name: &str, value: Value) {
    match values.get_mut(name) {
        None => {
            values.insert(name.to_owned(), value);
        }
        Some(Value::Array(list)) => list.push(value),
        Some(before) => *before = Value::Array(vec![before.take(), value]),
    }
}

/// Puts each row into a group of its own: the last column holds the groups.
fn each_its_own(batch: &mut Batch) {
    let Some(groups) = batch.columns.last().filter(|column| column.kind == Kind::Group.code()) else { return };
    let cells = batch.data.get_mut(groups.at as usize..).unwrap_or_default();
    for (row, cell) in (0..batch.rows).zip(cells.chunks_exact_mut(4)) {
        cell.copy_from_slice(&row.to_le_bytes());
    }
}
