//! A dropped-in metric that fails in every way: what its reports answer, and that nothing else suffers.

use std::path::Path;

use serde_json::{Value, json};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::ingest::event;
use crate::harness::Server;

const MANIFEST: &str = r#"
id = "moody"
version = "1.2.3"
kind = "metric"
description = "Sums the attributes of events; traps at one, loops at two, declines at three"
[[reads]]
field = "event.attribute_count"
type = "integer"
[[writes]]
key = "attributes"
type = "integer"
[parameters.mood]
type = "text"
default = "fair"
[parameters.depth]
type = "integer"
"#;

/// Sums by group, up to 64 groups at address 8192.
const GUEST: &str = r#"(module
  (import "[export]INTERFACE" "[resource-new]accumulator" (func $new (param i32) (result i32)))
  (memory (export "memory") 2)
  (global $free (mut i32) (i32.const 16384))
  (global $groups (mut i32) (i32.const 0))
  (data (i32.const 1024) "not today")
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (local.get $at))
  (func (export "INTERFACE#[static]accumulator.open") (param i32 i32 i32 i32) (result i32)
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store (i32.const 516) (call $new (i32.const 1)))
    (i32.const 512))
  (func (export "INTERFACE#[method]accumulator.update")
    (param i32) (param $rows i32) (param $columns i32) (param i32) (param $data i32) (param i32) (param $groups i32) (result i32)
    (local $row i32) (local $sum i32) (local $value i64)
    (global.set $groups (local.get $groups))
    (block $end
      (loop $next
        (br_if $end (i32.ge_u (local.get $row) (local.get $rows)))
        (local.set $value (i64.load (i32.add (local.get $data) (i32.mul (local.get $row) (i32.const 8)))))
        (if (i64.eq (local.get $value) (i64.const 1)) (then (unreachable)))
        (if (i64.eq (local.get $value) (i64.const 2)) (then (loop $ever (br $ever))))
        (if (i64.eq (local.get $value) (i64.const 3)) (then
          (i32.store8 (i32.const 512) (i32.const 1)) (i32.store8 (i32.const 516) (i32.const 2))
          (i32.store (i32.const 520) (i32.const 1024)) (i32.store (i32.const 524) (i32.const 9))
          (return (i32.const 512))))
        (local.set $sum (i32.add (i32.const 8192) (i32.mul (i32.const 8)
          (i32.load (i32.add (local.get $data) (i32.add (i32.load offset=20 (local.get $columns)) (i32.mul (local.get $row) (i32.const 4))))))))
        (i64.store (local.get $sum) (i64.add (i64.load (local.get $sum)) (local.get $value)))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br $next)))
    (i64.store (i32.const 512) (i64.const 0))
    (i32.const 512))
  (func (export "INTERFACE#[method]accumulator.merge") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (unreachable))
  (func (export "INTERFACE#[method]accumulator.state") (param i32) (result i32) (unreachable))
  (func (export "INTERFACE#[method]accumulator.evaluate") (param i32) (result i32)
    (i32.store (i32.const 600) (i32.const 2))
    (i32.store (i32.const 604) (global.get $groups))
    (i32.store (i32.const 608) (i32.const 0))
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store (i32.const 516) (global.get $groups))
    (i32.store (i32.const 520) (i32.const 600))
    (i32.store (i32.const 524) (i32.const 1))
    (i32.store (i32.const 528) (i32.const 8192))
    (i32.store (i32.const 532) (i32.mul (global.get $groups) (i32.const 8)))
    (i32.const 512)))"#;

/// The component with its manifest as one custom section.
fn component() -> Vec<u8> {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let mut resolve = Resolve::default();
    let packages = ["types", "host", "metric"].map(|package| {
        let text = std::fs::read_to_string(wit.join(package).join(format!("{package}.wit"))).unwrap();
        resolve.push_str("package.wit", &text).unwrap()
    });
    let world = resolve.select_world(&packages[2..], Some("metric-plugin")).unwrap();
    let mut module = wat::parse_str(GUEST.replace("INTERFACE", "agent-telemetry:metric/metric@0.1.0-rc")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut bytes = ComponentEncoder::default().module(&module).unwrap().encode().unwrap();
    let name = telemetry_plugins::MANIFEST_SECTION;
    bytes.push(0);
    let length = 1 + name.len() + MANIFEST.len();
    bytes.extend([(length & 0x7f) as u8 | 0x80, (length >> 7) as u8, name.len() as u8]);
    bytes.extend([name.as_bytes(), MANIFEST.as_bytes()].concat());
    bytes
}

fn server(threads: u32, queue: u32) -> Server {
    let server = Server::start_with(|config, folder| {
        std::fs::write(folder.join("plugins/moody.wasm"), component()).unwrap();
        config.plugins.metric_deadline_ms = 300;
        config.plugins.metric_threads = threads;
        config.plugins.metric_queue = queue;
    });
    for count in [1, 2, 3, 4, 5, 5] {
        let attributes: serde_json::Map<String, Value> = (0..count).map(|key| (format!("key.{key}"), json!(key))).collect();
        server.accept(&event("custom.metric", attributes.into()));
    }
    server
}

#[test]
fn a_dropped_in_metric_answers_like_a_shipped_one() {
    let server = server(1, 8);
    let report = server.get("/v1/reports/moody?group_by=event.attribute_count&attribute_count=4&attribute_count=5&mood=sunny").json;
    let row = |count: i64, sum: i64| json!({"time": null, "group": {"event.attribute_count": count}, "values": {"attributes": sum}});
    assert_eq!(report["rows"], json!([row(4, 4), row(5, 10)]), "{report}");
    assert_eq!((&report["plugin"]["id"], &report["plugin"]["version"]), (&json!("moody"), &json!("1.2.3")));
    assert_eq!(
        (&report["scanned_rows"], &report["matched_rows"], &report["parameters"]),
        (&json!(6), &json!(3), &json!({"mood": "sunny"}))
    );
    let listed = server.get("/v1/reports").json;
    let moody = listed["items"].as_array().unwrap().iter().find(|item| item["id"] == "moody").unwrap();
    assert_eq!(moody["parameters"][1]["default"], "fair");
}

#[test]
fn a_failing_metric_is_named_and_leaves_the_others_alone() {
    let server = server(1, 8);
    for (count, status, code, reason) in
        [(1, 502, "PLUGIN_FAILED", "trap"), (2, 504, "PLUGIN_TIMEOUT", "300 ms"), (3, 502, "PLUGIN_FAILED", "not today")]
    {
        let answer = server.get(&format!("/v1/reports/moody?attribute_count={count}"));
        let error = &answer.json["error"];
        assert_eq!((answer.status, &error["code"]), (status, &json!(code)), "{}", answer.text);
        assert!(error["message"].as_str().unwrap().contains("moody"), "{}", answer.text);
        assert!(error["details"].to_string().contains(reason), "{}", answer.text);
        let sum = &server.get("/v1/reports/moody?attribute_count=5").json["rows"][0]["values"]["attributes"];
        assert_eq!((sum, server.get("/v1/reports/error-count").status), (&json!(10), 200));
    }
}

#[test]
fn parameters_are_checked_against_the_manifest() {
    let server = server(1, 8);
    let answer = server.get("/v1/reports/moody?depth=deep&moood=sunny");
    let details = json!([
        {"field": "depth", "reason": "`deep` is not of type integer"},
        {"field": "moood", "reason": "unknown parameter; did you mean `mood`?"},
    ]);
    assert_eq!((answer.status, &answer.json["error"]["details"]), (400, &details));
}

#[test]
fn reports_beyond_the_queue_are_told_to_come_back() {
    let server = server(1, 1);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| server.get("/v1/reports/moody?attribute_count=2"))).collect();
        asked.into_iter().map(|answer| answer.join().unwrap()).collect()
    });
    let of = |status: u16| answers.iter().filter(|answer| answer.status == status).collect::<Vec<_>>();
    assert_eq!(of(504).len() + of(503).len(), 8);
    assert!(!of(504).is_empty() && !of(503).is_empty());
    assert!(of(503).iter().all(|answer| answer.json["error"]["code"] == "OVERLOADED" && answer.headers.contains_key("retry-after")));
    assert_eq!(server.get("/v1/reports/error-count").status, 200);
}
