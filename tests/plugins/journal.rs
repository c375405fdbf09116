//! `audit verify`: passes over whatever way events came, and names the place of whatever was changed.

use rusqlite::Connection;
use serde_json::{Value, json};
use telemetry_server::audit::{Audit, verify};
use telemetry_store::{Head, Store};

use super::guest::{Guest, put};
use super::{event, outcomes, server};
use crate::harness::{Server, golden};

/// Loops at 13, else doubles.
const LOOPS_AT_13: &str = "(loop $ever (br_if $ever (i64.eq (local.get $n) (i64.const 13)))) (i64.mul (local.get $n) (i64.const 2))";

/// Over the file of a server that was stopped.
fn verified(server: &Server, head: Option<Head>) -> Audit {
    let store = Store::open(server.config().store_settings()).expect("the file opens");
    let audit = verify(&store.snapshot().unwrap(), store.digest_key(), &server.config().plugins, head).expect("it reads");
    store.close();
    audit
}

/// The file, to be changed behind the server's back.
fn file(server: &Server) -> Connection {
    let connection = Connection::open(&server.config().database.path).expect("the file opens");
    connection.execute_batch("pragma foreign_keys = off").expect("a setting");
    connection
}

fn places(audit: &Audit) -> Vec<String> {
    audit.findings.iter().map(|finding| finding.place.clone()).collect()
}

/// The mark of each event, in order.
fn marks(server: &Server) -> Vec<u32> {
    let sql = server.sql();
    let mut statement =
        sql.prepare("select last_event - first_event + 1, marks from journal_entries where kind = 'write' order by id").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, u32>(0)? as usize, row.get::<_, Vec<u8>>(1)?))).unwrap();
    let of_entry = |(events, marks): (usize, Vec<u8>)| {
        marks[..events * 4].chunks(4).map(|mark| u32::from_le_bytes(mark.try_into().unwrap())).collect::<Vec<_>>()
    };
    rows.map(Result::unwrap).flat_map(of_entry).collect()
}

#[test]
fn cut_and_poison_change_no_row_hash() {
    let mut server = server(&[&Guest::enricher("doubles", LOOPS_AT_13)]);
    let events: Vec<Value> = (0..1000).map(|at| event(1000 + at)).collect();
    server.accept_batch(&events);
    for event in &events {
        server.accept(event);
    }
    let poisoned: Vec<Value> = events[..500].iter().cloned().chain([event(13)]).chain(events[500..999].iter().cloned()).collect();
    server.accept_batch(&poisoned);
    server.accept(&events[999]);
    assert_eq!(outcomes(&server, "doubles"), [("deadline".to_owned(), 1), ("ok".to_owned(), 3000)]);
    let mut all = marks(&server);
    let poison = all.remove(2500);
    assert!(!all.contains(&poison));
    assert_eq!(all[..1000], all[1000..2000], "one batch and singles");
    assert_eq!(all[..1000], all[2000..], "with a poison row among them");
    server.stop();
    let audit = verified(&server, None);
    assert!(audit.holds, "{:?}", audit.findings);
    assert!(audit.rows >= 3 * 3001, "{}", audit.rows);
}

#[test]
fn golden_and_odd_events_are_made_again() {
    let mut server = Server::start();
    server.accept_batch(&golden());
    let odd = json!({
        "name": "llm.odd", "timestamp": "2026-11-23T08:00:00+02:00", "level": "info", "span_id": 4, "trace_id": null, "agent_id": "",
        "schema_version": 2, "channel": ["x"], "parent_span_id": "", "extra": 1,
        "attributes": { "os.name": "o", "z": 1.50, "env.b": [1, 2], "process.pid": 3, "a": "\u{e9}\u{0}", "session.id": "s", "llm.model": {"a": 1}, "n": null }
    });
    let raw = odd.to_string().replace("1.5", "1.50e0");
    for body in [
        raw.clone(),
        raw.replace("\"info\"", "7"),
        raw.replace("\"info\"", "\"\""),
        raw.replace("\"agent_id\":\"\"", "\"agent_id\":{\"b\":1}"),
    ] {
        let answer = server.post("/v1/telemetry", body);
        assert_eq!((answer.status, &answer.json["success"]), (201, &json!(true)), "{}", answer.text);
    }
    server.accept(&json!({ "name": "a.b", "timestamp": "2026-11-23T08:00:00Z", "attributes": "text" }));
    // One that a validator rejects, and one that the host does.
    server.post("/v1/telemetry", json!({ "timestamp": "2026-11-23T08:00:00Z", "attributes": { "k": "v" } }).to_string());
    server.post("/v1/telemetry", json!({ "name": "llm.x", "timestamp": "never", "attributes": { "b": 1 } }).to_string());
    for metric in ["token-usage?group_by=model", "error-count", "session-count", "tool-calls", "latency?interval=1h"] {
        assert_eq!(server.get(&format!("/v1/reports/{metric}")).status, 200, "{metric}");
    }
    assert_eq!(server.count("select count(*) from journal_entries where kind = 'query'"), 5);
    let live = server.get("/v1/audit/verify");
    assert_eq!((live.status, &live.json["holds"]), (200, &json!(true)), "{}", live.text);
    server.stop();
    let audit = verified(&server, None);
    assert!(audit.holds, "{:?}", audit.findings);
    let words: Vec<_> = audit.not_rebuilt.iter().map(|unproven| unproven.why).collect();
    assert!(words.iter().all(|why| ["validator-output", "masker-input"].contains(why)), "{:?}", audit.not_rebuilt);
}

/// A server with some entries, stopped.
fn stopped() -> Server {
    let guest = Guest::enricher("doubles", "(i64.mul (local.get $n) (i64.const 2))");
    let mut server = server(&[&guest]);
    for start in [0, 10, 20] {
        server.accept_batch(&(start..start + 10).map(event).collect::<Vec<_>>());
    }
    assert_eq!(server.get("/v1/reports/llm-calls").status, 200);
    server.stop();
    server
}

#[test]
fn names_the_row_that_was_changed() {
    let server = stopped();
    assert!(verified(&server, None).holds);
    let sql = file(&server);
    sql.execute("update event_rows set span = 'x' where id = 13", []).unwrap();
    assert_eq!(places(&verified(&server, None)), ["event 13"]);
    sql.execute("update event_rows set span = null where id = 13", []).unwrap();
    // What a plugin wrote.
    sql.execute("update event_rows set derived = replace(derived, '\"46\"', '\"47\"') where id = 24", []).unwrap();
    assert_eq!(places(&verified(&server, None)), ["events 21 to 30"]);
    sql.execute("update event_rows set derived = replace(derived, '\"47\"', '\"46\"') where id = 24", []).unwrap();
    // A row that a metric read, and no event came after.
    sql.execute("update llm_call_rows set roles = 4 where id = 7", []).unwrap();
    assert_eq!(places(&verified(&server, None)), ["llm_calls 7"]);
    sql.execute("update llm_call_rows set roles = 1 where id = 7", []).unwrap();
    sql.execute("delete from llm_call_rows where event_id = 30", []).unwrap();
    sql.execute("delete from event_rows where id = 30", []).unwrap();
    let purged = verified(&server, None);
    assert!(purged.holds, "{:?}", purged.findings);
    assert!(purged.not_rebuilt.iter().any(|unproven| unproven.why == "purged" && unproven.count > 1), "{:?}", purged.not_rebuilt);
}

#[test]
fn names_the_entry_that_was_changed() {
    let server = stopped();
    let sql = file(&server);
    let second: i64 = sql.query_row("select id from journal_entries where first_event = 11", [], |row| row.get(0)).unwrap();
    let name = format!("entry {second}");
    for (change, back) in [
        ("update journal_entries set time = time + 1 where id = ?1", "update journal_entries set time = time - 1 where id = ?1"),
        (
            "update journal_accesses set bytes = bytes + 1 where id = ?1 * 4096",
            "update journal_accesses set bytes = bytes - 1 where id = ?1 * 4096",
        ),
    ] {
        sql.execute(change, [second]).unwrap();
        assert_eq!(places(&verified(&server, None)), [name.as_str()], "{change}");
        sql.execute(back, [second]).unwrap();
        assert!(verified(&server, None).holds);
    }
    sql.execute("update journal_subjects set text = replace(text, 'doubles', 'triples') where plugin_id = 'doubles'", []).unwrap();
    assert!(places(&verified(&server, None))[0].starts_with("subject "));
    sql.execute("update journal_subjects set text = replace(text, 'triples', 'doubles') where plugin_id = 'doubles'", []).unwrap();
    // Two that stand in each other's place.
    sql.execute_batch(&format!(
        "update journal_entries set id = -1 where id = {second}; update journal_entries set id = {second} where id = {second} + 1;
         update journal_entries set id = {second} + 1 where id = -1;"
    ))
    .unwrap();
    assert!(places(&verified(&server, None)).contains(&name));
    sql.execute_batch(&format!(
        "update journal_entries set id = -1 where id = {second}; update journal_entries set id = {second} where id = {second} + 1;
         update journal_entries set id = {second} + 1 where id = -1;"
    ))
    .unwrap();
    sql.execute("delete from journal_entries where id = ?1", [second]).unwrap();
    let found = verified(&server, None);
    assert!(places(&found).contains(&name) && places(&found).contains(&"event 11".to_owned()), "{:?}", found.findings);
}

#[test]
fn an_end_that_was_cut_off_is_known_by_the_head_outside() {
    let mut server = Server::start_with(|config, folder| config.plugins.journal_head_path = Some(folder.join("head")));
    server.accept(&event(1));
    let query = "/v1/reports/llm-calls";
    assert_eq!(server.get(query).status, 200);
    server.stop();
    let head = Head::parse(&std::fs::read_to_string(server.folder().join("head")).unwrap());
    let whole = verified(&server, head);
    assert!(whole.holds, "{:?}", whole.findings);
    assert_eq!(head.map(|head| (head.entry, head.hex())), Some((whole.head_entry, whole.head)));
    let sql = file(&server);
    sql.execute_batch("delete from journal_accesses where id / 4096 = (select max(id) from journal_entries)").unwrap();
    sql.execute_batch("delete from journal_entries where id = (select max(id) from journal_entries)").unwrap();
    assert!(verified(&server, None).holds, "nothing inside tells");
    assert_eq!(places(&verified(&server, head)), ["the journal"]);
}

#[test]
fn a_component_that_was_changed_is_named() {
    let server = stopped();
    let path = server.folder().join("plugins/doubles.wasm");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    put(server.folder(), "doubles", &bytes);
    assert_eq!(places(&verified(&server, None)), ["component `doubles.wasm`"]);
}

#[test]
fn an_offline_run_is_noted_before_it_begins() {
    let server = stopped();
    let file_of = server.folder().join("plugins/doubles.wasm");
    let run = telemetry_server::offline::OfflineRun { file: file_of, input: None, query: Vec::new() };
    let mut lines = Vec::new();
    telemetry_server::offline::run(server.config(), &run, &mut lines).expect("it runs");
    assert_eq!(String::from_utf8(lines).unwrap().lines().count(), 30);
    let sql = file(&server);
    let detail: String = sql.query_row("select detail from journal_entries where kind = 'offline'", [], |row| row.get(0)).unwrap();
    let detail: Value = serde_json::from_str(&detail).unwrap();
    assert_eq!((&detail["command"], &detail["plugin"]), (&json!("plugin run"), &json!("doubles")));
    let rows = "select sum(a.rows) from journal_accesses a join journal_subjects s on s.id = a.subject join journal_entries e on e.id = a.id / 4096
        where s.plugin_id = 'doubles' and e.id > (select id from journal_entries where kind = 'offline')";
    assert_eq!(sql.query_row(rows, [], |row| row.get::<_, i64>(0)).unwrap(), 30);
    let audit = verified(&server, None);
    assert!(audit.holds, "{:?}", audit.findings);
}
