//! Everything that is not what it should be: answered as the table says, nothing lost, nothing panicking.

use std::io::Write;

use serde_json::{Value, json};

use super::ingest::event;
use super::raw::Raw;
use crate::harness::{Answer, Server};

/// The code of the latest entry in quarantine.
fn latest(server: &Server) -> Value {
    server.get("/v1/quarantine?page_size=1").json["items"][0].clone()
}

fn with(key: &str, value: Value) -> String {
    let mut event = event("llm.call.finish", json!({"x": 1}));
    event[key] = value;
    event.to_string()
}

fn stored(answer: &Answer) -> i64 {
    assert_eq!((answer.status, &answer.json["success"]), (201, &json!(true)), "{}", answer.text);
    answer.json["event_id"].as_str().unwrap().parse().unwrap()
}

/// The flags of a stored event, `code field`.
fn flags(server: &Server, id: i64) -> String {
    let flags = |row: &rusqlite::Row<'_>| row.get::<_, Option<String>>(0);
    server.sql().query_row("select flags from events where id = ?1", [id], flags).unwrap().unwrap_or_default()
}

fn still_serves(server: &Server) {
    stored(&server.post("/v1/telemetry", event("after", json!({})).to_string()));
    assert_eq!(server.get("/v1/health").status, 200);
}

#[test]
fn bodies_that_are_not_json_answer_400_and_stay_in_quarantine() {
    let server = Server::start();
    let utf16: Vec<u8> = r#"{"name":"x"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: [(&[u8], &str, &str); 9] = [
        (b"not json", "invalid-json", "text"),
        (b"", "empty-body", "digest"),
        (b"  \n", "empty-body", "text"),
        (b"[1, 2]", "not-an-object", "text"),
        (b"\"text\"", "not-an-object", "text"),
        (br#"{"name": "x", "attributes": {"a""#, "truncated", "text"),
        (b"{\"name\": \"\xff\xfe\"}", "invalid-utf-8", "digest"),
        (&utf16, "utf-16", "digest"),
        (b"{\"name\": \"a\"}}", "invalid-json", "text"),
    ];
    for (body, code, kind) in cases {
        let answer = server.post("/v1/telemetry", body);
        let shown = String::from_utf8_lossy(body);
        assert_eq!((answer.status, &answer.json["error"]["code"]), (400, &json!("VALIDATION_ERROR")), "{shown}: {}", answer.text);
        let entry = latest(&server);
        assert_eq!((&entry["reasons"][0]["code"], &entry["body_kind"]), (&json!(code), &json!(kind)), "{shown}");
    }
    assert_eq!(server.count("select count(*) from quarantine"), 9);
    still_serves(&server);
}

#[test]
fn odd_but_usable_json_is_stored_and_flagged() {
    let server = Server::start();
    let text = event("llm.call.finish", json!({"a": 1})).to_string();
    for (body, flag) in [
        (format!("\u{feff}{text}"), "byte-order-mark"),
        (text.replace("\"a\":1", "\"a\":NaN,\"b\":[-Infinity]"), "not-a-number"),
        (text.replace("\"a\":1", "\"a\":1e400"), "number-out-of-range"),
        (text.replace("\"a\":1", "\"a\":123456789012345678901234567890"), "number-out-of-range"),
        (text.replace("\"a\":1", "\"a\":{\"b\":[0,{\"c\":-1e999}]}"), "number-out-of-range"),
        (text.replace("\"a\":1", "\"a\":[\"1e400\",123456789012345678901234567890]"), "number-out-of-range"),
        (text.replace("\"a\":1", r#""a":"\ud800""#), "lone-surrogate"),
        (text.replace("\"a\":1", "\"a\":1,\"a\":2"), "duplicate-key"),
        (text.replace("\"a\":1", "\"llm.usage.input_tokens\":-5"), "negative"),
        (text.replace("\"a\":1", "\"llm.usage.input_tokens\":\"12\""), "not-an-integer"),
        (text.replace("\"a\":1", "\"llm.response.duration_ms\":\"fast\""), "not-a-number"),
    ] {
        let id = stored(&server.post("/v1/telemetry", &body));
        assert!(flags(&server, id).contains(flag), "{flag}: {}", flags(&server, id));
    }
    assert_eq!(server.count("select count(*) from llm_calls where input_tokens is not null"), 0);
    assert_eq!(server.count("select count(*) from attributes where key = 'a' and value_json = '1e400'"), 1);
    assert_eq!(server.count("select count(*) from attributes where key = 'a' and value_json = '123456789012345678901234567890'"), 1);
    assert_eq!(server.count("select count(*) from attributes where key = 'a' and value_json = '2'"), 1);
}

#[test]
fn times_are_read_or_named() {
    let server = Server::start();
    for (time, nanoseconds) in [
        ("2026-11-23T13:30:00+05:30", 1_795_420_800_000_000_000),
        ("2026-11-23T08:00:00", 1_795_420_800_000_000_000),
        ("2016-12-31T23:59:60Z", 1_483_228_799_000_000_000),
        ("2017-01-01T01:59:60+02:00", 1_483_228_799_000_000_000),
        ("2026-11-22T24:00:00Z", 1_795_392_000_000_000_000),
        ("2026-11-23T08:00:00-23:59", 1_795_507_140_000_000_000),
    ] {
        let id = stored(&server.post("/v1/telemetry", with("timestamp", json!(time))));
        assert_eq!(server.count(&format!("select timestamp from events where id = {id}")), nanoseconds, "{time}");
    }
    for (time, code) in [
        (json!("0001-01-01T00:00:00Z"), "timestamp-out-of-range"),
        (json!("9999-12-31T23:59:59Z"), "timestamp-out-of-range"),
        (json!(1_795_420_800), "timestamp-unreadable"),
        (json!("1795420800"), "timestamp-unreadable"),
        (json!("yesterday"), "timestamp-unreadable"),
        (json!("2026-11-23T08:00:60Z"), "timestamp-unreadable"),
        (json!("2026-11-23T08:00:00+25:00"), "timestamp-unreadable"),
        (json!("2026-11-23T24:00:01Z"), "timestamp-unreadable"),
        (json!(null), "missing-timestamp"),
    ] {
        let answer = server.post("/v1/telemetry", with("timestamp", time.clone()));
        assert_eq!((answer.status, &answer.json["success"]), (201, &json!(false)), "{time}: {}", answer.text);
        let reasons = latest(&server)["reasons"].clone();
        assert_eq!(
            (reasons.as_array().unwrap().len(), &reasons[0]["code"], &reasons[0]["field"]),
            (1, &json!(code), &json!("timestamp")),
            "{time}"
        );
    }
}

#[test]
fn each_field_may_be_missing_or_of_a_wrong_type() {
    let server = Server::start();
    let fields = [
        "schema_version",
        "timestamp",
        "trace_id",
        "span_id",
        "parent_span_id",
        "name",
        "level",
        "agent_id",
        "attributes",
        "channel",
        "idempotency_key",
    ];
    for field in fields {
        let needed = matches!(field, "timestamp" | "name");
        let mut missing = event("tool.result", json!({}));
        missing.as_object_mut().unwrap().remove(field);
        let said = |answer: &Answer| match answer.json["event_id"].as_str() {
            Some(id) => flags(&server, id.parse().unwrap()),
            None => latest(&server)["reasons"].to_string(),
        };
        for (body, value) in [(missing.to_string(), "absent"), (with(field, json!(null)), "null")] {
            let answer = server.post("/v1/telemetry", body);
            assert_eq!((answer.status, &answer.json["success"]), (201, &json!(!needed)), "{field} {value}: {}", answer.text);
            let code = match field {
                "schema_version" => "schema-version-absent",
                "timestamp" => "missing-timestamp",
                "name" => "missing-name",
                "trace_id" => "trace-id-null",
                "level" => "level-absent",
                "agent_id" => "agent-id-absent",
                "span_id" => "unpaired",
                "attributes" => "attributes-absent",
                // These need not be there.
                _ => "",
            };
            assert!(said(&answer).contains(code) && said(&answer).is_empty() == code.is_empty(), "{field} {value}: {}", said(&answer));
        }
        for value in [json!(7), json!(1.5), json!(true), json!(["x"]), json!({"x": 1})] {
            let answer = server.post("/v1/telemetry", with(field, value.clone()));
            assert_eq!((answer.status, &answer.json["success"]), (201, &json!(!needed)), "{field} = {value}: {}", answer.text);
            let code = match field {
                "timestamp" => "timestamp-unreadable",
                "name" => "name-not-text",
                "attributes" if value.is_object() => continue,
                "attributes" => "attributes-not-an-object",
                _ => "not-text",
            };
            let said = said(&answer);
            assert!(said.contains(&format!(r#""code":"{code}","field":"{field}""#)), "{field} = {value}: {said}");
        }
    }
    let total = server.count("select count(*) from events") + server.count("select count(*) from quarantine");
    assert_eq!(total, fields.len() as i64 * 7);
    still_serves(&server);
}

#[test]
fn large_and_deep_bodies_leave_a_note() {
    let server = Server::start();
    let big = format!(r#"{{"name":"{}"}}"#, "x".repeat(20 << 20));
    let answer = server.post("/v1/telemetry", &big);
    assert_eq!((answer.status, &answer.json["error"]["code"]), (413, &json!("TOO_LARGE")), "{}", answer.text);
    let note = latest(&server);
    assert_eq!(
        (&note["reasons"][0]["code"], &note["body_kind"], &note["size"]),
        (&json!("too-large"), &json!("digest"), &json!(big.len()))
    );

    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    (0..64).for_each(|_| gzip.write_all(&vec![b' '; 1 << 20]).unwrap());
    let answer = server.post_with("/v1/telemetry", &[("content-encoding", "gzip")], gzip.finish().unwrap());
    assert_eq!(answer.status, 413, "{}", answer.text);
    assert_eq!(latest(&server)["reasons"][0]["code"], "too-large-decompressed");

    let deep = |levels: usize| with("attributes", json!({"x": "DEEP"})).replace("\"DEEP\"", &("[".repeat(levels) + &"]".repeat(levels)));
    let answer = server.post("/v1/telemetry", deep(200));
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert_eq!(latest(&server)["reasons"][0]["code"], "too-deep");
    stored(&server.post("/v1/telemetry", deep(98)));
    still_serves(&server);
}

#[test]
fn wide_events_and_long_names_do_no_harm() {
    let server = Server::start();
    let many: serde_json::Map<String, Value> = (0..100_000).map(|n| (format!("key{n}"), json!(n))).collect();
    let answer = server.post("/v1/telemetry", with("attributes", many.into()));
    assert_eq!(answer.status, 201, "{}", answer.text);
    let answer = server.post("/v1/telemetry", with("name", json!("n".repeat(1 << 20))));
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!((server.count("select count(*) from events"), server.count("select count(*) from quarantine")), (2, 0));
    assert_eq!(server.count("select count(*) from attributes where event_id = 1"), 100_000 + 1);

    let strings = server.count("select count(*) from strings");
    let more: serde_json::Map<String, Value> = (0..100_001).map(|n| (format!("other{n}"), json!(n))).collect();
    let answer = server.post("/v1/telemetry", with("attributes", more.into()));
    assert_eq!((answer.status, &answer.json["success"]), (201, &json!(false)), "{}", answer.text);
    let entry = latest(&server);
    assert_eq!((&entry["reasons"][0]["code"], &entry["body_kind"]), (&json!("too-many-attributes"), &json!("json")));
    assert_eq!(server.count("select count(*) from strings"), strings);
    still_serves(&server);
}

#[test]
fn ids_and_keys_that_no_sender_makes_are_stored_and_flagged() {
    let server = Server::start();
    for field in ["trace_id", "span_id", "parent_span_id", "agent_id"] {
        let id = stored(&server.post("/v1/telemetry", with(field, json!("a\u{0}b"))));
        let said = flags(&server, id);
        assert_eq!(said.matches(&format!(r#"{{"code":"control-character","field":"{field}""#)).count(), 1, "{said}");
        let id = stored(&server.post("/v1/telemetry", with(field, json!("x".repeat(257)))));
        assert!(flags(&server, id).contains(&format!(r#"{{"code":"id-too-long","field":"{field}""#)), "{}", flags(&server, id));
        let id = stored(&server.post("/v1/telemetry", with(field, json!("x".repeat(256)))));
        assert!(!flags(&server, id).contains("too-long"), "{}", flags(&server, id));
    }
    let id = stored(&server.post("/v1/telemetry", with("attributes", json!({"session.id": "a\u{0}b"}))));
    assert!(flags(&server, id).contains("control-character"));
    let long = "k".repeat(300);
    let id = stored(&server.post("/v1/telemetry", with("attributes", json!({"session.id": long, long.clone(): 1, "ok": 2}))));
    let said = flags(&server, id);
    assert_eq!((said.matches("key-too-long").count(), said.matches("id-too-long").count()), (1, 1), "{said}");
    let id = stored(&server.post("/v1/telemetry", with(&long, json!(1))));
    assert!(flags(&server, id).contains("key-too-long"));
    for trace in [json!(""), json!(null), json!("null-trace")] {
        let id = stored(&server.post("/v1/telemetry", with("trace_id", trace.clone())));
        assert_eq!(flags(&server, id).matches("trace-id-null").count(), 1, "{trace}");
    }
    still_serves(&server);
}

#[test]
fn only_events_that_were_mended_are_flagged_however_many_mends_there_are() {
    let server = Server::start();
    let good = event("a", json!({})).to_string();
    let mended = with("attributes", json!({"x": "MENDS"})).replace("\"MENDS\"", &format!("[{}0]", "NaN,".repeat(150_000)));
    let surrogate = with("attributes", json!({"x": "HALF"})).replace("HALF", "\\ud800");
    let answer = server.post("/v1/telemetry/batch", format!("[{good},{mended},{good},{surrogate},{good}]"));
    assert_eq!((answer.status, &answer.json["processed"]), (201, &json!(5)), "{}", answer.text);
    for (id, numbers, surrogates) in [(1, false, false), (2, true, false), (3, false, false), (4, false, true), (5, false, false)] {
        let said = flags(&server, id);
        assert_eq!((said.contains("not-a-number"), said.contains("lone-surrogate")), (numbers, surrogates), "{id}: {said}");
    }
}

#[test]
fn a_wrong_content_type_is_no_reason_to_lose_an_event() {
    let server = Server::start();
    let body = event("a", json!({})).to_string();
    for (content_type, flag) in [
        ("text/plain", r#"[{"code":"content-type"}]"#),
        ("application/x-www-form-urlencoded", r#"[{"code":"content-type"}]"#),
        ("application/octet-stream", r#"[{"code":"content-type"}]"#),
        ("nonsense", r#"[{"code":"content-type"}]"#),
        ("application/json; charset=latin-1", r#"[{"code":"charset"}]"#),
        ("text/plain; charset=utf-16", r#"[{"code":"content-type"},{"code":"charset"}]"#),
        ("application/json; charset=UTF-8", ""),
        ("application/json", ""),
    ] {
        let id = stored(&server.post_with("/v1/telemetry", &[("content-type", content_type)], &body));
        assert_eq!(flags(&server, id), flag, "{content_type}");
    }
}

#[test]
fn one_bad_event_of_a_batch_leaves_the_others() {
    let server = Server::start();
    let good = event("a", json!({})).to_string();
    let deep = format!(r#"{{"name":"x","attributes":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let body = format!(r#"{{"events":[{good},[1],{deep},null,{{"name":"\ud800","timestamp":"never"}},{good}]}}"#);
    let answer = server.post("/v1/telemetry/batch", body);
    assert_eq!(answer.status, 201, "{}", answer.text);
    let codes: Vec<_> = answer.json["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["reasons"][0]["code"].as_str().unwrap_or("-").to_owned())
        .collect();
    assert_eq!(
        (codes.len(), &*codes[0], &*codes[1], &*codes[2], &*codes[3], &*codes[5]),
        (6, "-", "not-an-object", "too-deep", "not-an-object", "-")
    );
    assert_eq!((server.count("select count(*) from events"), server.count("select count(*) from quarantine")), (2, 4));
}

#[test]
fn a_batch_that_is_none_answers_400() {
    let server = Server::start();
    for (body, code) in
        [(r#"{"event":[]}"#, "not-a-batch"), (r#"{"events":{}}"#, "not-a-batch"), (r#"{"events":[{}"#, "truncated"), ("7", "not-a-batch")]
    {
        let answer = server.post("/v1/telemetry/batch", body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        assert_eq!(latest(&server)["reasons"][0]["code"], code, "{body}");
    }
}

#[test]
fn a_body_that_breaks_off_leaves_a_note() {
    let server = Server::start();
    let mut stream = std::net::TcpStream::connect(server.addr()).unwrap();
    let head = format!("POST /v1/telemetry HTTP/1.1\r\nHost: {}\r\nContent-Length: 1000\r\n\r\n{{\"name\":", server.addr());
    stream.write_all(head.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    // The server may close without an answer: what counts is what it keeps.
    let _ = std::io::Read::read_to_string(&mut stream, &mut answer);
    assert_eq!(latest(&server)["reasons"][0]["code"], "body-broken-off");
    still_serves(&server);
}

#[test]
fn more_than_memory_allows_is_turned_away_and_may_come_again() {
    let server = Server::start_with(|config, _| {
        config.server.max_body_mib = 1;
        config.server.max_batch_mib = 1;
    });
    // Three times the largest body is what the server takes at once: four clients that stall just before their end hold nearly all.
    let stall = format!("POST /v1/telemetry HTTP/1.1\r\nHost: x\r\nContent-Length: 800000\r\n\r\n{}", " ".repeat(780_000));
    let stalled: Vec<_> = (0..4)
        .map(|_| {
            let mut client = Raw::connect(&server);
            client.send(stall.replace("Host: x", &format!("Host: {}", server.addr())));
            client
        })
        .collect();
    let large = with("attributes", json!({"x": "x".repeat(900_000)}));
    // Until the server has read what the others sent there is still room.
    let answer = (0..10_000).map(|_| server.post("/v1/telemetry", &large)).find(|answer| answer.status != 201).expect("no memory");
    assert_eq!((answer.status, &answer.json["error"]["code"]), (503, &json!("OVERLOADED")), "{}", answer.text);
    assert!(answer.headers.contains_key("retry-after"));
    still_serves(&server);
    drop(stalled);
    let again = (0..10_000).map(|_| server.post("/v1/telemetry", &large)).find(|answer| answer.status == 201);
    assert!(again.is_some());
}
