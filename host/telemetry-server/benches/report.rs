//! `cargo bench -p telemetry-server --bench report`: a whole report over 100,000 model calls, from the request to its rows: SQLite,
//! columns, component. Medians of interleaved samples.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::sync::{Arc, mpsc};
use std::time::Instant;

use telemetry_model::event::Level;
use telemetry_model::facts::{Facts, LlmCallFacts, Role};
use telemetry_model::time::FixedClock;
use telemetry_model::{Attributes, Event, JsonText, Timestamp};
use telemetry_plugins::{PluginSettings, Registry};
use telemetry_server::analysis::pool::MetricPool;
use telemetry_server::analysis::report::Reports;
use telemetry_server::analysis::request::{Manner, ReportRequest};
use telemetry_store::{NewEvent, Store, StoreSettings, WriteItem};

const CALLS: i64 = 100_000;
const SAMPLES: usize = 11;
const START: i64 = 1_795_420_800_000_000_000;
const SECOND: i64 = 1_000_000_000;

fn main() {
    let folder = std::env::temp_dir().join(format!("telemetry-report-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let store = Store::open(StoreSettings::new(folder.join("bench.db"))).unwrap();
    fill(&store);
    let plugins = Arc::new(Registry::open(&PluginSettings::default(), || ()).unwrap());
    let now = Timestamp(START + CALLS * SECOND);
    let reports = Reports::new(
        store.clone(),
        plugins,
        Arc::new(FixedClock(now)),
        MetricPool::start(1, 8).unwrap(),
        std::time::Duration::from_secs(600),
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let cases = [
        ("token-usage", ""),
        ("token-usage", "group_by=model"),
        ("token-usage", "group_by=model&time_range=30d"),
        ("token-usage", "group_by=model,agent&interval=1h&time_range=2d"),
        ("latency", "group_by=model&time_range=30d"),
        ("llm-calls", "model=model-1&time_range=30d"),
        ("token-usage", "group_by=llm.request.type"),
        ("error-count", "time_range=30d"),
    ];
    let mut times = vec![Vec::new(); cases.len()];
    for _ in 0..SAMPLES {
        for ((metric, query), times) in cases.iter().zip(&mut times) {
            let pairs: Vec<(String, String)> =
                query.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let start = Instant::now();
            let metric = reports.metric(metric).unwrap();
            let request = ReportRequest::read(&pairs, metric.spec().source, &[], Manner::REPORT, now).unwrap();
            let report = runtime.block_on(reports.run(metric, request)).unwrap();
            times.push(start.elapsed().as_secs_f64() * 1e3);
            assert_eq!(report.scanned_rows as i64, CALLS);
        }
    }
    for ((metric, query), times) in cases.iter().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        println!("{:<62} {:>6.1} ms", format!("{metric}?{query}"), times.get(SAMPLES / 2).unwrap());
    }
    store.close();
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Calls of ten models and twenty agents, a second apart, each one event that began and ended.
fn fill(store: &Store) {
    let (done, answered) = mpsc::channel();
    for first in (0..CALLS).step_by(500) {
        let items = (first..first + 500).map(|call| WriteItem::Event(Box::new(store.prepare(event(call))))).collect();
        let done = done.clone();
        store.submit(items, Box::new(move |outcome| done.send(outcome.map(|_| ())).unwrap())).unwrap();
        answered.recv().unwrap().unwrap();
    }
}

fn event(call: i64) -> NewEvent {
    let time = Timestamp(START + call * SECOND);
    let model = format!("model-{}", call % 10);
    let attributes = vec![
        ("llm.model".into(), JsonText::string(&model)),
        ("llm.request.type".into(), JsonText::string("completion")),
        ("llm.usage.input_tokens".into(), JsonText::integer(call % 4_000)),
    ];
    let event = Event {
        schema_version: Some("1.0".into()),
        timestamp: time,
        trace_id: Some(format!("{:032x}", call / 50).into()),
        span_id: Some(format!("{call:016x}").into()),
        parent_span_id: None,
        name: "llm.call.finish".into(),
        level: Level::new("INFO"),
        agent_id: format!("agent-{}", call % 20).into(),
        session_id: None,
        channel: None,
        idempotency_key: None,
        attributes: Attributes::from_unique(attributes),
        extra: Attributes::default(),
        flags: Vec::new(),
        size: 900,
    };
    let facts = LlmCallFacts {
        role: Role::End,
        vendor: Some("anthropic".into()),
        model: Some(model.into()),
        request_type: Some("completion".into()),
        request_timestamp: None,
        response_id: None,
        response_timestamp: Some(time),
        duration_ms: Some(call as f64 / 7.0),
        stop_reason: Some("end_turn".into()),
        input_tokens: Some(call % 4_000),
        output_tokens: Some(call % 300),
        total_tokens: None,
        is_error: false,
        error_type: None,
        messages: None,
    };
    NewEvent { event, facts: Facts::LlmCall(Box::new(facts)), derived: Vec::new(), runs: Vec::new().into(), received_at: time }
}
