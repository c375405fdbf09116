//! The access journal: what plugins were handed, and whether that can still be proved.

use serde_json::{Value, json};

use crate::harness::{Server, golden};

fn versions(server: &Server, plugin: &str, query: &str) -> Value {
    let answer = server.get(&format!("/v1/plugins/{plugin}/access{query}"));
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

#[test]
fn tells_what_each_plugin_was_handed() {
    let server = Server::start();
    let events = golden();
    server.accept_batch(&events);
    let stored = events.len() as i64;
    let category = versions(&server, "event-category", "?event_id=1");
    let version = &category["versions"][0];
    assert_eq!((&version["rows"], &version["kind"], &version["entries"]), (&json!(stored), &json!("enricher"), &json!(1)), "{category}");
    assert_eq!(version["fields"], json!([{ "field": "event.name", "type": "text", "class": "metadata" }]));
    assert!(version["bytes"].as_i64().unwrap() > 0);
    assert_eq!(category["seen"]["answer"], true);
    assert_eq!(category["seen"]["by"][0]["outcomes"], json!({ "ok": 1 }));
    // It is called for model calls and tools only.
    let genai = versions(&server, "genai-attributes", "")["versions"][0]["rows"].as_i64().unwrap();
    let called = server.count("select count(*) from events where family in ('llm', 'tool')");
    assert_eq!((genai, genai < stored), (called, true));
    let other = server.count("select id from events where family = 'other' limit 1");
    assert_eq!(versions(&server, "genai-attributes", &format!("?event_id={other}"))["seen"]["answer"], false);
    assert_eq!(server.get("/v1/plugins/none-such/access").status, 404);
    assert_eq!(server.get("/v1/plugins/event-category/access?event_id=x").status, 400);
}

#[test]
fn tells_of_a_session() {
    let server = Server::start();
    server.accept_batch(&golden());
    let session: String =
        server.sql().query_row("select session_id from events where session_id is not null limit 1", [], |row| row.get(0)).unwrap();
    let count = server.count(&format!("select count(*) from events where session_id = '{session}'"));
    let seen = versions(&server, "secret-scan", &format!("?session_id={session}"))["seen"].clone();
    assert_eq!((&seen["stored_events"], &seen["by"][0]["rows"]), (&json!(count), &json!(count)), "{seen}");
    assert_eq!(versions(&server, "secret-scan", "?session_id=nobodys")["seen"]["answer"], Value::Null);
}

#[test]
fn rows_that_are_not_stored_are_noted() {
    let server = Server::start();
    let event = golden()[0].clone();
    let mut keyed = event.clone();
    keyed["idempotency_key"] = json!("once");
    server.accept(&keyed);
    server.accept(&keyed);
    let mut odd = event.clone();
    odd["level"] = Value::Null;
    assert_eq!(server.post("/v1/telemetry?strict=1", odd.to_string()).status, 400);
    server.accept(&event);
    let unstored = server.count("select sum(unstored) from journal_entries");
    assert_eq!(unstored, 2, "a duplicate and a refused request");
    let rows = versions(&server, "event-envelope", "")["versions"][0]["rows"].as_i64().unwrap();
    assert_eq!(rows, 4);
}

#[test]
fn every_change_of_what_serves_and_of_grants_is_an_entry() {
    let mut server = Server::start();
    let entries = |server: &Server| server.count("select count(*) from journal_entries where kind = 'catalog'");
    assert_eq!(entries(&server), 1);
    server.restart();
    assert_eq!(entries(&server), 1, "nothing changed");
    std::fs::write(server.folder().join("grants.toml"), "[somebody]\nfields = [\"event.session_id\"]\n").unwrap();
    server.restart();
    assert_eq!(entries(&server), 2);
    let detail: String = server
        .sql()
        .query_row("select detail from journal_entries where kind = 'catalog' order by id desc limit 1", [], |row| row.get(0))
        .unwrap();
    let detail: Value = serde_json::from_str(&detail).unwrap();
    assert_eq!(detail["grants"]["somebody"]["fields"], json!(["event.session_id"]));
    assert_eq!(detail["policy"], "metadata");
}

#[test]
fn a_masker_is_noted_for_what_it_was_handed_and_never_proved() {
    let server = Server::start();
    let mut event = golden()[0].clone();
    event["attributes"]["note"] = json!("a text of some length that nobody has seen before");
    server.accept(&event);
    let masker = versions(&server, "secret-masker", "?event_id=1");
    assert_eq!((&masker["versions"][0]["kind"], &masker["versions"][0]["rows"]), (&json!("masker"), &json!(1)), "{masker}");
    assert_eq!(masker["seen"]["by"][0]["outcomes"], json!({ "ok": 1 }));
    let audit = server.get("/v1/audit/verify").json;
    assert_eq!(audit["holds"], true, "{audit}");
    let named = audit["not_rebuilt"].as_array().unwrap().iter().find(|unproven| unproven["why"] == "masker-input");
    assert_eq!(named.expect("named")["places"], json!(["entry 2, `secret-masker`: 1"]), "{audit}");
}
