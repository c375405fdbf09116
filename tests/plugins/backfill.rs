//! Jobs that run an enricher over what is stored: equal to what live gave, resumed after a kill, cancelled, beside live ingest.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use telemetry_model::query::Window;
use telemetry_server::offline;

use super::guest::{Guest, mark};
use super::rows::{FOLDER, settle};
use super::{event, server};
use crate::harness::{Server, golden};

/// Takes a moment of CPU time for each row.
const SLOW: &str = "(local $i i32) (loop $spin (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $spin (i32.lt_u (local.get $i) (i32.const 1000000)))) (local.get $n)";

fn start_job(server: &Server, plugin: &str) -> String {
    let answer = server.post(&format!("/v1/plugins/{plugin}/jobs"), "{}");
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json["id"].as_str().unwrap().to_owned()
}

fn job(server: &Server, plugin: &str, number: &str) -> Value {
    server.get(&format!("/v1/plugins/{plugin}/jobs/{number}")).json
}

fn ended(server: &Server, plugin: &str, number: &str) -> Value {
    loop {
        let job = job(server, plugin, number);
        if job["state"] != json!("running") {
            return job;
        }
        std::thread::yield_now();
    }
}

/// Hashes over the rows and over the output of each access of a plugin by entries of one kind.
fn hashes(server: &Server, plugin: &str, kind: &str) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let sql = "select a.input, a.output from journal_accesses a join journal_subjects s on s.id = a.subject
               join journal_entries e on e.id = a.id / 4096 where s.plugin_id = ?1 and e.kind = ?2 order by a.id";
    let connection = server.sql();
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([plugin, kind], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

#[test]
fn rows_and_output_have_the_hashes_that_live_gave() {
    let events = golden();
    let first = Server::start();
    first.accept_batch(&events);
    // A job takes rows by their time.
    let connection = first.sql();
    let mut statement = connection.prepare("select id from events order by timestamp, id limit 250").unwrap();
    let order = statement.query_map([], |row| row.get::<_, i64>(0)).unwrap();
    let events: Vec<Value> = order.map(|id| events[id.unwrap() as usize - 1].clone()).collect();
    let server = Server::start();
    server.accept_batch(&events);
    settle(&server);
    for plugin in ["event-category", "secret-scan"] {
        let done = ended(&server, plugin, &start_job(&server, plugin));
        let counts = ["done", "changed", "unequal", "apart", "failed"].map(|name| done[name].as_i64().unwrap());
        assert_eq!(counts, [250, 0, 0, 0, 0], "{done}");
        let live = hashes(&server, plugin, "write");
        assert_eq!(live.len(), 1, "one batch, one entry");
        assert!(plugin != "event-category" || live[0].1.is_some());
        assert_eq!(hashes(&server, plugin, "job"), live, "{plugin}");
    }
    for plugin in ["prompt-size", "conversation-turn", "tool-loop"] {
        let done = ended(&server, plugin, &start_job(&server, plugin));
        assert_eq!((&done["changed"], &done["unequal"], &done["apart"]), (&json!(0), &json!(0), &json!(0)), "{done}");
        assert_eq!(done["done"], done["total"]);
    }
    assert_eq!(server.get("/v1/audit/verify").json["holds"], true);
}

#[test]
fn rows_that_had_not_gone_well_are_listed_apart() {
    let fails = "(if (i64.eq (local.get $n) (i64.const 13)) (then (unreachable))) (local.get $n)";
    let server = server(&[&Guest::enricher("marks", fails)]);
    let bad = [3, 8].map(|_| server.accept(&event(13)));
    let good = server.accept(&event(5));
    Guest::enricher("marks", "(local.get $n)").drop_into(server.folder());
    server.post("/v1/plugins/reload", "{}");
    let done = ended(&server, "marks", &start_job(&server, "marks"));
    assert_eq!((&done["apart"], &done["changed"], &done["unequal"]), (&json!(2), &json!(2), &json!(0)), "{done}");
    let apart = |job: &Value| -> Vec<(String, Value)> {
        let rows = job["apart_rows"].as_array().unwrap().iter();
        rows.map(|row| (row["row"]["event_id"].as_str().unwrap().to_owned(), row["outcome"].clone())).collect()
    };
    assert_eq!(apart(&done), bad.map(|id| (id.to_string(), json!("trap"))));
    let key = mark("marks");
    assert_eq!(server.get(&format!("/v1/telemetry/events/{}", bad[0])).json["derived"][&key], json!(13));
    assert_eq!(server.get(&format!("/v1/telemetry/events/{good}")).json["derived"][&key], json!(5));
    let again = ended(&server, "marks", &start_job(&server, "marks"));
    assert_eq!((&again["apart"], apart(&again).len()), (&json!(0), 0));
    assert_eq!(server.get("/v1/plugins/marks/jobs/77").status, 404);
    assert_eq!(server.get("/v1/plugins/nobody/jobs/1").status, 404);
}

/// A server with a slow enricher and more events than one step takes.
fn slow() -> Server {
    let guest = Guest::enricher("slow", SLOW);
    let server = Server::start_with(|config, folder| {
        config.plugins.ingest_deadline_ms = 5_000;
        guest.drop_into(folder);
    });
    let events: Vec<Value> = (0..900).map(event).collect();
    server.accept_batch(&events);
    server
}

#[test]
fn live_ingest_goes_on_beside_a_job() {
    let server = slow();
    let number = start_job(&server, "slow");
    assert_eq!(server.post("/v1/plugins/slow/jobs", "{}").status, 409, "one at a time");
    let id = server.accept(&event(7));
    let beside = job(&server, "slow", &number);
    assert_eq!(beside["state"], json!("running"), "{beside}");
    assert_eq!(server.get(&format!("/v1/telemetry/events/{id}")).json["derived"][&mark("slow")], json!(7));
    let done = ended(&server, "slow", &number);
    assert_eq!((&done["done"], &done["total"], &done["unequal"], &done["remaining"]), (&json!(900), &json!(900), &json!(0), &json!(0)));
}

#[test]
fn a_cancelled_job_ends_where_it_was() {
    let server = slow();
    let number = start_job(&server, "slow");
    let jobs = server.delete("/v1/plugins/slow/jobs").json;
    assert_eq!((&jobs["items"][0]["id"], &jobs["items"][0]["state"]), (&json!(number), &json!("cancelled")), "{jobs}");
    let before = jobs["items"][0]["done"].as_i64().unwrap();
    assert!(before < 900, "{jobs}");
    // Another one begins and ends: the cancelled one was not touched.
    let next = ended(&server, "slow", &start_job(&server, "slow"));
    assert_eq!(next["done"], json!(900));
    assert_eq!(job(&server, "slow", &number)["done"], json!(before));
}

/// The server of `plugins::rows::child`, and where it is.
fn child(folder: &std::path::Path) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "plugins::rows::child", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.find_map(|line| line.unwrap().strip_prefix("at ").map(str::to_owned)).unwrap();
    (child, address)
}

#[test]
fn a_killed_job_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, address) = child(folder.path());
    let events: Vec<Value> = (0..8).flat_map(|_| golden()).collect();
    for batch in events.chunks(500) {
        let body = json!({ "events": batch }).to_string();
        let sent = ureq::post(format!("http://{address}/v1/telemetry/batch")).content_type("application/json").send(body);
        assert_eq!(sent.unwrap().status(), 201);
    }
    let url = format!("http://{address}/v1/plugins/secret-scan/jobs");
    assert_eq!(ureq::post(&url).content_type("application/json").send("{}").unwrap().status(), 200);
    let seen: Value = loop {
        let text = ureq::get(&url).call().unwrap().body_mut().read_to_string().unwrap();
        let job = serde_json::from_str::<Value>(&text).unwrap()["items"][0].take();
        if job["done"].as_i64().unwrap() > 0 {
            break job;
        }
    };
    child.kill().unwrap();
    child.wait().unwrap();
    let server = Server::start_with(|config, _| config.database.path = folder.path().join("cylestio.db"));
    let done = ended(&server, "secret-scan", seen["id"].as_str().unwrap());
    assert_eq!((&done["state"], &done["done"], &done["total"]), (&json!("done"), &json!(events.len()), &json!(events.len())), "{done}");
    assert_eq!((&done["changed"], &done["unequal"], &done["apart"]), (&json!(0), &json!(0), &json!(0)), "{done}");
    assert_eq!(server.get("/v1/audit/verify").json["holds"], true);
}

#[test]
fn without_a_server_the_command_does_it() {
    let mut server = Server::start_with(|config, _| config.plugins.disabled = vec!["prompt-size".into()]);
    server.accept_batch(&golden());
    settle(&server);
    let calls = server.count("select count(*) from llm_calls");
    let window = Window::default();
    let refused = offline::backfill(server.config(), "prompt-size", window, &mut |_| {}).expect_err("a server has the file");
    assert!(format!("{refused:#}").contains(&std::process::id().to_string()), "{refused:#}");
    server.stop();
    server.config_mut().plugins.disabled.clear();
    let mut told = 0;
    let done = offline::backfill(server.config(), "prompt-size", window, &mut |_| told += 1).unwrap();
    assert_eq!((&done["state"], &done["done"], &done["apart"]), (&json!("done"), &json!(calls), &json!(calls)), "{done}");
    assert!(told > 0);
    assert_eq!(done["apart_rows"][0]["outcome"], Value::Null);
    assert!(server.count("select count(*) from row_attributes where key = 'prompt.messages'") > 10);
    assert!(offline::cancel(server.config(), "prompt-size").unwrap().is_none(), "none runs");
    let refused = offline::backfill(server.config(), "latency", window, &mut |_| {}).expect_err("a metric");
    assert!(format!("{refused:#}").contains("enricher"), "{refused:#}");
    server.restart();
    assert_eq!(server.get("/v1/audit/verify").json["holds"], true);
}
