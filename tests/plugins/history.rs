//! Plugins tried on what is stored: which rows another version would change, and that nothing but the journal is written.

use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use telemetry_server::history::{Asked, Diff, Named};
use telemetry_server::offline;

use super::guest::{Guest, manifest, mark};
use crate::harness::{Server, golden};

const INPUT: &str = r#"attributes["llm.usage.input_tokens"]"#;
/// What a guest makes of a number of at most 100.
const ABOVE_100: &str = "(if (result i64) (i64.gt_s (local.get $n) (i64.const 100)) (then (local.get $n)) (else (i64.const 0)))";

/// A stopped server that has stored the golden events.
fn filled() -> Server {
    let mut server = Server::start();
    server.accept_batch(&golden());
    while server.count("select count(*) from row_queue") > 0 {
        std::thread::yield_now();
    }
    server.stop();
    server
}

fn file(server: &Server, name: &str, guest: &Guest) -> Named {
    Named::File(write(server, name, &guest.bytes()))
}

fn write(server: &Server, name: &str, bytes: &[u8]) -> PathBuf {
    let path = server.folder().join(format!("{name}.wasm"));
    std::fs::write(&path, bytes).unwrap();
    path
}

fn diff(server: &Server, old: &Named, new: &Named, query: &[(&str, &str)]) -> Diff {
    let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let asked = Asked { limit: 10_000, query, ..Asked::default() };
    offline::diff(server.config(), old, new, &asked, &mut |_| true).expect("a diff")
}

/// Events with an input of 1 to 100 tokens: what the new versions below take otherwise.
fn small(server: &Server) -> Vec<i64> {
    let sql = "select event_id from attributes where key = 'llm.usage.input_tokens' and value_type = 'integer' and value between 1 and 100
               order by event_id";
    let connection = server.sql();
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// The changed rows by their numbers.
fn changed(diff: &Diff) -> Vec<i64> {
    let mut ids: Vec<i64> = diff.items.iter().map(|change| change.row.id).collect();
    ids.sort_unstable();
    ids
}

fn integer(server: &Server, sql: &str, id: i64) -> Value {
    server.sql().query_row(sql, [id], |row| row.get::<_, i64>(0)).map_or(Value::Null, Value::from)
}

const TOKENS: &str = "select value from attributes where key = 'llm.usage.input_tokens' and event_id = ?1";

#[test]
fn a_changed_metric_shows_exactly_the_changed_rows() {
    let server = filled();
    let manifest = manifest("tokens-in", "metric", &[(INPUT, "integer")], &[("total", "integer")]);
    let old = file(&server, "old", &Guest::metric("tokens-in", "(local.get $n)").under(&manifest));
    let new = file(&server, "new", &Guest::metric("tokens-in", ABOVE_100).under(&manifest));
    let diff = diff(&server, &old, &new, &[("group_by", "event.name")]);
    let expected = small(&server);
    assert!(expected.len() > 5 && expected.len() < 42, "{expected:?}");
    assert_eq!(changed(&diff), expected);
    assert_eq!((diff.changed_rows, diff.changes), (expected.len() as u64, expected.len() as u64));
    assert_eq!(diff.rows as i64, server.count("select count(*) from events"));
    for change in &diff.items {
        let tokens = integer(&server, TOKENS, change.row.id);
        assert_eq!((change.key.as_deref(), &change.old, &change.new), (Some("total"), &tokens, &json!(0)));
        assert_eq!(change.row.event_id, Some(change.row.id));
    }
    // By the names of events: the totals, and what is missing of them.
    let groups = diff.groups.as_ref().expect("a metric has a report");
    let connection = server.sql();
    let sql = "select e.name, sum(a.value), sum(a.value * (a.value > 100)) from events e join attributes a on a.event_id = e.id
               where a.key = 'llm.usage.input_tokens' and a.value_type = 'integer' group by 1 having sum(a.value between 1 and 100) > 0";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))).unwrap();
    let mut expected: Vec<_> = rows.map(Result::unwrap).collect();
    expected.sort();
    let mut found: Vec<_> = groups
        .items
        .iter()
        .map(|change| {
            let total = &change.values["total"];
            (change.group["event.name"].as_str().unwrap().to_owned(), total.old.as_i64().unwrap(), total.new.as_i64().unwrap())
        })
        .collect();
    found.sort();
    assert_eq!((found, groups.changed), (expected.clone(), expected.len()));
    assert!(groups.total > groups.changed);
    // As a table, and as JSON.
    let table = telemetry_server::history::table(&serde_json::to_value(&diff).unwrap());
    assert!(table.contains("total") && table.contains("event.name="), "{table}");
    let json = serde_json::to_value(&diff).unwrap();
    assert_eq!(json["items"][0]["row"]["relation"], "events");
    assert!(json["items"][0]["row"]["id"].is_string() && json["groups"]["items"][0]["values"]["total"]["old"].is_number());
}

#[test]
fn a_changed_enricher_shows_exactly_the_changed_rows_and_writes_nothing() {
    let mut server = filled();
    let manifest = manifest("marker", "enricher", &[(INPUT, "integer")], &[(&mark("marker"), "integer")]);
    let old = file(&server, "old", &Guest::enricher("marker", "(local.get $n)").under(&manifest));
    let new = file(&server, "new", &Guest::enricher("marker", ABOVE_100).under(&manifest));
    let before = server.count("select count(*) from attributes");
    let diff = diff(&server, &old, &new, &[]);
    assert_eq!(changed(&diff), small(&server));
    assert_eq!(diff.keys[&mark("marker")].changed, diff.changes);
    for change in &diff.items {
        assert_eq!((&change.old, &change.new), (&integer(&server, TOKENS, change.row.id), &json!(0)));
    }
    assert_eq!(server.count("select count(*) from attributes"), before);
    let noted = "select count(*) from journal_entries where kind = 'offline'";
    assert!(server.count(noted) >= 3, "one entry a plugin before it is handed rows, and one of what it was handed");
    server.restart();
    let audit = server.get("/v1/audit/verify").json;
    assert_eq!(audit["holds"], true, "{audit}");
}

#[test]
fn an_unchanged_plugin_changes_nothing_whatever_it_takes_rows_of() {
    let server = filled();
    for (id, rows) in [
        ("prompt-size", "llm_calls"),
        ("tool-loop", "tool_executions"),
        ("genai-attributes", "events"),
        ("event-envelope", "events"),
        ("latency", "llm_calls"),
        ("session-count", "sessions"),
        ("pii-masker", "events"),
    ] {
        let named = Named::Id(id.to_owned());
        let diff = diff(&server, &named, &named, &[]);
        assert_eq!((diff.rows as i64, diff.changes), (server.count(&format!("select count(*) from {rows}")), 0), "{id}");
        assert_eq!((diff.unreadable, diff.failed.new), (0, 0), "{id}");
        assert_eq!(diff.groups.map(|groups| groups.changed), (diff.kind == "metric").then_some(0), "{id}");
    }
}

#[test]
fn validators_are_compared_by_their_violations() {
    let server = filled();
    let manifest = manifest("judge", "validator", &[(INPUT, "integer")], &[]);
    let verdict = "(i32.mul (i32.const 2) (i64.gt_s (local.get $n) (i64.const 100)))";
    let old = file(&server, "old", &Guest::validator("judge", "(i32.const 0)").under(&manifest));
    let new = file(&server, "new", &Guest::validator("judge", verdict).under(&manifest));
    let diff = diff(&server, &old, &new, &[]);
    let above = "select count(*) from attributes where key = 'llm.usage.input_tokens' and value > 100";
    assert_eq!(diff.changed_rows as i64, server.count(above));
    assert_eq!((&diff.items[0].old, diff.keys.values().map(|totals| totals.added).sum::<u64>()), (&Value::Null, diff.changes));
    assert_eq!(diff.items[0].new["severity"], "flag");
    assert_eq!(diff.unreadable, 0);
}

#[test]
fn maskers_are_compared_by_the_texts_they_change() {
    let server = filled();
    std::fs::write(server.folder().join("grants.toml"), "[hides]\nmask = true\n").unwrap();
    let calm = |guest: Guest| {
        guest.with("(i32.const 84)) (then (unreachable))", "(i32.const 1)) (then (unreachable))").with("(i32.const 76)", "(i32.const 1)")
    };
    let old = file(&server, "old", &calm(Guest::masker("hides")));
    let new = file(&server, "new", &calm(Guest::masker("hides").with("(i32.const 77)", "(i32.const 73)")));
    let diff = diff(&server, &old, &new, &[]);
    assert_eq!((diff.failed.old, diff.failed.new, diff.unreadable), (0, 0, 0));
    // Every level is INFO or the like.
    assert!(diff.keys["/level"].added > 0, "{:?}", diff.keys);
    assert!(diff.items.iter().all(|change| change.old == "#" || change.new == "#" || change.key.as_deref() != Some("/level")));
}

#[test]
fn what_cannot_be_compared_is_said() {
    let server = filled();
    let named = |id: &str| Named::Id(id.to_owned());
    let said = |old: &str, new: &str, query: Vec<(String, String)>| {
        let asked = Asked { limit: 10, query, ..Asked::default() };
        format!("{:#}", offline::diff(server.config(), &named(old), &named(new), &asked, &mut |_| true).expect_err("nothing to compare"))
    };
    assert!(said("latency", "prompt-size", Vec::new()).contains("kind"));
    assert!(said("tool-loop", "prompt-size", Vec::new()).contains("tool_executions"));
    assert!(said("nobody", "prompt-size", Vec::new()).contains("nobody"));
    let by = |field: &str| vec![("group_by".to_owned(), field.to_owned())];
    assert!(said("event-envelope", "event-envelope", by("model")).contains("only a metric or an enricher"));
    assert!(said("pii-masker", "pii-masker", by("model")).contains("not a masker"));
    // Of an enricher they are those of the reports that it reaches: what none of them knows is refused.
    assert!(said("prompt-size", "prompt-size", by("modell")).contains("modell"));
}

#[test]
fn a_replay_tells_what_a_plugin_gives_and_takes() {
    let mut server = filled();
    let asked = Asked { limit: 10, ..Asked::default() };
    let run = |server: &Server, named: &Named| offline::replay(server.config(), named, &asked, &mut |_| true).expect("a replay");
    let events = server.count("select count(*) from events") as u64;
    let manifest = manifest("marker", "enricher", &[(INPUT, "integer")], &[(&mark("marker"), "integer")]);
    let fails = "(if (i64.eq (local.get $n) (i64.const 1)) (then (unreachable))) (local.get $n)";
    let replay = run(&server, &file(&server, "marker", &Guest::enricher("marker", fails).under(&manifest)));
    let ones = server.count("select count(*) from attributes where key = 'llm.usage.input_tokens' and value = 1") as u64;
    assert_eq!((replay.rows, replay.outcomes["ok"]), (events, events - ones));
    assert_eq!((replay.failed_rows.len() as u64, replay.outcomes.get("trap").copied().unwrap_or(0)), (ones, ones));
    assert_eq!(replay.gives[&mark("marker")], events - ones);
    assert!(replay.call_ns_per_row.unwrap() > 0.0 && replay.total_ns_per_row >= replay.call_ns_per_row);
    assert!(replay.peak_memory_bytes >= 65_536 && replay.peak_memory_bytes <= replay.memory_limit_bytes.unwrap() as u64);
    assert!(replay.to_string().contains("peak memory"));
    let calls = server.count("select count(*) from llm_calls") as u64;
    let latency = run(&server, &Named::Id("latency".to_owned()));
    assert_eq!((latency.rows, latency.gives["p95_ms"]), (calls, 1));
    let sizes = run(&server, &Named::Id("prompt-size".to_owned()));
    assert_eq!((sizes.rows, sizes.outcomes["ok"]), (calls, calls));
    assert_eq!(run(&server, &Named::Id("secret-masker".to_owned())).outcomes["ok"], events);
    assert_eq!(run(&server, &Named::Id("event-envelope".to_owned())).outcomes["ok"], events);
    assert_eq!(server.count("select count(*) from row_queue"), 0);
    server.restart();
    let audit = server.get("/v1/audit/verify").json;
    assert_eq!(audit["holds"], true, "{audit}");
}

#[test]
fn a_run_takes_calls_and_executions_too() {
    let server = filled();
    let wasm = |id: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../plugins/{id}/{id}.wasm"));
    let mut config = server.config().clone();
    config.plugins.replaced = vec!["prompt-size".into(), "tool-loop".into()];
    let run = |id: &str, input: Option<PathBuf>| {
        let mut lines = Vec::new();
        let run = offline::OfflineRun { file: wasm(id), input, query: Vec::new() };
        offline::run(&config, &run, &mut lines).expect("it runs");
        let text = String::from_utf8(lines).unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    };
    let events = server.folder().join("events.ndjson");
    std::fs::write(&events, golden().iter().map(|event| format!("{event}\n")).collect::<String>()).unwrap();
    for (id, rows, key) in [("prompt-size", "llm_calls", "prompt.messages"), ("tool-loop", "tool_executions", "tool.loop")] {
        let stored = run(id, None);
        assert_eq!(stored.len() as i64, server.count(&format!("select count(*) from {rows}")), "{id}");
        let set = stored.iter().filter(|line| line["set"].get(key).is_some()).count() as i64;
        assert_eq!(set, server.count(&format!("select count(*) from row_attributes where key = '{key}'")), "{id}");
        assert!(stored.iter().all(|line| line["outcome"] == "ok" && line["row"]["relation"] == rows));
        let said = |lines: &[Value]| lines.iter().map(|line| line["set"].clone()).collect::<Vec<_>>();
        assert_eq!(said(&run(id, Some(events.clone()))), said(&stored), "{id}");
    }
}

#[test]
fn a_running_server_compares_too() {
    let mut server = filled();
    let manifest = manifest("marker", "enricher", &[(INPUT, "integer")], &[(&mark("marker"), "integer")]);
    let old = Guest::enricher("marker", "(local.get $n)").under(&manifest).bytes();
    let new = Guest::enricher("marker", ABOVE_100).under(&manifest).bytes();
    let offline = diff(&server, &Named::File(write(&server, "old", &old)), &Named::File(write(&server, "new", &new)), &[]);
    server.restart();
    let side = |bytes: &[u8]| json!({ "wasm": BASE64_STANDARD.encode(bytes) });
    let asked = json!({ "old": side(&old), "new": side(&new), "limit": 10_000 }).to_string();
    let answer = server.post("/v1/plugins/diff", &asked);
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json, serde_json::to_value(&offline).unwrap());
    let served = server.post("/v1/plugins/diff", r#"{"old":{"id":"latency"},"new":{"id":"latency"},"query":[["group_by","model"]]}"#).json;
    assert_eq!((&served["changes"], &served["groups"]["changed"]), (&json!(0), &json!(0)), "{served}");
    for (body, status, said) in [
        (r#"{"old":{"id":"latency"},"new":{"id":"nobody"}}"#, 400, "nobody"),
        (r#"{"old":{"id":"latency"},"new":{"id":"tool-loop"}}"#, 400, "kind"),
        (r#"{"old":{"id":"latency","toml":"x"},"new":{"id":"latency"}}"#, 400, "one of"),
        (r#"{"old":{"id":"latency"},"new":{"wasm":"AAAA"}}"#, 400, "new"),
        (r#"{"old":{"id":"latency"},"new":{"id":"latency"},"from_time":"x"}"#, 400, "from_time"),
        (r#"{"old":{"id":"latency"},"new":{"id":"latency"},"query":[["nonsense","1"]]}"#, 400, "nonsense"),
    ] {
        let answer = server.post("/v1/plugins/diff", body);
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        assert!(answer.text.contains(said), "{body}: {}", answer.text);
    }
    let reads = manifest_reading_content();
    let asked = json!({ "old": { "id": "prompt-size" }, "new": side(&Guest::enricher("peeks", "(local.get $n)").under(&reads).bytes()) });
    let refused = server.post("/v1/plugins/diff", asked.to_string());
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(refused.text.contains("[peeks]"), "{}", refused.text);
    assert_eq!(server.get("/v1/audit/verify").json["holds"], true);
}

/// Of an enricher that wants what nobody granted.
fn manifest_reading_content() -> String {
    manifest("peeks", "enricher", &[(r#"attributes["llm.request.data"]"#, "integer")], &[("peeks.mark", "integer")])
}
