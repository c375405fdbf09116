//! `GET /v1/metrics/tokens`: the totals of a window, by model, and by whatever else is asked.

use serde_json::{Map, Value, json};
use telemetry_model::{Field, Relation, Timestamp};

use super::params::InvalidParams;
use super::report::{Report, ReportRow, group_value};
use super::request::{Manner, ReportRequest, Setting};
use super::series::THIRTY_DAYS;

/// The plugin that computes it.
pub const TOKENS: &str = "token-usage";

/// The reports that one answer is made of, to be run over one snapshot in this order.
#[derive(Clone, Debug)]
pub struct TokenRequests {
    total: ReportRequest,
    by_model: ReportRequest,
    breakdown: Option<ReportRequest>,
    over_time: Option<ReportRequest>,
}

impl TokenRequests {
    /// Reads v1's parameters: the window (30 days when absent), `group_by`, `interval`, and filters on fields.
    ///
    /// # Errors
    /// All problems at once.
    pub fn read(pairs: &[(String, String)], settings: &[Setting], now: Timestamp) -> Result<Self, InvalidParams> {
        let manner = Manner { groups: "group_by", window: Some(THIRTY_DAYS), interval: None };
        let asked = ReportRequest::read(pairs, Relation::LlmCalls, settings, manner, now)?;
        let total = ReportRequest { group_by: Vec::new(), interval: None, ..asked.clone() };
        let model = ("model".to_owned(), Field::Fixed(Relation::LlmCalls, "model"));
        let by_model = ReportRequest { group_by: vec![model.clone()], ..total.clone() };
        let beyond_model = asked.group_by.iter().any(|(_, field)| *field != model.1);
        let breakdown = beyond_model.then(|| ReportRequest { interval: None, ..asked.clone() });
        let over_time = asked.interval.is_some().then_some(asked);
        Ok(TokenRequests { total, by_model, breakdown, over_time })
    }

    /// The requests in order.
    pub fn all(&self) -> Vec<ReportRequest> {
        let first = [self.total.clone(), self.by_model.clone()];
        first.into_iter().chain(self.breakdown.clone()).chain(self.over_time.clone()).collect()
    }

    /// The answer, from the reports of [`TokenRequests::all`].
    pub fn answer(&self, reports: &[Report]) -> Value {
        let mut reports = reports.iter();
        let mut answer = Map::new();
        if let Some(total) = reports.next() {
            answer.extend(total.rows.first().map(|row| outputs(total, row)).unwrap_or_default());
        }
        if let Some(by_model) = reports.next() {
            let models = by_model.rows.iter().map(|row| {
                let name = row.key.values.first().and_then(Option::as_ref).map_or(Value::Null, group_value);
                named("name", name, outputs(by_model, row))
            });
            answer.insert("models".into(), models.collect());
        }
        if let Some(breakdown) = self.breakdown.as_ref().and_then(|_| reports.next()) {
            let groups = breakdown.rows.iter();
            let groups = groups.map(|row| named("dimensions", breakdown.dimensions(row).into(), outputs(breakdown, row)));
            answer.insert("breakdown".into(), groups.collect());
        }
        if let Some(over_time) = self.over_time.as_ref().and_then(|_| reports.next()) {
            let points = over_time.rows.iter().map(|row| {
                let point = named("timestamp", json!(row.key.bucket), outputs(over_time, row));
                named("dimensions", over_time.dimensions(row).into(), point)
            });
            answer.insert("time_series".into(), points.collect());
        }
        answer.insert("from_time".into(), json!(self.total.window.from));
        answer.insert("to_time".into(), json!(self.total.window.to));
        Value::Object(answer)
    }
}

fn outputs(report: &Report, row: &ReportRow) -> Map<String, Value> {
    let names = report.metric.spec().outputs.iter().map(|output| output.name.to_string());
    names.zip(row.values.iter().cloned()).collect()
}

fn named(name: &str, value: Value, mut values: Map<String, Value>) -> Map<String, Value> {
    values.insert(name.to_owned(), value);
    values
}
