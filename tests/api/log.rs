//! What the server's log may hold: never a payload, a prompt or a key.

use serde_json::json;
use telemetry_server::config::Secret;

use super::raw::ask;
use crate::harness::{Server, log_lines, start_log};

const CANARY: &str = "canary-7f3a9";
const TOKEN: &str = "canary-7f3a9-read-token";

/// Bodies with a prompt in them that no event is made of: not UTF-8, too deep, no object, a bad event among good ones, a key twice.
fn refused_whole() -> Vec<Vec<u8>> {
    let prompt = format!("{{\"role\": \"user\", \"content\": \"{CANARY}\"}}");
    let deep = format!("{}{prompt}{}", "[".repeat(200), "]".repeat(200));
    let good = json!({"timestamp": "2026-11-23T08:00:00Z", "name": "x", "attributes": {"a": CANARY}});
    vec![
        [prompt.as_bytes(), b"\xff\xfe"].concat(),
        prompt.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        deep.into_bytes(),
        format!("[{prompt}, {CANARY}]").into_bytes(),
        format!("\"{CANARY}\"").into_bytes(),
        json!({"events": [good, {"name": CANARY}, CANARY, [CANARY], null]}).to_string().into_bytes(),
        format!("{{\"timestamp\": \"{CANARY}\", \"timestamp\": {{\"{CANARY}\": 1}}, \"name\": [\"{CANARY}\"]}}").into_bytes(),
    ]
}

#[test]
fn log_holds_no_payload_and_no_key() {
    start_log();
    let server = Server::start_with(|config, _| config.server.read_token = Some(Secret::new(TOKEN)));
    let event = json!({
        "timestamp": "2026-11-23T08:00:00Z", "name": "llm.call.start", "level": "INFO", "agent_id": CANARY, "trace_id": CANARY,
        "attributes": {"llm.request.data": {"messages": [{"role": "user", "content": format!("my key is sk-{CANARY}")}]}, CANARY: CANARY},
    });
    let bodies = [
        event.to_string(),
        json!({"name": CANARY}).to_string(),
        format!("{{\"name\": \"{CANARY}"),
        CANARY.to_owned(),
        json!({"timestamp": CANARY, "name": CANARY, "attributes": {"a": CANARY}}).to_string(),
    ];
    let mut bodies = bodies.map(String::into_bytes).to_vec();
    bodies.extend(refused_whole());
    for body in &bodies {
        for path in ["/v1/telemetry", "/v1/telemetry/batch", "/v1/telemetry?strict=1"] {
            server.post_with(path, &[("X-Api-Key", CANARY), ("Content-Type", "application/json")], body);
        }
        for encoding in ["gzip", "deflate", CANARY] {
            server.post_with("/v1/telemetry", &[("Content-Encoding", encoding)], body);
        }
    }
    assert!(server.count("select count(*) from quarantine") > 20);
    let token = format!("Authorization: Bearer {TOKEN}");
    for path in [
        "/v1/telemetry/events?agent_id=canary-7f3a9",
        "/v1/telemetry/traces/canary-7f3a9",
        "/v1/canary-7f3a9",
        "/v1/reports/token-usage?agent_id=canary-7f3a9&group_by=canary-7f3a9",
        "/v1/quarantine",
    ] {
        ask(&server, &format!("GET {path}"), &["Host: localhost", &token, "Cookie: canary-7f3a9"]);
    }
    ask(&server, "GET /v1/plugins", &["Host: localhost", "Authorization: Bearer canary-7f3a9-wrong"]);
    drop(server);
    let log = log_lines();
    assert!(log.iter().any(|line| line.contains("\"request answered\"") && line.contains("\"request.id\"")), "{log:#?}");
    let leaks: Vec<_> = log.iter().filter(|line| line.contains(CANARY)).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    for line in &log {
        serde_json::from_str::<serde_json::Value>(line).expect("a line is a JSON object");
    }
}
