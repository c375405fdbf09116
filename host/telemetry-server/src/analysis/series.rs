//! Reports in the shapes of v1's metric routes: one column of one metric over time.

use serde::Serialize;
use serde_json::Value;
use telemetry_model::{Relation, Timestamp};

use super::params::InvalidParams;
use super::report::Report;
use super::request::{Manner, ReportRequest, Setting};
use super::window::{DAY, DefaultWindow};

/// One of v1's routes that answer a `MetricResponse`.
#[derive(Clone, Copy, Debug)]
pub struct Series {
    /// What v1 calls it: `llm_request_count`.
    pub name: &'static str,
    /// The plugin that computes it.
    pub metric: &'static str,
    /// The output that is the value.
    pub column: &'static str,
}

/// `GET /v1/metrics/llm/request_count`.
pub const REQUEST_COUNT: Series = Series { name: "llm_request_count", metric: "llm-calls", column: "calls" };
/// `GET /v1/metrics/tool/success_rate`.
pub const TOOL_SUCCESS_RATE: Series = Series { name: "tool_success_rate", metric: "tool-calls", column: "success_rate" };

/// v1's default window of its metric routes.
pub const THIRTY_DAYS: DefaultWindow = DefaultWindow::Last(30 * DAY);

/// v1's `MetricResponse`.
#[derive(Clone, Debug, Serialize)]
pub struct MetricResponse {
    metric: &'static str,
    from_time: Option<Timestamp>,
    to_time: Option<Timestamp>,
    interval: Option<String>,
    data: Vec<MetricDataPoint>,
}

#[derive(Clone, Debug, Serialize)]
struct MetricDataPoint {
    timestamp: Option<Timestamp>,
    value: Value,
    dimensions: serde_json::Map<String, Value>,
}

impl Series {
    /// Reads v1's parameters: the window, `interval` (a day when absent), `dimensions`, and filters on fields.
    ///
    /// # Errors
    /// All problems at once.
    pub fn read(
        &self,
        pairs: &[(String, String)],
        relation: Relation,
        settings: &[Setting],
        now: Timestamp,
    ) -> Result<ReportRequest, InvalidParams> {
        let manner = Manner { groups: "dimensions", window: Some(THIRTY_DAYS), interval: Some("1d") };
        ReportRequest::read(pairs, relation, settings, manner, now)
    }

    /// A point for each bucket and combination of dimensions. A value that is unknown (a rate of nothing) is null. An open end of
    /// the window reads as the first bucket, and as `now`.
    pub fn answer(&self, report: &Report, asked_interval: Option<String>, now: Timestamp) -> MetricResponse {
        let column = report.metric.spec().outputs.iter().position(|output| &*output.name == self.column);
        let data: Vec<MetricDataPoint> = report
            .rows
            .iter()
            .map(|row| MetricDataPoint {
                timestamp: row.key.bucket,
                value: column.and_then(|column| row.values.get(column)).cloned().unwrap_or(Value::Null),
                dimensions: report.dimensions(row),
            })
            .collect();
        let to_time = report.request.window.to.unwrap_or(now);
        let first = data.first().and_then(|point| point.timestamp);
        MetricResponse {
            metric: self.name,
            from_time: Some(report.request.window.from.or(first).unwrap_or(to_time)),
            to_time: Some(to_time),
            interval: asked_interval,
            data,
        }
    }
}
