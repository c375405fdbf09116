//! Clients that are slow, half there, or many.

use super::raw::{Raw, status};
use crate::harness::Server;

fn impatient() -> Server {
    Server::start_with(|config, _| {
        config.server.header_timeout_s = 1;
        config.server.body_timeout_s = 1;
    })
}

#[test]
fn ends_a_client_that_never_finishes_its_head() {
    let server = impatient();
    assert_eq!(Raw::connect(&server).rest(), "");
    assert_eq!(Raw::connect(&server).send("GET /v1/hea").rest(), "");
    assert_eq!(server.get("/v1/health").status, 200);
}

#[test]
fn answers_a_client_that_sends_no_more() {
    let server = Server::start();
    let answer = Raw::connect(&server).send("GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n").end().rest();
    assert_eq!(status(&answer), "200", "{answer}");
}

#[test]
fn answers_a_report_to_a_client_that_sends_no_more() {
    let server = Server::start();
    let request = "GET /v1/reports/llm-calls HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = Raw::connect(&server).send(request).end().rest();
    assert_eq!(status(&answer), "200", "{answer}");
}

#[test]
fn many_silent_clients_leave_room_for_others() {
    let server = Server::start();
    let silent: Vec<Raw> = (0..300).map(|_| Raw::connect(&server)).collect();
    assert_eq!(server.get("/v1/health").status, 200);
    drop(silent);
}

#[test]
fn over_the_cap_of_connections_clients_wait_instead_of_failing() {
    let server = Server::start_with(|config, _| {
        config.server.max_connections = 2;
        config.server.header_timeout_s = 1;
    });
    let silent: Vec<Raw> = (0..6).map(|_| Raw::connect(&server)).collect();
    let answer = Raw::connect(&server).send("GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").rest();
    assert_eq!(status(&answer), "200", "{answer}");
    drop(silent);
}

#[test]
fn garbage_and_giant_heads_are_refused() {
    let server = Server::start();
    let path = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(70_000));
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: a\r\n".repeat(200));
    for (request, code, field) in [
        ("\x16\x03\x01 hello\r\n\r\n", "400", "request"),
        ("GET / HTTP/1.1\r\nHost localhost\r\n\r\n", "400", "request"),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", "400", "request"),
        (&many, "431", "headers"),
        (&path, "414", "path"),
    ] {
        let answer = Raw::connect(&server).send(request).rest();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        assert_eq!((status(&answer), body["error"]["details"][0]["field"].as_str()), (code, Some(field)), "{answer}");
    }
    let giant = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Pad: {}\r\n\r\n", "a".repeat(1 << 20));
    assert!(["", "431"].contains(&status(&Raw::connect(&server).send(giant).rest())));
    assert_eq!(server.get("/v1/health").status, 200);
}

#[test]
fn stops_with_connections_open_and_starts_again() {
    let mut server = impatient();
    let mut idle = Raw::connect(&server);
    server.restart();
    assert_eq!(idle.rest(), "");
    assert_eq!(server.get("/v1/health").status, 200);
}

#[test]
fn a_stop_lets_a_request_on_its_way_finish() {
    let mut server = Server::start();
    let addr = server.addr();
    let body = r#"{"timestamp":"2026-11-23T08:00:00Z","name":"session.start","level":"INFO","attributes":{}}"#;
    let (first, rest) = body.split_at(20);
    let mut raw = Raw::connect(&server);
    raw.send(format!("POST /v1/telemetry HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{first}", body.len()));
    // Answered on a connection of its own, so the request before it has begun.
    assert_eq!(server.get("/v1/health").status, 200);
    let late = std::thread::spawn(move || {
        // The stop has begun when nobody accepts any more.
        while std::net::TcpStream::connect(addr).is_ok() {
            std::thread::yield_now();
        }
        raw.send(rest).rest()
    });
    server.stop();
    let answer = late.join().expect("an answer");
    assert_eq!(status(&answer), "201", "{answer}");
    assert_eq!(server.count("select count(*) from events"), 1);
}
