//! Text plugins: a rule in one file, dropped in, granted, refused and limited as any other plugin.

use std::fs;

use serde_json::{Value, json};

use super::live::until;
use super::{degraded, event, goes_on, outcomes, server, status};
use crate::harness::Server;

const FAMILY: &str = "id = \"family\"\nversion = \"1.0.0\"\nkind = \"enricher\"\n[rule]\nmodel.family = \"before(llm.model, '-')\"\n";

fn drop_in(server: &Server, name: &str, text: &str) {
    let draft = server.folder().join("plugins").join(format!("{name}.new"));
    fs::write(&draft, text).expect("a file");
    fs::rename(&draft, server.folder().join("plugins").join(name)).expect("renamed");
}

fn state(server: &Server, id: &str) -> Value {
    let answer = server.get(&format!("/v1/plugins/{id}"));
    if answer.status == 404 { Value::Null } else { answer.json["state"].clone() }
}

fn serving(server: &Server, id: &str, version: &str) {
    until(version, || {
        let answer = server.get(&format!("/v1/plugins/{id}"));
        answer.status == 200 && answer.json["state"] == "serving" && answer.json["version"] == version
    });
}

/// What `key` of the last event is.
fn last(server: &Server, key: &str) -> Value {
    let sql = "select max(value_json) from attributes where key = ?1 and event_id = (select max(id) from events)";
    let text: Option<String> = server.sql().query_row(sql, [key], |row| row.get(0)).expect("an answer");
    text.map_or(Value::Null, |text| serde_json::from_str(&text).expect("JSON"))
}

#[test]
fn a_rule_serves_after_the_copy_changes_and_goes() {
    let server = server(&[]);
    drop_in(&server, "family.toml", FAMILY);
    serving(&server, "family", "1.0.0");
    server.accept(&event(1));
    assert_eq!(last(&server, "model.family"), "m");
    let first = status(&server, "family")["digest"].clone();
    drop_in(&server, "family.toml", &FAMILY.replace("1.0.0", "2.0.0").replace("before", "after"));
    serving(&server, "family", "2.0.0");
    assert_ne!(status(&server, "family")["digest"], first);
    server.accept(&event(2));
    assert_eq!(last(&server, "model.family"), "1");
    drop_in(&server, "family.toml", &FAMILY.replace("llm.model", "event.modell"));
    until("the error", || degraded(&server, "family").is_some());
    let problem = degraded(&server, "family").expect("a problem");
    assert!(problem.contains("line 5, column 24: `event.modell` is not a field"), "{problem}");
    server.accept(&event(3));
    assert_eq!(last(&server, "model.family"), "1", "the version before goes on");
    assert_eq!(outcomes(&server, "family"), [("ok".to_owned(), 3)]);
    fs::remove_file(server.folder().join("plugins/family.toml")).expect("removed");
    until("its end", || state(&server, "family").is_null());
    goes_on(&server);
    assert_eq!(server.get("/v1/audit/verify").json["holds"], true);
}

#[test]
fn content_wants_a_grant_and_the_printed_lines_are_it() {
    let server = server(&[]);
    drop_in(&server, "secret.toml", &FAMILY.replace("family", "secret").replace("llm.model", "attributes['my.secret']"));
    until("the refusal", || state(&server, "secret") == "refused");
    let lines = status(&server, "secret")["grant"].as_str().expect("lines").to_owned();
    assert!(lines.contains("my.secret"), "{lines}");
    fs::write(server.folder().join("grants.toml"), lines).expect("a file");
    serving(&server, "secret", "1.0.0");
}

#[test]
fn a_validator_flags_and_rejects_and_a_metric_reports() {
    let server = server(&[]);
    let head = |id: &str, kind: &str| format!("id = \"{id}\"\nversion = \"1.0.0\"\nkind = \"{kind}\"\n");
    let checks = "[[rule]]\nwhen = \"integer(llm.usage.n) == 7\"\ncode = \"seven\"\n\
                  [[rule]]\nexpect = \"integer(llm.usage.n) < 9\"\ncode = \"too-many\"\nseverity = \"reject\"\n";
    drop_in(&server, "checks.toml", &(head("checks", "validator") + checks));
    let sums = "[config.least]\ntype = \"integer\"\ndefault = 2\n[rule]\nevents = \"count()\"\n\
                sum = \"sum(integer(llm.usage.n), integer(llm.usage.n) >= config.least)\"\n";
    drop_in(&server, "sums.toml", &(head("sums", "metric") + sums));
    serving(&server, "checks", "1.0.0");
    serving(&server, "sums", "1.0.0");
    server.accept_batch(&[event(1), event(2), event(3), event(7)]);
    let answer = server.post("/v1/telemetry", event(9).to_string());
    assert!(answer.text.contains("expected integer(llm.usage.n) < 9"), "{}", answer.text);
    assert_eq!(server.count("select count(*) from quarantine"), 1);
    assert_eq!(server.count("select count(*) from events where flags like '%seven%'"), 1);
    let report = server.get("/v1/reports/sums");
    assert_eq!(report.json["rows"][0]["values"], json!({ "events": 4, "sum": 12 }), "{}", report.text);
}

#[test]
fn a_rule_that_wants_too_much_memory_fails_alone() {
    let server = server(&[]);
    let greedy = vec!["llm.model"; 3_000].join(" + ");
    drop_in(&server, "greedy.toml", &FAMILY.replace("family", "greedy").replace("before(llm.model, '-')", &greedy));
    serving(&server, "greedy", "1.0.0");
    server.accept(&event(1));
    let mut large = event(2);
    large["attributes"]["llm.model"] = "x".repeat(100_000).into();
    server.accept(&large);
    server.accept(&event(3));
    assert_eq!(outcomes(&server, "greedy").into_iter().filter(|(outcome, _)| outcome == "ok").map(|(_, count)| count).sum::<i64>(), 2);
    fs::remove_file(server.folder().join("plugins/greedy.toml")).expect("removed");
    until("its end", || state(&server, "greedy").is_null());
    goes_on(&server);
}

#[test]
fn files_that_are_no_rules_are_refused_and_the_operators_own_are_left_alone() {
    let server = Server::start_with(|_, folder| {
        let plugins = folder.join("plugins");
        fs::write(plugins.join("grants.toml"), "[x]\nfields = []\n").expect("a file");
        fs::write(plugins.join("notes.toml"), "a = 1\n").expect("a file");
        fs::write(plugins.join("binary.toml"), [0xff, 0x00]).expect("a file");
        fs::write(plugins.join("deep.toml"), format!("id = {}", "[".repeat(60_000))).expect("a file");
        fs::write(plugins.join("long.toml"), vec![b'#'; 100_000]).expect("a file");
    });
    for id in ["notes", "binary", "deep", "long"] {
        assert_eq!(state(&server, id), "refused", "{id}");
    }
    assert!(state(&server, "grants").is_null());
    goes_on(&server);
}
