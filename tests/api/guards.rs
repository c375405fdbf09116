//! Who may ask what: Host, origins, the read token, and how refusals look.

use std::sync::Arc;

use serde_json::{Value, json};
use telemetry_model::time::SystemClock;
use telemetry_server::config::Secret;
use telemetry_server::{Config, StartError, serve};

use super::raw::{ask, status};
use crate::harness::Server;

const TOKEN: &str = "a-token-of-twenty-one";

fn error(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message, "details": []}})
}

#[test]
fn unknown_routes_and_methods_answer_the_envelope() {
    let server = Server::start();
    let answer = server.get("/v1/nothing");
    assert_eq!((answer.status, answer.json), (404, error("NOT_FOUND", "there is no route `/v1/nothing`")));
    for method in ["GET", "HEAD", "DELETE", "PATCH", "OPTIONS", "ODD"] {
        for path in ["/v1/telemetry", "/v1/telemetry/batch"] {
            assert_eq!(status(&ask(&server, &format!("{method} {path}"), &["Host: localhost"])), "405", "{method} {path}");
        }
    }
    let answer = server.post("/v1/health", "{}");
    assert_eq!((answer.status, answer.json), (405, error("METHOD_NOT_ALLOWED", "`/v1/health` does not take POST")));
    assert_eq!(answer.headers["allow"], "GET,HEAD");
    for path in ["/v1/%ff", "/v1/health/", "//v1/health", "/V1/health", "/v1/health%00"] {
        let answer = ask(&server, &format!("GET {path}"), &["Host: localhost"]);
        assert_eq!(status(&answer), "404", "{answer}");
        assert!(answer.contains("\"NOT_FOUND\""), "{answer}");
    }
}

#[test]
fn request_ids_are_echoed_or_made() {
    let server = Server::start();
    let made = server.get("/v1/health").headers["x-request-id"].clone();
    assert!(!made.is_empty());
    let answer = ask(&server, "GET /v1/health", &["Host: localhost", "X-Request-Id: mine-1"]);
    assert!(answer.contains("x-request-id: mine-1\r\n"), "{answer}");
    let answer = ask(&server, "GET /v1/health", &["Host: localhost", "X-Request-Id: <script>"]);
    assert!(!answer.contains("<script>"), "{answer}");
}

#[test]
fn serves_only_names_that_cannot_be_rebound() {
    let server = Server::start_with(|config, _| config.server.allowed_hosts = vec!["telemetry.example".into()]);
    for (host, expected) in [
        ("Host: localhost:1", "200"),
        ("Host: 127.0.0.1", "200"),
        ("Host: 203.0.113.9:8000", "200"),
        ("Host: [::1]:8000", "200"),
        ("Host: telemetry.example:9", "200"),
        ("Host: evil.example", "403"),
        ("Host: localhost.evil.example", "403"),
        ("Host: ", "400"),
        ("Host: localhost\r\nHost: localhost", "400"),
        ("X-No: host", "400"),
    ] {
        for path in ["/v1/health", "/", "/v1/nothing"] {
            let answer = ask(&server, &format!("GET {path}"), &[host]);
            let expected = if path == "/v1/nothing" && expected == "200" { "404" } else { expected };
            assert_eq!(status(&answer), expected, "{host} {path}: {answer}");
        }
    }
    for (line, host, expected) in [
        ("GET http://evil.example/v1/health", "Host: localhost", "403"),
        ("GET http://localhost/v1/health", "Host: evil.example", "403"),
        ("GET http://localhost/v1/health", "Host:", "400"),
        ("GET http://localhost/v1/health", "Host: localhost", "200"),
    ] {
        assert_eq!(status(&ask(&server, line, &[host])), expected, "{line} {host}");
    }
    assert_eq!(status(&ask(&server, "POST /v1/telemetry", &["Host: evil.example", "Content-Length: 0"])), "403");
}

#[test]
fn only_configured_origins_may_read_answers() {
    let server = Server::start();
    let with = |origin: &str| ask(&server, "GET /v1/health", &["Host: localhost", &format!("Origin: {origin}")]);
    for origin in ["http://localhost:3000", "http://127.0.0.1:3000"] {
        assert!(with(origin).contains(&format!("access-control-allow-origin: {origin}\r\n")));
    }
    for origin in ["http://evil.example", "null", "http://localhost:3001", "https://localhost:3000"] {
        assert!(!with(origin).contains("access-control-"), "{origin}");
    }
    let preflight = |origin: &str| {
        let lines = ["Host: localhost", &format!("Origin: {origin}"), "Access-Control-Request-Method: POST"];
        ask(&server, "OPTIONS /v1/telemetry", &lines)
    };
    let answer = preflight("http://localhost:3000");
    assert_eq!(status(&answer), "204");
    assert!(answer.contains("access-control-allow-headers: authorization, content-type, x-request-id\r\n"), "{answer}");
    assert!(!preflight("http://evil.example").contains("access-control-"));
}

#[test]
fn reads_ask_for_the_token() {
    let server = Server::start_with(|config, _| config.server.read_token = Some(Secret::new(TOKEN)));
    let get = |path: &str, header: &str| ask(&server, &format!("GET {path}"), &["Host: localhost", header]);
    for header in ["X: y", "Authorization: Bearer wrong-token-of-21-chars", "Authorization: Basic abc", "Authorization: Bearer "] {
        for path in ["/v1/telemetry/events", "/v1/plugins", "/v1/quarantine", "/v1/nothing"] {
            let answer = get(path, header);
            assert_eq!(status(&answer), "401", "{path} {header}: {answer}");
            assert!(answer.contains("www-authenticate: Bearer\r\n") && answer.contains("AUTHENTICATION_ERROR"), "{answer}");
        }
    }
    let right = format!("Authorization: Bearer {TOKEN}");
    assert_eq!(status(&get("/v1/nothing", &right)), "404");
    let health = server.get("/v1/health");
    assert_eq!((health.status, health.json), (200, json!({"status": "ok"})));
    assert!(get("/v1/health", &right).contains("\"version\""));
    assert_eq!(server.get("/").status, 200);
}

#[test]
fn ingest_needs_no_token_and_ignores_a_foreign_one() {
    let server = Server::start_with(|config, _| config.server.read_token = Some(Secret::new(TOKEN)));
    let event = json!({"timestamp": "2026-11-23T08:00:00Z", "name": "session.start", "level": "INFO", "attributes": {}});
    server.accept(&event);
    let headers = [("Authorization", "Bearer a-foreign-token"), ("Content-Type", "application/json")];
    for (path, body) in [("/v1/telemetry", event.to_string()), ("/v1/telemetry/batch", json!({"events": [event]}).to_string())] {
        assert_eq!(server.post_with(path, &headers, body).status, 201, "{path}");
    }
}

#[test]
fn refuses_to_start_readable_beyond_loopback() {
    let start = |adjust: fn(&mut Config)| {
        let folder = tempfile::TempDir::new().unwrap();
        let mut config = Config::default();
        config.server.host = "0.0.0.0".into();
        config.server.port = 0;
        config.database.path = folder.path().join("cylestio.db");
        adjust(&mut config);
        config.derive_paths(&[]);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let running = serve(config, Arc::new(SystemClock)).await?;
            running.shutdown().await;
            Ok::<_, StartError>(folder.path().join("cylestio.db").exists())
        })
    };
    let refused = start(|_| ()).unwrap_err();
    assert!(matches!(refused, StartError::OpenReads { .. }), "{refused}");
    assert!(refused.to_string().contains("server.read_token_file"));
    assert!(start(|config| config.server.insecure_reads = true).unwrap());
    assert!(start(|config| config.server.read_token = Some(Secret::new(TOKEN))).unwrap());
}

#[test]
fn insecure_reads_show_in_health() {
    let server = Server::start_with(|config, _| {
        config.server.host = "0.0.0.0".into();
        config.server.insecure_reads = true;
    });
    assert_eq!(server.get("/v1/health").json["insecure_reads"], true);
    assert_eq!(Server::start().get("/v1/health").json["insecure_reads"], false);
}
