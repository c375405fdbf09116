//! Real captured events, in any order, in any cut, before and after a restart.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Server, golden};

/// (what, SQL, counted by hand in the events: tests/fixtures/golden/README.md).
const COUNTS: &[(&str, &str, i64)] = &[
    ("events", "select count(*) from events", 380),
    ("llm calls", "select count(*) from llm_calls", 61),
    ("successful calls", "select count(*) from llm_calls where status = 'success'", 46),
    ("failed calls", "select count(*) from llm_calls where status = 'error'", 6),
    ("open calls", "select count(*) from llm_calls where status = 'open'", 9),
    ("input tokens", "select sum(input_tokens) from llm_calls", 3103),
    ("output tokens", "select sum(output_tokens) from llm_calls", 759),
    ("tool executions", "select count(*) from tool_executions", 76),
    ("successful executions", "select count(*) from tool_executions where status = 'success'", 73),
    ("failed executions", "select count(*) from tool_executions where status = 'error'", 2),
    ("open executions", "select count(*) from tool_executions where status = 'open'", 1),
    ("alerts", "select count(*) from security_alerts", 29),
    ("sessions", "select count(*) from sessions", 9),
    ("agents", "select count(*) from agents", 6),
    ("quarantine", "select count(*) from quarantine", 0),
];

#[track_caller]
fn assert_counts(server: &Server) {
    for (what, query, expected) in COUNTS {
        assert_eq!(server.count(query), *expected, "{what}");
    }
}

/// A permutation of `0..len` that is the same for the same seed.
fn shuffled<T: Clone>(items: &[T], seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut items = items.to_vec();
    for at in (1..items.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        items.swap(at, (state % (at as u64 + 1)) as usize);
    }
    items
}

#[test]
fn every_golden_body_is_accepted_and_counted() {
    let mut server = Server::start();
    for event in golden() {
        server.accept(&event);
    }
    assert_counts(&server);
    server.restart();
    assert_counts(&server);
}

#[test]
fn any_order_any_cut_and_a_restart_give_the_same_counts() {
    for (seed, cut) in [(1, 1000), (2, 7), (3, 64)] {
        let mut server = Server::start();
        let events = shuffled(&golden(), seed);
        for (at, batch) in events.chunks(cut).enumerate() {
            server.accept_batch(batch);
            if at == 3 {
                server.restart();
            }
        }
        assert_counts(&server);
    }
}

#[test]
fn token_usage_by_model_is_the_sum_of_the_events() {
    let server = Server::start();
    server.accept_batch(&golden());
    let mut expected: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for event in golden() {
        let attributes = &event["attributes"];
        if let Some(input) = attributes["llm.usage.input_tokens"].as_i64() {
            let sums = expected.entry(attributes["llm.model"].as_str().expect("a model").to_owned()).or_default();
            sums.0 += input;
            sums.1 += attributes["llm.usage.output_tokens"].as_i64().expect("both");
        }
    }
    let report = server.get("/v1/reports/token-usage?group_by=model");
    assert_eq!(report.status, 200, "{}", report.text);
    let mut found = BTreeMap::new();
    for row in report.json["rows"].as_array().expect("rows") {
        let (input, output) = (&row["values"]["input_tokens"], &row["values"]["output_tokens"]);
        if input.as_i64().is_some_and(|tokens| tokens > 0) {
            let model = row["group"]["model"].as_str().expect("a model").to_owned();
            found.insert(model, (input.as_i64().expect("a number"), output.as_i64().expect("a number")));
        }
    }
    assert_eq!(found, expected);
    for key in ["plugin", "window", "scanned_rows"] {
        assert_ne!(report.json[key], Value::Null, "{key} in {}", report.text);
    }
}

#[test]
fn attributes_come_back_as_they_were_sent() {
    let server = Server::start();
    for event in golden() {
        let id = server.accept(&event);
        let back = server.get(&format!("/v1/telemetry/events/{id}"));
        assert_eq!(back.status, 200, "{}", back.text);
        for (key, value) in event["attributes"].as_object().expect("attributes") {
            assert_eq!(&back.json["attributes"][key], value, "{key} of event {id}");
        }
        for key in ["name", "timestamp", "agent_id"] {
            assert_eq!(back.json[key], event[key], "{key} of event {id}");
        }
    }
}

#[test]
fn an_alert_that_comes_before_its_call_is_linked_to_it() {
    let server = Server::start();
    let event = |name: &str, level: &str, attributes: Value| {
        json!({"schema_version": "1.0", "timestamp": "2026-11-23T08:00:00Z", "trace_id": "t", "span_id": "s", "agent_id": "a",
               "name": name, "level": level, "attributes": attributes})
    };
    server.accept(&event(
        "security.content.dangerous",
        "SECURITY_ALERT",
        json!({"security.alert_level": "dangerous", "security.category": "dangerous_commands", "security.severity": "high"}),
    ));
    let linked = "select count(*) from security_alerts a join llm_calls c on c.id = a.llm_call_id";
    assert_eq!(server.count(linked), 0);
    server.accept(&event("llm.call.start", "INFO", json!({"llm.vendor": "openai", "llm.model": "gpt-4o"})));
    assert_eq!(server.count(linked), 1);
}
