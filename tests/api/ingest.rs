//! What agents send, and what they are answered.

use std::io::Write;

use serde_json::{Value, json};

use crate::harness::{Server, golden};

/// An event without fault.
pub fn event(name: &str, attributes: Value) -> Value {
    json!({
        "schema_version": "1.0", "timestamp": "2026-11-23T08:00:00.000000Z", "trace_id": "0e5d46f893f8491ba55ab2613e5586a8",
        "span_id": "09895fd7139eb615", "parent_span_id": null, "name": name, "level": "INFO", "agent_id": "weather-agent",
        "attributes": attributes,
    })
}

fn nameless() -> Value {
    let mut event = event("x", json!({}));
    event.as_object_mut().unwrap().remove("name");
    event
}

#[test]
fn answers_one_event_in_the_shape_of_v1() {
    let server = Server::start();
    for path in ["/v1/telemetry", "/v1/telemetry?strict=1", "/v1/telemetry?anything=%ff&&="] {
        let answer = server.post(path, event("custom.metric", json!({"x": 1})).to_string());
        assert_eq!(answer.status, 201, "{}", answer.text);
        let id = answer.json["event_id"].as_str().unwrap();
        assert_eq!(answer.json, json!({"success": true, "event_id": id, "error": null}));
        assert!(id.parse::<i64>().unwrap() > 0);
    }
    assert_eq!(server.count("select count(*) from events"), 3);
}

#[test]
fn takes_put_as_well() {
    let server = Server::start();
    let put = |path: &str, body: String| match ureq::put(server.url(path)).content_type("application/json").send(body.as_bytes()) {
        Ok(answer) => answer.status().as_u16(),
        Err(ureq::Error::StatusCode(status)) => status,
        Err(other) => panic!("{other}"),
    };
    assert_eq!(put("/v1/telemetry", event("a", json!({})).to_string()), 201);
    assert_eq!(put("/v1/telemetry/batch", json!([event("b", json!({}))]).to_string()), 201);
    assert_eq!(put("/v1/telemetry?strict=1", event("c", json!({})).to_string()), 400);
    assert_eq!(server.count("select count(*) from events where flags like '%method-put%'"), 2);
    assert_eq!(server.count("select count(*) from events"), 2);
}

#[test]
fn accepts_every_captured_event() {
    let server = Server::start();
    for event in golden() {
        server.accept(&event);
    }
    assert_eq!(server.count("select count(*) from events"), 380);
    assert_eq!(server.count("select count(*) from quarantine"), 0);
}

#[test]
fn accepts_captured_events_in_batches() {
    let server = Server::start();
    server.accept_batch(&golden());
    assert_eq!(server.count("select count(*) from events"), 380);
}

#[test]
fn keeps_what_no_event_can_be_made_of() {
    let server = Server::start();
    let answer = server.post("/v1/telemetry", nameless().to_string());
    assert_eq!((answer.status, &answer.json["success"], &answer.json["event_id"]), (201, &json!(false), &Value::Null));
    assert!(answer.json["error"].as_str().unwrap().contains("name"), "{}", answer.text);
    let list = server.get("/v1/quarantine").json;
    assert_eq!((&list["total"], &list["page"], &list["page_size"]), (&json!(1), &json!(1), &json!(50)));
    let item = &list["items"][0];
    assert_eq!((&item["agent_id"], &item["body_kind"], &item["source"]), (&json!("weather-agent"), &json!("json"), &json!("127.0.0.1")));
    let entry = server.get(&format!("/v1/quarantine/{}", item["id"].as_str().unwrap())).json;
    assert_eq!(entry["body"], nameless());
    let codes: Vec<_> = entry["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"missing-name"), "{codes:?}");
}

#[test]
fn lists_quarantine_by_page_and_filter() {
    let server = Server::start();
    for agent in ["a", "b", "a"] {
        let mut event = nameless();
        event["agent_id"] = json!(agent);
        server.post("/v1/telemetry", event.to_string());
    }
    server.post("/v1/telemetry", "no json");
    let ids = |query: &str| -> Vec<i64> {
        let list = server.get(&format!("/v1/quarantine{query}")).json;
        list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().parse().unwrap()).collect()
    };
    assert_eq!(ids(""), [4, 3, 2, 1]);
    assert_eq!(ids("?page=2&page_size=3"), [1]);
    assert_eq!(ids("?agent_id=a"), [3, 1]);
    assert_eq!(ids("?reason=invalid-json&agent_id="), [4]);
    assert_eq!(ids("?from_time=2026-11-23T09:00:00Z"), [4, 3, 2, 1]);
    assert!(ids("?to_time=2026-11-23T09:00:00Z").is_empty());
    for query in ["?page=0", "?page_size=1001", "?from_time=yesterday", "?from_time=2026-11-23&to_time=2026-11-22"] {
        assert_eq!(server.get(&format!("/v1/quarantine{query}")).status, 400, "{query}");
    }
    assert_eq!((server.get("/v1/quarantine/99").status, server.get("/v1/quarantine/x").status), (404, 404));
}

#[test]
fn answers_a_batch_item_by_item() {
    let server = Server::start();
    let mut keyed = event("a", json!({}));
    keyed["idempotency_key"] = json!("k");
    let body = json!({"events": [event("a", json!({})), nameless(), keyed, keyed, 7]});
    let answer = server.post("/v1/telemetry/batch", body.to_string());
    assert_eq!(answer.status, 201, "{}", answer.text);
    let json = &answer.json;
    assert_eq!((&json["success"], &json["total"], &json["processed"], &json["failed"]), (&json!(false), &json!(5), &json!(3), &json!(2)));
    let details = json["details"].as_array().unwrap();
    assert_eq!((details.len(), &details[0]["index"], &details[1]["index"]), (2, &json!(1), &json!(4)));
    let results = json["results"].as_array().unwrap();
    let outcomes: Vec<_> = results.iter().map(|result| result["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["accepted", "quarantined", "accepted", "duplicate", "quarantined"]);
    assert_eq!(results[2]["event_id"], results[3]["event_id"]);
    assert_eq!(results[1]["event_id"], Value::Null);
    assert_eq!(results[4]["reasons"][0]["code"], "not-an-object");
    assert_eq!((server.count("select count(*) from events"), server.count("select count(*) from quarantine")), (2, 2));
}

#[test]
fn takes_a_bare_array_and_an_empty_batch() {
    let server = Server::start();
    let answer = server.post("/v1/telemetry/batch", json!([event("a", json!({}))]).to_string());
    assert_eq!((answer.status, &answer.json["processed"], &answer.json["details"]), (201, &json!(1), &Value::Null));
    let answer = server.post("/v1/telemetry/batch", r#"{"events":[]}"#);
    assert_eq!((answer.status, &answer.json["success"], &answer.json["total"]), (201, &json!(true), &json!(0)));
}

#[test]
fn bounds_the_events_of_a_batch() {
    let server = Server::start_with(|config, _| config.server.max_batch_events = 3);
    let batch = |count: usize| json!({"events": vec![event("a", json!({})); count]}).to_string();
    assert_eq!(server.post("/v1/telemetry/batch", batch(3)).status, 201);
    let answer = server.post("/v1/telemetry/batch", batch(4));
    assert_eq!((answer.status, &answer.json["error"]["code"]), (400, &json!("VALIDATION_ERROR")));
    let reason = "too-many-events: a batch holds at most 3 events, this one has 4";
    assert_eq!(answer.json["error"]["details"], json!([{"field": "events", "reason": reason}]));
    assert_eq!(server.get("/v1/quarantine").json["items"][0]["reasons"][0]["code"], "too-many-events");
    assert_eq!(server.count("select count(*) from events"), 3);
}

#[test]
fn strict_requests_leave_nothing_behind() {
    let server = Server::start();
    let mut no_version = event("a", json!({}));
    no_version.as_object_mut().unwrap().remove("schema_version");
    let bodies = [nameless().to_string(), no_version.to_string(), "no json".into(), r#"{"name":NaN}"#.into()];
    for body in bodies {
        let answer = server.post("/v1/telemetry?strict=1", &body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        assert!(!answer.json["error"]["details"].as_array().unwrap().is_empty(), "{}", answer.text);
    }
    let batch = json!([event("a", json!({})), nameless(), {"timestamp": 7}]);
    let answer = server.post("/v1/telemetry/batch?strict=1", batch.to_string());
    let fields: Vec<_> =
        answer.json["error"]["details"].as_array().unwrap().iter().map(|detail| detail["field"].as_str().unwrap()).collect();
    assert_eq!(answer.status, 400);
    assert!(fields.iter().any(|field| field.starts_with("events[1]")) && fields.iter().any(|field| field.starts_with("events[2]")));
    assert_eq!((server.count("select count(*) from events"), server.count("select count(*) from quarantine")), (0, 0));
}

#[test]
fn strict_is_a_word_that_is_understood_or_told() {
    let server = Server::start();
    let mut odd = event("a", json!({}));
    odd.as_object_mut().unwrap().remove("schema_version");
    for (query, status, flagged) in [
        ("strict=1", 400, false),
        ("strict=true", 400, false),
        ("strict=0&strict=1", 400, false),
        ("strict=0", 201, false),
        ("strict=false", 201, false),
        ("strict=", 201, false),
        ("strict=xx", 201, true),
        ("strict=TRUE", 201, true),
        ("strict", 201, true),
    ] {
        let answer = server.post(&format!("/v1/telemetry?{query}"), odd.to_string());
        assert_eq!(answer.status, status, "{query}: {}", answer.text);
        if let Some(id) = answer.json["event_id"].as_str() {
            let count = format!("select count(*) from events where id = {id} and flags like '%parameter-unreadable%strict%'");
            assert_eq!(server.count(&count) == 1, flagged, "{query}");
        }
    }
}

#[test]
fn strict_requests_that_are_too_large_or_in_an_unknown_encoding_answer_400() {
    let server = Server::start_with(|config, _| config.server.max_body_mib = 1);
    let big = event("a", json!({"x": "x".repeat(2 << 20)})).to_string();
    assert_eq!(server.post("/v1/telemetry", &big).status, 413);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(big.as_bytes()).unwrap();
    let bomb = gzip.finish().unwrap();
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    assert_eq!(server.post_with("/v1/telemetry", &headers, &bomb).status, 413);
    let brotli = [("content-type", "application/json"), ("content-encoding", "br")];
    assert_eq!(server.post_with("/v1/telemetry", &brotli, "x").status, 415);
    for (answer, code) in [
        (server.post("/v1/telemetry?strict=1", &big), "too-large: "),
        (server.post_with("/v1/telemetry?strict=1", &headers, &bomb), "too-large-decompressed: "),
        (server.post_with("/v1/telemetry?strict=1", &brotli, "x"), "unsupported-encoding: "),
    ] {
        assert_eq!((answer.status, &answer.json["error"]["code"]), (400, &json!("VALIDATION_ERROR")), "{}", answer.text);
        let detail = &answer.json["error"]["details"][0];
        assert!(detail["field"] == "body" && detail["reason"].as_str().unwrap().starts_with(code), "{}", answer.text);
    }
    assert_eq!(server.count("select count(*) from quarantine"), 3);
}

#[test]
fn undoes_compression() {
    let server = Server::start();
    let compressed = |text: &str| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    };
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let body = compressed(&event("a", json!({})).to_string());
    assert_eq!(server.post_with("/v1/telemetry", &headers, &body).status, 201);
    let batch = compressed(&json!([event("b", json!({}))]).to_string());
    assert_eq!(server.post_with("/v1/telemetry/batch", &headers, &batch).status, 201);
    let answer = server.post_with("/v1/telemetry", &[("content-encoding", "zstd")], &body);
    assert_eq!(answer.status, 415, "{}", answer.text);
    assert_eq!(server.post_with("/v1/telemetry", &headers, "plain").status, 400);
    let codes: Vec<_> = server.get("/v1/quarantine").json["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["reasons"][0]["code"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(codes, ["invalid-compression", "unsupported-encoding"]);
    assert_eq!(server.count("select count(*) from events"), 2);
}

#[test]
fn joined_events_of_many_clients_do_not_mix() {
    let server = Server::start();
    std::thread::scope(|scope| {
        for client in 0..16 {
            let server = &server;
            scope.spawn(move || {
                for number in 0..20 {
                    let mut body = event("a", json!({"client": client, "number": number}));
                    if (client + number) % 5 == 0 {
                        body["timestamp"] = json!("never");
                    }
                    let answer = server.post("/v1/telemetry", body.to_string());
                    assert_eq!(answer.status, 201);
                    assert_eq!(answer.json["success"], json!((client + number) % 5 != 0));
                }
            });
        }
    });
    assert_eq!(server.count("select count(*) from events") + server.count("select count(*) from quarantine"), 320);
    assert_eq!(server.count("select count(*) from quarantine"), 64);
}
