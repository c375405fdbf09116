//! Memory of answers is bounded, however many clients read however slowly.

use serde_json::json;

use super::raw::{Raw, status};
use crate::harness::Server;

fn get(server: &Server, path: &str) -> Raw {
    let mut client = Raw::connect(server);
    client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    client
}

fn event(attributes: &serde_json::Value) -> serde_json::Value {
    json!({ "name": "llm.call.start", "timestamp": "2026-11-23T08:00:00Z", "agent_id": "a", "trace_id": "t", "attributes": attributes })
}

#[test]
fn slow_readers_of_large_events_take_a_bounded_part_of_memory_and_leave_room_for_small_reads() {
    let server = Server::start_with(|config, _| config.server.max_answers_mib = 100);
    let large = server.accept(&event(&json!({ "llm.response.content": "x".repeat(15 << 20) })));
    let small = server.accept(&event(&json!({ "llm.model": "m" })));
    let path = format!("/v1/telemetry/events/{large}");
    let mut slow: Vec<Raw> = (0..8).map(|_| get(&server, &path)).collect();
    let heads: Vec<String> = slow.iter_mut().map(Raw::head).collect();
    let refused: Vec<&String> = heads.iter().filter(|head| status(head) == "503").collect();
    assert!(heads.iter().any(|head| status(head) == "200"), "{heads:?}");
    assert!(refused.len() >= 3 && refused.iter().all(|head| head.contains("retry-after: 2")), "{heads:?}");

    assert_eq!(server.get(&format!("/v1/telemetry/events/{small}")).status, 200);
    assert_eq!(server.get("/v1/telemetry/events?limit=1&order=desc&name=none").status, 200);
    assert_eq!(server.get("/v1/reports/llm-calls").status, 200);
    let full = server.get("/v1/telemetry/traces/t");
    assert_eq!((full.status, full.json["error"]["code"].as_str()), (503, Some("OVERLOADED")), "{}", full.text);

    drop(slow);
    assert_eq!(server.get(&path).status, 200);
    let trace = server.get("/v1/telemetry/traces/t");
    assert_eq!((trace.status, trace.json.as_array().map(Vec::len)), (200, Some(2)));
}

#[test]
fn an_event_larger_than_the_budget_is_answered_alone() {
    let server = Server::start_with(|config, _| config.server.max_answers_mib = 16);
    let large = server.accept(&event(&json!({ "llm.response.content": "x".repeat(15 << 20) })));
    for _ in 0..3 {
        assert_eq!(server.get(&format!("/v1/telemetry/events/{large}")).status, 200);
    }
}

#[test]
fn a_page_of_alerts_that_is_too_large_is_refused_and_a_smaller_one_is_not() {
    let server = Server::start();
    for index in 0..3 {
        let sample = format!("{index}{}", "x".repeat(7 << 20));
        let attributes = json!({ "security.alert_level": "dangerous", "security.content_sample": sample });
        let mut alert = event(&attributes);
        alert["name"] = "security.content.dangerous".into();
        server.accept(&alert);
    }
    let page = server.get("/v1/alerts?from_time=2026-01-01");
    assert_eq!((page.status, page.json["error"]["details"][0]["field"].as_str()), (400, Some("page_size")), "{:.300}", page.text);
    let page = server.get("/v1/alerts?from_time=2026-01-01&page_size=2&page=2");
    assert_eq!((page.status, page.json["alerts"].as_array().map(Vec::len)), (200, Some(1)), "{:.300}", page.text);
}
