//! Enrichers over calls and executions, which run after the commit, and jobs that run enrichers over what is stored.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Server, golden};

/// In whose folder the child of [`a_kill_loses_and_doubles_nothing`] runs.
pub(super) const FOLDER: &str = "ROWS_TEST_FOLDER";

/// Waits until no row waits.
pub(super) fn settle(server: &Server) {
    while server.count("select count(*) from row_queue") > 0 {
        std::thread::yield_now();
    }
}

/// What enrichers said of every row, by what does not depend on the order of arrival.
fn said(server: &Server) -> Vec<String> {
    let connection = server.sql();
    let sql = "select a.relation || ' ' || coalesce(c.trace_id || ' ' || c.span_id, x.trace_id || ' ' || x.span_id, e.timestamp) || ' '
                      || a.key || ' ' || a.value_json
               from row_attributes a
               left join llm_calls c on a.relation = 'llm_calls' and c.id = a.row_id
               left join tool_executions x on a.relation = 'tool_executions' and x.id = a.row_id
               join events e on e.id = a.event_id
               order by 1";
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// A request whose messages go on from those of one with fewer.
fn call(span: &str, time: &str, count: usize) -> Value {
    let messages: Vec<_> = (0..count).map(|number| json!({ "role": "user", "content": format!("message {number}") })).collect();
    json!({
        "timestamp": format!("2026-11-23T08:00:{time}Z"), "name": "llm.call.start", "level": "INFO", "agent_id": "a", "trace_id": "t",
        "span_id": span, "attributes": { "session.id": "s", "llm.model": "m", "llm.request.data": { "messages": messages } },
    })
}

fn tool(span: &str, time: &str) -> Value {
    json!({
        "timestamp": format!("2026-11-23T08:00:{time}Z"), "name": "tool.execution", "level": "INFO", "agent_id": "a", "trace_id": "t",
        "span_id": span, "attributes": { "session.id": "s", "tool.name": "search", "tool.params": { "q": "same" } },
    })
}

#[test]
fn calls_and_executions_are_enriched_after_the_commit() {
    let server = Server::start();
    server.accept(&call("c1", "01", 2));
    let id = server.accept(&call("c2", "02", 3));
    for (span, time) in [("x1", "03"), ("x2", "04"), ("x3", "05"), ("x4", "06")] {
        server.accept(&tool(span, time));
    }
    settle(&server);
    let event = server.get(&format!("/v1/telemetry/events/{id}?provenance=1")).json;
    let row = &event["row"];
    assert_eq!((&row["relation"], &row["pending"]), (&json!("llm_calls"), &json!([])), "{row}");
    assert_eq!(row["derived"]["conversation.turn"], json!(2));
    assert_eq!(row["derived"]["conversation.stage"], json!("follow-up"));
    assert_eq!(row["derived"]["prompt.messages"], json!(3));
    let writers: Vec<_> = row["provenance"]["attributes"].as_array().unwrap().iter().map(|writer| &writer["plugin_id"]).collect();
    assert!(writers.contains(&&json!("prompt-size")) && writers.contains(&&json!("conversation-turn")), "{writers:?}");
    let report = server.get("/v1/reports/llm-calls?group_by=conversation.stage").json;
    let stages: Vec<_> = report["rows"].as_array().unwrap().iter().map(|row| &row["group"]["conversation.stage"]).collect();
    assert_eq!(stages, [&json!("first"), &json!("follow-up")], "{report}");
    let report = server.get("/v1/reports/tool-calls?tool.loop=true").json;
    assert_eq!(report["rows"][0]["values"]["calls"], json!(2), "{report}");
    let report = server.get("/v1/reports/tool-loop-count").json;
    assert_eq!(report["rows"][0]["values"], json!({ "loops": 1, "looping": 2, "longest": 4, "executions": 4, "unknown": 0 }));

    // An earlier call moves the turns, a later execution between them the loop.
    server.accept(&call("c0", "00", 1));
    server.accept(&tool("x0", "02.5"));
    settle(&server);
    let row = server.get(&format!("/v1/telemetry/events/{id}")).json["row"].take();
    assert_eq!((&row["derived"]["conversation.turn"], &row["pending"]), (&json!(3), &json!([])), "{row}");
    assert_eq!(server.count("select count(*) from row_attributes where key = 'tool.loop'"), 3);
}

#[test]
fn any_order_of_arrival_gives_the_same() {
    let mut events = golden();
    let forward = Server::start();
    for part in events.chunks(50) {
        forward.accept_batch(part);
    }
    settle(&forward);
    let expected = said(&forward);
    assert!(expected.len() > 100, "{}", expected.len());
    drop(forward);
    events.reverse();
    let backward = Server::start();
    for part in events.chunks(7) {
        backward.accept_batch(part);
    }
    settle(&backward);
    assert_eq!(said(&backward), expected);
}

/// Not a test of its own: what [`a_kill_loses_and_doubles_nothing`] starts and kills.
#[test]
fn child() {
    let Some((_, folder)) = std::env::vars_os().find(|(name, _)| name == FOLDER) else { return };
    let server = Server::start_with(|config, _| config.database.path = std::path::Path::new(&folder).join("cylestio.db"));
    println!("\nat {}", server.addr());
    loop {
        std::thread::park();
    }
}

#[test]
fn a_kill_loses_and_doubles_nothing() {
    let whole = Server::start();
    let events: Vec<Value> = (0..3).flat_map(|_| golden()).collect();
    let events: Vec<Value> = events
        .into_iter()
        .enumerate()
        .map(|(number, mut event)| {
            for key in ["trace_id", "span_id"] {
                if let Some(id) = event[key].as_str() {
                    event[key] = format!("{}{id}", number / 380).into();
                }
            }
            event
        })
        .collect();
    for part in events.chunks(200) {
        whole.accept_batch(part);
    }
    settle(&whole);
    let expected = said(&whole);
    drop(whole);

    let folder = tempfile::tempdir().unwrap();
    for part in events.chunks(events.len().div_ceil(2)) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "plugins::rows::child", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| line.unwrap().strip_prefix("at ").map(str::to_owned)).unwrap();
        for batch in part.chunks(200) {
            let body = json!({ "events": batch }).to_string();
            let sent = ureq::post(format!("http://{address}/v1/telemetry/batch")).content_type("application/json").send(body);
            assert_eq!(sent.unwrap().status(), 201);
        }
        // In the middle of whatever it does.
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let server = Server::start_with(|config, _| config.database.path = folder.path().join("cylestio.db"));
    settle(&server);
    assert_eq!(server.count("select count(*) from events"), events.len() as i64);
    assert_eq!(said(&server), expected);
    let runs = "select count(*) from llm_call_rows where runs is null";
    assert_eq!(server.count(runs), 0);
}

fn job(server: &Server, plugin: &str) -> Value {
    let answer = server.post(&format!("/v1/plugins/{plugin}/jobs"), "{}");
    assert_eq!(answer.status, 200, "{}", answer.text);
    loop {
        let jobs = server.get(&format!("/v1/plugins/{plugin}/jobs")).json;
        if jobs["items"][0]["state"] != json!("running") {
            return jobs["items"][0].clone();
        }
        std::thread::yield_now();
    }
}

/// What was written of events and rows under keys that begin so.
fn written(server: &Server, start: &str) -> Vec<String> {
    let sql = format!(
        "select event_id || ' ' || key || ' ' || value_json from attributes where key like '{start}%' and plugin_version_id is not null
         union all select event_id || ' ' || key || ' ' || value_json from row_attributes where key like '{start}%' order by 1"
    );
    let connection = server.sql();
    let mut statement = connection.prepare(&sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_backfill_gives_what_live_gave() {
    let live = Server::start();
    live.accept_batch(&golden());
    settle(&live);
    let off = ["secret-scan", "event-category", "conversation-turn", "prompt-size"];
    let late = Server::start_with(|config, _| config.plugins.disabled = off.map(str::to_owned).into());
    late.accept_batch(&golden());
    settle(&late);
    assert_eq!(written(&late, "conversation."), Vec::<String>::new());
    // The same database with everything on.
    let copy = tempfile::tempdir().unwrap();
    let copied = copy.path().join("cylestio.db");
    late.sql().execute("vacuum into ?1", [copied.to_str().unwrap()]).unwrap();
    drop(late);
    let server = Server::start_with(|config, _| config.database.path = copied);
    for (plugin, keys) in [
        ("secret-scan", "secret."),
        ("event-category", "event.category"),
        ("conversation-turn", "conversation."),
        ("prompt-size", "prompt."),
    ] {
        let done = job(&server, plugin);
        assert_eq!((&done["state"], &done["failed"]), (&json!("done"), &json!(0)), "{done}");
        assert_eq!((&done["done"], &done["apart"]), (&done["total"], &done["total"]), "{done}");
        let expected = written(&live, keys);
        assert!(!expected.is_empty() || plugin == "secret-scan", "{plugin}");
        assert_eq!(written(&server, keys), expected, "{plugin}");
        let again = job(&server, plugin);
        assert_eq!((&again["changed"], &again["apart"], &again["done"]), (&json!(0), &json!(0), &done["total"]), "{again}");
    }
    let windowed = server.post("/v1/plugins/prompt-size/jobs", r#"{"from_time":"2030-01-01T00:00:00Z"}"#).json;
    assert_eq!(windowed["total"], json!(0));
}

#[test]
fn jobs_are_refused_by_name() {
    let server = Server::start();
    assert_eq!(server.get("/v1/plugins/nobody/jobs").status, 404);
    assert_eq!(server.post("/v1/plugins/token-usage/jobs", "{}").status, 409);
    for (body, field) in [
        (r#"{"kind":"dance"}"#, "kind"),
        (r#"{"from_time":"yesterday"}"#, "from_time"),
        (r#"{"from_time":"2026-11-24","to_time":"2026-11-23"}"#, "from_time"),
    ] {
        let answer = server.post("/v1/plugins/prompt-size/jobs", body);
        assert_eq!((answer.status, &answer.json["error"]["details"][0]["field"]), (400, &json!(field)), "{}", answer.text);
    }
    assert_eq!(server.get("/v1/plugins/prompt-size/jobs").json, json!({ "items": [] }));
}
