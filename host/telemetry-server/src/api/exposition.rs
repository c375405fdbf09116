//! `GET /metrics`: what plugins did since the start, for Prometheus.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use telemetry_plugins::{CounterValues, PluginState, PluginStatus};

use crate::app::App;

/// Where it stands.
pub const PATH: &str = "/metrics";
/// What it is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Name, type, meaning and value of a number.
type Series = (&'static str, &'static str, &'static str, fn(&CounterValues) -> f64);

const SERIES: &[Series] = &[
    ("calls_total", "counter", "Calls, those that failed too", |of| of.calls as f64),
    ("rows_total", "counter", "Rows handed in", |of| of.rows as f64),
    ("in_bytes_total", "counter", "Bytes of columns handed in", |of| of.bytes_in as f64),
    ("out_bytes_total", "counter", "Bytes of columns that came back and were used", |of| of.bytes_out as f64),
    ("traps_total", "counter", "Calls that trapped, returned too much or broke the contract", |of| of.traps as f64),
    ("deadlines_total", "counter", "Calls that used up their CPU time", |of| of.deadlines as f64),
    ("memory_refusals_total", "counter", "Calls that were refused memory", |of| of.memory_refusals as f64),
    ("declined_total", "counter", "Calls that the plugin declined", |of| of.declined as f64),
    ("host_failures_total", "counter", "Calls that the host could not run or finish", |of| of.host_failures as f64),
    ("poison_rows_total", "counter", "Rows that failed alone", |of| of.poison_rows as f64),
    ("skipped_rows_total", "counter", "Rows left out while the breaker was open", |of| of.skipped_rows as f64),
    ("lookups_total", "counter", "Keys asked for in tables", |of| of.lookups as f64),
    ("lookup_bytes_total", "counter", "Bytes of rows of tables that were handed over", |of| of.lookup_bytes as f64),
    ("breaker_opens_total", "counter", "How often the breaker opened", |of| of.breaker_opens as f64),
    ("cpu_seconds_total", "counter", "CPU time of all calls", |of| of.cpu_ns as f64 / 1e9),
    ("peak_memory_bytes", "gauge", "The most linear memory of one instance", |of| of.peak_memory_bytes as f64),
];

/// Text of the exposition format, a line a plugin and number. A plugin that does not serve has its state only.
pub async fn exposition(State(app): State<Arc<App>>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text(&app.plugins.current().statuses())).into_response()
}

fn text(statuses: &[PluginStatus]) -> String {
    let mut out = String::new();
    let breaker = |status: &PluginStatus| status.counters.map(|_| f64::from(u8::from(status.state == PluginState::BreakerOpen)));
    family(&mut out, "breaker_open", "gauge", "1 while the plugin is left out because its calls kept failing", statuses, breaker);
    let serving = |status: &PluginStatus| Some(f64::from(u8::from(status.state == PluginState::Serving)));
    family(&mut out, "serving", "gauge", "1 while the plugin serves", statuses, serving);
    for (name, kind, meaning, value) in SERIES {
        family(&mut out, name, kind, meaning, statuses, |status| status.counters.as_ref().map(value));
    }
    out
}

fn family(
    out: &mut String,
    name: &str,
    kind: &str,
    meaning: &str,
    statuses: &[PluginStatus],
    value: impl Fn(&PluginStatus) -> Option<f64>,
) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "# HELP cylestio_plugin_{name} {meaning}\n# TYPE cylestio_plugin_{name} {kind}");
    let mut told: Vec<&str> = Vec::new();
    for status in statuses {
        // Of several with one id the first, as no line may come twice.
        if let Some(value) = value(status).filter(|_| !told.contains(&&*status.id)) {
            told.push(&status.id);
            let _ = writeln!(out, "cylestio_plugin_{name}{{plugin=\"{}\"}} {value}", escaped(&status.id));
        }
    }
}

/// A file's name may stand for an id.
fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_ends_where_it_ends() {
        assert_eq!(escaped("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }
}
