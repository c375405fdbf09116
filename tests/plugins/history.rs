//! Plugins tried on what is stored: which rows another version would change, and that nothing but the journal is written.

use std::path::PathBuf;

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
    let table = diff.to_string();
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
    assert!(said("prompt-size", "prompt-size", vec![("group_by".into(), "model".into())]).contains("only a metric"));
}
