//! `POST /v1/plugins/preview`: a plugin that is not installed, tried on what is stored.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::guest::Guest;
use super::{event, goes_on, server, status};
use crate::api::raw::Raw;
use crate::harness::{Answer, Server, golden};

const ROUTE: &str = "/v1/plugins/preview";

fn text(kind: &str, rest: &str) -> String {
    format!("id = \"tried\"\nversion = \"1.0.0\"\nkind = \"{kind}\"\n{rest}")
}

fn tried(server: &Server, toml: &str) -> Answer {
    server.post(ROUTE, json!({ "toml": toml }).to_string())
}

fn component(server: &Server, bytes: &[u8]) -> Answer {
    server.post(ROUTE, json!({ "wasm": BASE64_STANDARD.encode(bytes) }).to_string())
}

/// Everything that is stored but the journal.
fn stored(server: &Server) -> Vec<i64> {
    ["events", "event_runs", "attributes", "quarantine", "plugin_versions"]
        .map(|table| server.count(&format!("select count(*) from {table}")))
        .into()
}

#[test]
fn an_enricher_a_validator_and_a_metric_say_what_they_would() {
    let server = server(&[]);
    golden().iter().for_each(|event| drop(server.post("/v1/telemetry", event.to_string())));
    let before = stored(&server);
    let answer = tried(&server, &text("enricher", "source = \"llm_calls\"\n[rule]\nslow = \"duration_ms >= 0\"\n"));
    assert_eq!(answer.status, 200, "{}", answer.text);
    let calls = server.count("select count(*) from llm_calls").min(100);
    assert_eq!((answer.json["rows"].as_i64(), &answer.json["outcomes"]), (Some(calls), &json!({ "ok": calls })));
    assert_eq!(answer.json["items"][0]["values"], json!({ "slow": true }), "{}", answer.text);
    assert_eq!(answer.json["items"][0]["row"]["relation"], "llm_calls");
    assert!(answer.json["cpu_us"].as_u64() > Some(0), "{}", answer.text);
    let answer = tried(&server, &text("validator", "[[rule]]\nwhen = \"event.name.starts_with('llm')\"\ncode = \"is-llm\"\n"));
    assert_eq!((answer.status, &answer.json["rows"]), (200, &json!(100)), "{}", answer.text);
    let flags: Vec<_> = answer.json["items"].as_array().expect("a list").iter().map(|item| &item["values"]).collect();
    assert!(!flags.is_empty() && flags.iter().all(|flag| flag["event.name: is-llm"]["severity"] == "flag"), "{}", answer.text);
    let answer = tried(&server, &text("metric", "[rule]\nevents = \"count()\"\n"));
    assert_eq!((answer.status, &answer.json["report"]), (200, &json!([{ "events": 100 }])), "{}", answer.text);
    assert_eq!(stored(&server), before);
    let noted = "select count(*) from journal_entries where json_extract(detail, '$.command') = 'preview'";
    assert_eq!(server.count(noted), 3, "one entry each, there before the answer");
    let verified = server.get("/v1/audit/verify");
    assert_eq!(verified.json["holds"], true, "{}", verified.text);
    assert_eq!(server.get("/v1/plugins/tried").status, 404);
}

#[test]
fn a_component_is_tried_and_what_it_cannot_do_is_said() {
    let server = server(&[]);
    server.accept_batch(&[event(1), event(2), event(3)]);
    let answer = component(&server, &Guest::enricher("tried", "(i64.mul (local.get $n) (i64.const 2))").bytes());
    assert_eq!((answer.status, &answer.json["outcomes"]), (200, &json!({ "ok": 3 })), "{}", answer.text);
    assert_eq!(answer.json["items"][2]["values"], json!({ "tried.mark": 6 }), "{}", answer.text);
    let looping = Guest::enricher("tried", "(loop $again (br $again)) (local.get $n)");
    let answer = component(&server, &looping.bytes());
    assert_eq!((answer.status, &answer.json["outcomes"]), (200, &json!({ "deadline": 3 })), "{}", answer.text);
    assert!(answer.json["last_failure"].as_str().is_some_and(|failure| failure.contains("CPU time")), "{}", answer.text);
    goes_on(&server);
    assert!(server.get("/v1/plugins").json["items"].as_array().expect("a list").iter().all(|plugin| plugin["id"] != "tried"));
}

#[test]
fn content_is_refused_without_a_grant_and_no_id_lends_one() {
    let server = server(&[]);
    server.accept(&event(1));
    let content = text("enricher", "[rule]\nx = \"attributes['my.secret']\"\n");
    let answer = tried(&server, &content);
    assert_eq!((answer.status, &answer.json["error"]["code"]), (403, &json!("AUTHORIZATION_ERROR")), "{}", answer.text);
    let details = answer.json["error"]["details"].as_array().expect("details");
    let lines = details.iter().find(|detail| detail["field"] == "grant").and_then(|detail| detail["reason"].as_str()).expect("lines");
    std::fs::write(server.folder().join("grants.toml"), lines).expect("a file");
    let answer = tried(&server, &content);
    assert_eq!(answer.status, 200, "{}", answer.text);
    // A shipped plugin that is granted content lends it to nobody.
    let answer = tried(&server, &content.replace("id = \"tried\"", "id = \"prompt-size\""));
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(answer.text.contains("is the id of a shipped plugin"), "{}", answer.text);
    assert_eq!(status(&server, "prompt-size")["state"], "serving");
}

#[test]
fn what_is_no_plugin_is_refused_by_name() {
    let server = Server::start_with(|config, _| config.plugins.max_file_mib = 1);
    server.accept(&event(1));
    let refused = |body: Value, says: &str| {
        let answer = server.post(ROUTE, body.to_string());
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.text.contains(says), "{says}: {}", answer.text);
    };
    refused(json!({}), "either `toml`");
    refused(json!({ "toml": "", "wasm": "" }), "either `toml`");
    refused(json!({ "toml": 7 }), "invalid type");
    refused(json!({ "wat": "(component)" }), "unknown field");
    refused(json!({ "wasm": "%%%" }), "no base64");
    refused(json!({ "wasm": "" }), "unexpected end-of-file");
    refused(json!({ "wasm": BASE64_STANDARD.encode(b"\0asm\x01\0\0\0") }), "core module");
    refused(json!({ "toml": "[" }), "line 1");
    refused(json!({ "toml": text("enricher", "") }), "`rule`: is missing");
    refused(json!({ "toml": text("enricher", "[rule]\na = \"event.size >\"\n") }), "line 5, column 18: expected a value, found the end");
    refused(json!({ "toml": text("enricher", &format!("[rule]\na = \"{}\"\n", "(".repeat(30_000))) }), "brackets deep");
    let mut component = Guest::enricher("tried", "(local.get $n)").bytes();
    component.truncate(component.len() / 2);
    refused(json!({ "wasm": BASE64_STANDARD.encode(component) }), "parse:");
    let head =
        format!("POST {ROUTE} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 3000000\r\n\r\n", server.addr());
    assert!(Raw::connect(&server).send(head).head().starts_with("HTTP/1.1 413"));
    let json = ("content-type", "application/json");
    assert_eq!(server.post_with(ROUTE, &[("content-type", "text/plain")], "{}").status, 415);
    assert_eq!(server.post_with(ROUTE, &[json, ("origin", "http://evil.example")], "{}").status, 403);
    assert_eq!(server.get(ROUTE).status, 405);
    goes_on(&server);
}
