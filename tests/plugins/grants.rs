//! What a plugin may see, and who says so; who wrote what.

use serde_json::json;

use super::guest::{Guest, mark};
use super::{degraded, event, goes_on, server, status};
use crate::harness::Server;

/// Counts, in all its memory, the places where `CANARY-7` stands, and logs what it was handed, unprintable bytes as dots.
pub(super) const LOOK_AROUND: &str = "(local $at i32) (local $end i32) (local $found i64)
    (local.set $end (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 8)))
    (loop $next
      (if (i64.eq (i64.load (local.get $at)) (i64.const 0x372d5952414e4143)) (then
        (local.set $found (i64.add (local.get $found) (i64.const 1)))))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get $end))))
    (local.set $at (i32.const 131072))
    (loop $clean
      (if (i32.or (i32.lt_u (i32.load8_u (local.get $at)) (i32.const 32)) (i32.gt_u (i32.load8_u (local.get $at)) (i32.const 126))) (then
        (i32.store8 (local.get $at) (i32.const 46))))
      (br_if $clean (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 133000))))
    (call $log (i32.const 1) (i32.const 131072) (i32.const 1900))
    (local.get $found)";

fn looking(id: &str, reads: &str) -> Guest {
    let guest = Guest::enricher(id, LOOK_AROUND);
    let manifest = guest.manifest.replace("attributes[\"llm.usage.n\"]'\ntype = \"integer\"", &format!("{reads}'\ntype = \"json\""));
    guest.under(manifest)
}

/// An event with the canary in every place that a client can fill, the model aside.
pub(super) fn canaries() -> serde_json::Value {
    let mut event = event(1);
    for key in ["trace_id", "span_id", "parent_span_id", "agent_id", "channel", "unknown_member"] {
        event[key] = "CANARY-7".into();
    }
    for key in ["llm.request.data", "llm.response.content", "session.id", "user.id", "CANARY-7", "tool.params"] {
        event["attributes"][key] = json!({ "content": ["CANARY-7", { "CANARY-7": "CANARY-7" }] });
    }
    event
}

#[test]
fn a_plugin_sees_only_what_it_reads() {
    let server = server(&[&looking("model", "attributes[\"llm.model\"]"), &looking("vendor", "event.level")]);
    server.accept(&canaries());
    for id in ["model", "vendor"] {
        assert_eq!(server.count(&format!("select value from attributes where key = '{id}.mark'")), 0);
        let log = status(&server, id)["log"].to_string();
        assert!(log.contains(if id == "model" { "m-1" } else { "INFO" }) && !log.contains("CANARY"), "{log}");
    }
    // The guests do find it where they may look.
    let mut event = canaries();
    event["attributes"]["llm.model"] = "CANARY-7".into();
    server.accept(&event);
    assert_eq!(server.count("select max(value) from attributes where key = 'model.mark'"), 1);
    assert_eq!(server.count("select max(value) from attributes where key = 'vendor.mark'"), 0);
    assert!(status(&server, "model")["log"].to_string().contains("CANARY-7"));
}

/// Fields that need no grant and where they stand in an event.
const ALONE: [(&str, &str, &str); 8] = [
    ("name", "event.name", "name"),
    ("level", "event.level", "level"),
    ("schema", "event.schema_version", "schema_version"),
    ("trace", "event.trace_id", "trace_id"),
    ("span", "event.span_id", "span_id"),
    ("parent", "event.parent_span_id", "parent_span_id"),
    ("agent", "event.agent_id", "agent_id"),
    ("channel", "event.channel", "channel"),
];

#[test]
fn whoever_reads_one_field_never_has_any_other_in_its_memory() {
    let guests: Vec<_> = ALONE.iter().map(|(id, field, _)| looking(id, field)).collect();
    let server = server(&guests.iter().collect::<Vec<_>>());
    for (id, _, member) in ALONE {
        let mut event = canaries();
        event["attributes"]["llm.model"] = "CANARY-7".into();
        ALONE.iter().for_each(|(.., other)| event[*other] = "CANARY-7".into());
        let all = server.accept(&event);
        event[member] = "INFO".into();
        let others = server.accept(&event);
        let found = |event: i64| server.count(&format!("select value from attributes where event_id = {event} and key = '{id}.mark'"));
        assert_eq!((found(all), found(others)), (1, 0), "{id}");
    }
    // Each has logged what it was handed: one field in its own events, never more than that one canary in the others'.
    for (id, ..) in ALONE {
        let log = status(&server, id)["log"].to_string();
        assert!(log.matches("CANARY-7").count() <= 2 * ALONE.len(), "{log}");
    }
}

#[test]
fn metadata_needs_no_grant() {
    let server = server(&[&Guest::enricher("meta", "(i64.const 1)")]);
    let plugin = status(&server, "meta");
    assert_eq!((&plugin["state"], &plugin["grant"]), (&json!("serving"), &json!(null)));
    assert_eq!((&plugin["reads"][0]["class"], &plugin["origin"]), (&json!("metadata"), &json!({ "file": "meta.wasm" })));
    goes_on(&server);
}

#[test]
fn content_loads_after_the_printed_lines_are_pasted() {
    let mut server = server(&[&looking("curious", "event.attributes")]);
    let plugin = status(&server, "curious");
    assert_eq!(plugin["state"], "refused");
    let lines = plugin["grant"].as_str().expect("lines").to_owned();
    let why = degraded(&server, "curious").expect("a reason");
    assert!(why.contains("reads `event.attributes`, which is content"), "{why}");
    goes_on(&server);
    std::fs::write(server.folder().join("grants.toml"), &lines).expect("a file");
    server.restart();
    let plugin = status(&server, "curious");
    assert_eq!((&plugin["state"], &plugin["error"]), (&json!("serving"), &json!(null)), "{lines}");
    assert_eq!(degraded(&server, "curious"), None);
    let id = server.accept(&canaries());
    let found = format!("select value from attributes where event_id = {id} and key = 'curious.mark'");
    assert!(server.count(&found) >= 6);
    // What it writes is content now, since what it reads is.
    assert_eq!(plugin["writes"][0]["class"], "content");
}

#[test]
fn what_was_derived_from_content_is_content() {
    let writer = Guest::enricher("writer", "(i64.const 1)");
    let writer = writer.clone().under(writer.manifest.replace("llm.usage.n", "user.id"));
    let reader = Guest::enricher("reader", "(local.get $n)");
    let reader = reader.clone().under(reader.manifest.replace("llm.usage.n", &mark("writer")));
    let mut server = server(&[&writer, &reader]);
    let lines = status(&server, "writer")["grant"].as_str().expect("lines").to_owned();
    std::fs::write(server.folder().join("grants.toml"), &lines).expect("a file");
    server.restart();
    assert_eq!(status(&server, "writer")["state"], "serving");
    let why = degraded(&server, "reader").expect("a reason");
    assert!(why.contains("attributes[\"writer.mark\"]`, which is content"), "{why}");
    goes_on(&server);
}

#[test]
fn every_derived_attribute_names_its_writer() {
    let server = server(&[&Guest::enricher("marks", "(i64.const 1)"), &Guest::enricher("fails", "(unreachable)")]);
    let id = server.accept(&event(3));
    let plugin = status(&server, "marks");
    let answer = server.get(&format!("/v1/telemetry/events/{id}?provenance=1"));
    assert_eq!(answer.status, 200, "{}", answer.text);
    let provenance = &answer.json["provenance"];
    let of = |list: &str, key: &str, value: &str| {
        let found = provenance[list].as_array().expect("a list").iter().find(|entry| entry[key] == value);
        found.unwrap_or_else(|| panic!("no {value} in {}", answer.text)).clone()
    };
    let writer = of("attributes", "key", "marks.mark");
    for key in ["version", "digest", "derivation"] {
        assert_eq!((&writer["plugin_id"], &writer[key]), (&json!("marks"), &plugin[key]));
    }
    assert_eq!(of("attributes", "key", "event.category")["plugin_id"], "event-category");
    assert!(provenance["attributes"].as_array().expect("a list").iter().all(|entry| entry["key"] != "llm.model"));
    assert_eq!(
        (of("runs", "plugin_id", "marks")["outcome"].clone(), of("runs", "plugin_id", "fails")["outcome"].clone()),
        (json!("ok"), json!("trap"))
    );
    // The same in SQL.
    let sql = format!(
        "select count(*) from attributes a join plugin_versions v on v.id = a.plugin_version_id
         where a.event_id = {id} and a.key = 'marks.mark' and v.plugin_id = 'marks' and v.version = '0.1.0' and v.digest = {}",
        plugin["digest"].to_string().replace('"', "'")
    );
    assert_eq!(server.count(&sql), 1);
    assert_eq!(
        server.count(&format!("select count(*) from attributes where event_id = {id} and key = 'llm.model' and plugin_version_id is null")),
        1
    );
    // Without being asked it stays out.
    assert!(server.get(&format!("/v1/telemetry/events/{id}")).json.get("provenance").is_none_or(|it| it.is_null()));
}

#[test]
fn an_event_of_sixteen_mebibytes_fails_nobody() {
    let server = Server::start_with(|_, folder| {
        let curious = looking("curious", "event.attributes").with("(loop $next", "(return (i64.const 1)) (loop $next");
        curious.drop_into(folder);
        std::fs::write(folder.join("grants.toml"), "[curious]\nfields = [\"event.attributes\"]\n").expect("a file");
    });
    assert_eq!(status(&server, "curious")["state"], "serving");
    let mut event = event(1);
    event["attributes"]["llm.request.data"] = "a long prompt \u{e9} ".repeat((16 << 20) / 17 - 200).into();
    assert!(event.to_string().len() > (16 << 20) - (1 << 15));
    server.accept(&event);
    server.accept_batch(&[event.clone(), super::event(2), event]);
    let plugins = server.get("/v1/plugins").json;
    let items = plugins["items"].as_array().expect("a list");
    for plugin in items.iter().filter(|plugin| plugin["state"] != "switched-off") {
        let counters = &plugin["counters"];
        assert_eq!(
            (&plugin["state"], &counters["poison_rows"], &counters["host_failures"]),
            (&json!("serving"), &json!(0), &json!(0)),
            "{plugin}"
        );
    }
    assert_eq!(server.count("select count(*) from attributes where key = 'curious.mark'"), 4);
}
