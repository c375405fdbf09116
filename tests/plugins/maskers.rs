//! Maskers: nothing that they find is kept anywhere, and what they fail on is withheld from everyone, but of nobody else's.

use serde_json::{Value, json};
use telemetry_plugins::Catalog;
use telemetry_server::processing::replay;

use super::guest::Guest;
use super::{event, outcomes, server, status};
use crate::harness::Server;

/// Made up here, in parts, so that no scanner of sources takes it for real.
fn secret() -> String {
    format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8")
}

const MARK: &str = "[secret:github:q7R8]";

/// A server whose only masker in the drop-in folder is `m`, granted.
fn with_masker(guest: &Guest) -> Server {
    Server::start_with(|_, folder| {
        guest.drop_into(folder);
        std::fs::write(folder.join("grants.toml"), "[m]\nmask = true\n").expect("a file");
    })
}

fn saying(agent: &str, text: &str) -> Value {
    let mut event = event(1);
    event["agent_id"] = agent.into();
    event["attributes"]["llm.request.data"] = json!({ "messages": [{ "role": "user", "content": text }] });
    event
}

fn withheld(server: &Server) -> i64 {
    server.count("select count(*) from events where instr(flags, 'withheld:m')")
}

/// Every byte of the database's files.
fn stored(server: &mut Server) -> Vec<u8> {
    let folder = server.folder().to_owned();
    server.stop();
    let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    files.filter(|path| path.is_file()).flat_map(|path| std::fs::read(path).expect("a file")).collect()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_secret_is_kept_nowhere_wherever_it_is_sent() {
    let (secret, mut server) = (secret(), Server::start());
    let whole = json!({
        "schema_version": "1.0", "timestamp": "2026-11-23T08:00:00Z", "level": "INFO", "name": format!("llm.{secret}"),
        "trace_id": secret, "span_id": secret, "agent_id": format!("agent {secret}"), "channel": secret,
        "idempotency_key": secret, "own": { "in": [secret], secret.as_str(): 1 },
        "attributes": { "session.id": secret, secret.as_str(): secret, "deep": [[{ secret.as_str(): { "x": format!("say {secret}, and") } }]] }
    });
    server.accept(&whole);
    let escaped = secret.replace("ghp_", r"\u0067hp\u005f");
    let bodies = [
        // Quarantined: an event, text that is JSON, text that is not, text whose escapes hide it.
        format!(r#"{{"timestamp":"2026-11-23T08:00:00Z","agent_id":"a","attributes":{{"k":"{escaped}"}}}}"#),
        format!(r#"{{"name":"{secret}","attributes":{{"{secret}":1}}}}"#),
        format!(r#"["{escaped}"]"#),
        format!(r#"{{"name":"x","k":"{secret}"#),
        format!(r#"{{"name":"x","k":"{escaped}"#),
        format!("token={secret} is no JSON"),
    ];
    for body in &bodies {
        for path in ["/v1/telemetry", "/v1/telemetry?strict=1", "/v1/telemetry/batch"] {
            let answer = server.post(path, body);
            assert!(!answer.text.contains(&secret), "{}", answer.text);
        }
    }
    for path in ["/v1/quarantine", "/v1/telemetry/events", "/v1/plugins", "/v1/plugins/secret-masker"] {
        let answer = server.get(path);
        assert!(answer.status == 200 && !answer.text.contains(&secret), "{path}");
    }
    let text = server.count("select count(*) from quarantine where instr(body, '[secret:github:')");
    assert!(text >= 8, "{text} bodies are kept masked");
    assert_eq!(server.count("select count(*) from attributes where instr(value, '[secret:github:q7R8]')"), 3);
    let bytes = stored(&mut server);
    assert!(contains(&bytes, MARK) && !contains(&bytes, &secret) && !contains(&bytes, &secret[8..]));
}

#[test]
fn what_was_stored_before_is_masked_by_a_replay() {
    let secret = secret();
    let mut server = Server::start_with(|config, _| config.plugins.disabled = vec!["secret-masker".to_owned()]);
    let long = format!("say {secret} and \u{e9}\n").repeat(40);
    let mut event = saying(&format!("agent {secret}"), &long);
    event["attributes"][secret.as_str()] = json!([{ "content": long, "role": secret }]);
    event["attributes"]["n"] = json!(1.5);
    event["own"] = json!({ "in": secret });
    event["idempotency_key"] = secret.as_str().into();
    server.accept(&event);
    server.accept(&saying("b", "nothing to hide"));
    server.post("/v1/telemetry", format!("{secret} is no JSON"));
    server.post("/v1/telemetry", json!({ "k": secret }).to_string());
    let untouched = |server: &Server| -> (String, String) {
        let sql = "select group_concat(key || value_json, ';'), count(*) from attributes where event_id = 2";
        server.sql().query_row(sql, [], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.to_string()))).expect("a row")
    };
    let before = untouched(&server);
    assert!(contains(&stored(&mut server), &secret));
    server.config_mut().plugins.disabled.clear();
    let plugins = Catalog::open(server.config_mut().plugins.settings().expect("settings")).expect("a catalog");
    let settings = server.config_mut().store_settings();
    let now = telemetry_model::Timestamp::parse(crate::harness::NOW).expect("a time");
    let done = replay(&plugins, &settings, now).expect("it masks");
    assert!(done.replaced >= 8 && done.read > done.replaced, "{done:?}");
    assert_eq!(replay(&plugins, &settings, now).expect("it masks").replaced, 0);
    server.restart();
    assert_eq!(server.count("select count(*) from journal_entries where kind = 'offline' and instr(detail, 'mask replay')"), 2);
    let masked = server.count("select count(*) from attributes where event_id = 1 and instr(value_json, '[secret:github:q7R8]') > 0");
    assert_eq!((masked, untouched(&server)), (2, before));
    assert_eq!(server.count("select count(*) from events where agent_id like 'agent [secret:github:q7R8]-______'"), 1);
    assert_eq!(server.count("select count(*) from quarantine where instr(body, '[secret:github:q7R8]')"), 2);
    let content: String = server
        .sql()
        .query_row("select value_json from attributes where event_id = 1 and key = 'llm.request.data'", [], |row| row.get(0))
        .expect("a row");
    let content: Value = serde_json::from_str(&content).expect("JSON");
    assert_eq!(content["messages"][0]["content"], long.replace(&secret, MARK));
    let read = server.get("/v1/telemetry/events/1");
    assert!(read.status == 200 && !read.text.contains(&secret));
    server.accept(&saying("after", "it goes on"));
    assert!(!contains(&stored(&mut server), &secret[4..]));
}

#[test]
fn keys_ids_and_names_that_differ_stay_different() {
    let server = with_masker(&Guest::masker("m"));
    for agent in ["M-one", "M-two", "M-one"] {
        let mut event = saying(agent, "M");
        event["attributes"]["M1"] = 1.into();
        event["attributes"]["M2"] = 2.into();
        server.accept(&event);
    }
    assert_eq!(server.count("select count(distinct agent_id) from events where agent_id like '#-______'"), 2);
    assert_eq!(server.count("select count(distinct key) from attributes where key like '#-______'"), 2);
    assert_eq!(server.count("select count(*) from attributes where instr(value_json, '\"content\":\"#\"')"), 3);
}

#[test]
fn an_idempotency_key_is_kept_masked_and_still_tells_repeats_from_others() {
    let (secret, server) = (secret(), Server::start());
    let post = |key: &str| {
        let mut event = event(1);
        event["idempotency_key"] = key.into();
        server.post("/v1/telemetry/batch", json!([event]).to_string()).json["results"][0]["outcome"].clone()
    };
    let other = secret.replace("a1B2", "z9Y8");
    assert_eq!([&secret, &secret, &other].map(|key| post(key)), [json!("accepted"), json!("duplicate"), json!("accepted")]);
}

#[test]
fn what_is_left_alone_is_byte_for_byte_what_was_sent() {
    let (secret, server) = (secret(), Server::start());
    let value =
        format!(r#"[1.0,-0.0,1e400,12345678901234567890123,"\u00e9\/\ud83d\ude00x\u0000","a\n\u0020{secret}\tb" , {{"k" : null}}]"#);
    let body =
        format!(r#"{{"name":"x","timestamp":"2026-11-23T08:00:00Z","level":"INFO","attributes":{{"list":{value},"plain":"\u0041"}}}}"#);
    assert_eq!(server.post("/v1/telemetry", body).status, 201);
    let read = |key: &str| -> String {
        server.sql().query_row("select value_json from attributes where key = ?1", [key], |row| row.get(0)).expect("a row")
    };
    assert_eq!(read("list"), value.replace(&secret, MARK));
    assert_eq!(read("plain"), r#""\u0041""#);
}

#[test]
fn a_leaf_is_scanned_once() {
    let server = with_masker(&Guest::masker("m"));
    let rows = || status(&server, "m")["counters"]["rows"].as_u64().expect("a counter");
    server.accept(&saying("a", "a long message"));
    let first = rows();
    assert!(first > 3, "{first}");
    server.accept_batch(&[saying("a", "a long message"), saying("a", "a long message")]);
    assert_eq!(rows(), first);
    server.accept(&saying("a", "another message"));
    assert_eq!(rows(), first + 1);
}

#[test]
fn one_looping_leaf_among_a_thousand_rows_of_64_clients_is_withheld_alone() {
    let server = with_masker(&Guest::masker("m"));
    std::thread::scope(|scope| {
        for client in 0..64 {
            let server = &server;
            scope.spawn(move || {
                let text = |at: usize| if (client, at) == (40, 7) { "L loops".to_owned() } else { format!("M {client} {at}") };
                let events: Vec<_> = (0..16).map(|at| saying(&format!("client-{client}"), &text(at))).collect();
                if client % 2 == 0 {
                    return server.accept_batch(&events);
                }
                for event in &events {
                    server.accept(event);
                }
            });
        }
    });
    assert_eq!((server.count("select count(*) from events"), withheld(&server)), (1024, 1));
    assert_eq!(server.count("select count(*) from attributes where instr(value_json, '\"content\":\"#\"')"), 1023);
    assert_eq!(outcomes(&server, "m"), [("deadline".to_owned(), 1), ("ok".to_owned(), 1023)]);
    // Facts stay, the text is gone, and both of its kind are said.
    let row = "select count(*) from events e join attributes a on a.event_id = e.id
        where instr(e.flags, 'withheld:m') and e.name = 'llm.call.start' and e.agent_id = 'client-40'";
    assert_eq!(server.count(&format!("{row} and a.key = 'llm.usage.n' and a.value = 1")), 1);
    assert_eq!(server.count(&format!("{row} and a.key = 'llm.request.data' and instr(a.value, '[withheld:m]')")), 1);
    assert_eq!(server.count(&format!("{row} and instr(a.value, 'loops')")), 0);
}

#[test]
fn eight_poison_events_of_one_client_withhold_nobody_elses() {
    let server = with_masker(&Guest::masker("m"));
    for round in 0..3 {
        let poison: Vec<_> = (0..8).map(|at| saying("bad", &format!("T{round} {at}"))).collect();
        server.accept_batch(&poison);
        server.accept_batch(&(0..10).map(|at| saying(&format!("good-{at}"), &format!("fine {round} {at}"))).collect::<Vec<_>>());
    }
    assert_eq!(withheld(&server), 24);
    assert_eq!(server.count("select count(*) from events where instr(flags, 'withheld:m') and agent_id <> 'bad'"), 0);
    assert_eq!((status(&server, "m")["state"].clone(), server.get("/v1/health").status), (json!("serving"), 200));
}

#[test]
fn failures_of_many_clients_open_the_breaker_and_health_says_so() {
    let server = with_masker(&Guest::masker("m"));
    for round in 0..6 {
        let poison: Vec<_> = (0..12).map(|at| saying(&format!("c{at}"), &format!("T{round} {at}"))).collect();
        server.accept_batch(&poison);
    }
    assert_eq!(status(&server, "m")["state"], "breaker-open");
    let health = server.get("/v1/health");
    assert_eq!((health.status, &health.json["status"]), (503, &json!("failing")), "{}", health.text);
    server.accept(&saying("anyone", "not seen before"));
    assert_eq!(server.count("select count(*) from attributes where instr(value, 'not seen before')"), 0);
}

#[test]
fn a_masker_that_is_on_and_cannot_run_withholds_everything_and_fails_health() {
    let broken = Guest::masker("m").with(
        "INTERFACE#configure\") (param i32 i32) (result i32) (call $fine)",
        "INTERFACE#configure\") (param i32 i32) (result i32) (unreachable)",
    );
    let server = with_masker(&broken);
    let health = server.get("/v1/health");
    assert_eq!(health.status, 503);
    assert!(health.text.contains("masker m"), "{}", health.text);
    server.accept(&saying("a", "a secret of ours"));
    server.post("/v1/telemetry", "no JSON, a secret of ours");
    assert_eq!((withheld(&server), server.count("select count(*) from attributes where key = 'session.id' and value = 's-1'")), (1, 1));
    assert_eq!(server.count("select count(*) from attributes where instr(value, 'secret of ours')"), 0);
    assert_eq!(server.count("select count(*) from quarantine where instr(body, 'secret of ours')"), 0);
    // Without the grant nobody asked for it.
    let unasked = Server::start_with(|_, folder| broken.drop_into(folder));
    assert_eq!(unasked.get("/v1/health").json["status"], "degraded");
}

#[test]
fn what_breaks_the_contract_is_withheld() {
    for (from, to) in [
        // Past the end, overlapping nothing but empty, of no leaf.
        ("(i64.extend_i32_u (local.get $size))", "(i64.const 99)"),
        ("(i64.extend_i32_u (local.get $size))", "(i64.const 0)"),
        ("(i64.extend_i32_u (local.get $row))", "(i64.const 5000)"),
        ("(i64.extend_i32_u (local.get $row))", "(i64.const -1)"),
    ] {
        let server = with_masker(&Guest::masker("m").with(from, to));
        server.accept(&saying("a", "M x"));
        server.accept(&saying("a", "y"));
        assert_eq!((withheld(&server), status(&server, "m")["counters"]["traps"].clone()), (1, json!(1)), "{to}");
    }
}

#[test]
fn secrets_are_counted_alike_with_the_masker_on_and_off() {
    let secret = secret();
    let events = [
        json!({"k": secret, secret.as_str(): [format!("a {secret} b AKIAIOSFODNN7EXAMPLE"), "4111111111111111"]}),
        json!({"k": format!("x\n{secret}\nhttps://{secret}:x-oauth-basic@github.com"), "n": 4111111111111111_i64}),
        json!({"k": "nothing", "sk-": "sk-"}),
    ];
    let counts = |server: &Server| -> Vec<(String, String)> {
        for attributes in &events {
            let mut event = event(1);
            event["attributes"] = attributes.clone();
            server.accept(&event);
        }
        let sql = server.sql();
        let mut statement =
            sql.prepare("select key, cast(value as text) from attributes where key like 'secret.%' order by event_id, key").expect("SQL");
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.collect::<Result<_, _>>().expect("rows")
    };
    let on = counts(&Server::start());
    let off = counts(&Server::start_with(|config, _| config.plugins.disabled = vec!["secret-masker".to_owned()]));
    let both = counts(&Server::start_with(|config, _| config.plugins.enabled = vec!["pii-masker".to_owned()]));
    assert_eq!(on[0], ("secret.count".to_owned(), "5".to_owned()));
    assert_eq!((&on, &both), (&off, &off));
}

#[test]
fn personal_data_is_masked_once_that_is_switched_on() {
    let text = "mail anna@example.com from 10.1.2.3 about 4111 1111 1111 1111";
    let off = Server::start();
    off.accept(&saying("a", text));
    assert_eq!(off.count("select count(*) from attributes where instr(value, 'anna@example.com')"), 1);
    let on = Server::start_with(|config, _| config.plugins.enabled = vec!["pii-masker".to_owned()]);
    on.accept(&saying("a", text));
    assert_eq!(on.count("select count(*) from attributes where instr(value, 'mail [pii:email] from [pii:ip] about [pii:card:1111]')"), 1);
}

#[test]
fn a_masker_sees_no_more_than_it_needs_a_grant_for() {
    let ungranted = server(&[&Guest::masker("m")]);
    let plugin = status(&ungranted, "m");
    assert_eq!((&plugin["state"], &plugin["grant"]), (&json!("refused"), &json!("[m]\nmask = true\n")));
}
