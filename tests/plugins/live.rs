//! Plugins that come, change and go while the server runs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::guest::{Guest, put};
use super::{degraded, event, goes_on, outcomes, server, status};
use crate::harness::Server;

/// Asks until `there` is true; a test that waits for ever would tell nothing.
pub(super) fn until(what: &str, mut there: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !there() {
        assert!(Instant::now() < end, "{what} does not come");
        std::thread::yield_now();
    }
}

fn state(server: &Server, id: &str) -> Value {
    let answer = server.get(&format!("/v1/plugins/{id}"));
    if answer.status == 404 { Value::Null } else { answer.json["state"].clone() }
}

fn version(server: &Server, id: &str) -> Value {
    status(server, id)["version"].clone()
}

/// A guest of another version.
fn versioned(id: &str, version: &str) -> Guest {
    let guest = Guest::enricher(id, "(local.get $n)");
    let manifest = guest.manifest.replace("0.1.0", version);
    guest.under(manifest)
}

#[test]
fn a_file_serves_after_the_copy_changes_and_goes() {
    let server = server(&[]);
    versioned("marks", "1.0.0").drop_into(server.folder());
    until("the file", || state(&server, "marks") == "serving");
    server.accept(&event(3));
    assert_eq!(server.count("select count(*) from attributes where key = 'marks.mark'"), 1);
    versioned("marks", "2.0.0").drop_into(server.folder());
    until("the newer file", || version(&server, "marks") == "2.0.0");
    put(server.folder(), "marks", b"broken");
    until("the error", || degraded(&server, "marks").is_some());
    assert_eq!((state(&server, "marks"), version(&server, "marks")), (json!("serving"), json!("2.0.0")));
    server.accept(&event(4));
    assert_eq!(server.count("select count(*) from attributes where key = 'marks.mark'"), 2);
    std::fs::remove_file(server.folder().join("plugins/marks.wasm")).expect("removed");
    until("its end", || state(&server, "marks").is_null());
    goes_on(&server);
    assert_eq!(server.count("select count(distinct version) from plugin_versions where plugin_id = 'marks'"), 2);
}

#[test]
fn the_printed_grant_pasted_in_makes_a_plugin_serve() {
    let content = super::guest::manifest("reads", "enricher", &[(r#"attributes["my.secret"]"#, "integer")], &[("reads.mark", "integer")]);
    let server = server(&[&Guest::enricher("reads", "(local.get $n)").under(content)]);
    let grants = server.folder().join("grants.toml");
    let lines = status(&server, "reads")["grant"].as_str().expect("lines").to_owned();
    std::fs::write(&grants, lines).expect("a file");
    until("the grant", || state(&server, "reads") == "serving");
    std::fs::write(&grants, "[reads\n").expect("a file");
    until("the problem", || server.get("/v1/plugins").json["problem"].is_string());
    assert_eq!(state(&server, "reads"), "serving");
    assert_eq!(server.get("/v1/health").json["status"], "degraded");
    std::fs::write(&grants, "").expect("a file");
    until("the loss", || state(&server, "reads") == "refused");
    assert!(server.get("/v1/plugins").json["problem"].is_null());
}

#[test]
fn a_file_that_is_being_written_waits() {
    use std::io::Write as _;
    let server = server(&[&versioned("marks", "1.0.0")]);
    let bytes = versioned("marks", "2.0.0").bytes();
    let path = server.folder().join("plugins/marks.wasm");
    let mut file = std::fs::File::create(&path).expect("a file");
    for part in bytes.chunks(bytes.len().div_ceil(4)) {
        file.write_all(part).expect("written");
        let end = Instant::now() + Duration::from_millis(400);
        while Instant::now() < end {
            let now = status(&server, "marks");
            assert_eq!((&now["error"], &now["version"]), (&Value::Null, &json!("1.0.0")));
        }
    }
    drop(file);
    until("the whole file", || version(&server, "marks") == "2.0.0");
}

#[test]
fn reloading_needs_no_watch() {
    let server = Server::start_with(|config, _| config.plugins.watch = false);
    versioned("marks", "1.0.0").drop_into(server.folder());
    let answer = server.post("/v1/plugins/reload", "");
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.json["items"].as_array().expect("a list").iter().any(|plugin| plugin["id"] == "marks"), "{}", answer.text);
    std::fs::write(server.folder().join("grants.toml"), "[reads\n").expect("a file");
    let answer = server.post("/v1/plugins/reload", "{}");
    assert_eq!((answer.status, &answer.json["error"]["code"]), (409, &json!("CONFLICT")), "{}", answer.text);
    assert_eq!(server.post_with("/v1/plugins/reload", &[("content-type", "text/plain")], "").status, 415);
    let foreign = [("content-type", "application/json"), ("origin", "http://evil.example")];
    assert_eq!(server.post_with("/v1/plugins/reload", &foreign, "").status, 403);
}

#[test]
fn a_switch_holds_over_a_restart_and_the_configuration_wins() {
    let mut server = Server::start_with(|config, _| config.plugins.disabled = vec!["secret-scan".into()]);
    let switch =
        |server: &Server, id: &str, on: bool| server.put(&format!("/v1/plugins/{id}/enabled"), json!({ "enabled": on }).to_string());
    let answer = switch(&server, "event-category", false);
    assert_eq!((answer.status, &answer.json["state"]), (200, &json!("switched-off")), "{}", answer.text);
    server.accept(&event(1));
    assert_eq!(outcomes(&server, "event-category"), []);
    server.restart();
    assert_eq!(state(&server, "event-category"), "switched-off");
    let answer = switch(&server, "event-category", true);
    assert_eq!((answer.status, &answer.json["state"]), (200, &json!("serving")), "{}", answer.text);
    server.accept(&event(2));
    assert_eq!(outcomes(&server, "event-category"), [("ok".to_owned(), 1)]);
    let answer = switch(&server, "secret-scan", true);
    assert_eq!((answer.status, &answer.json["error"]["code"]), (409, &json!("CONFLICT")), "{}", answer.text);
    assert!(answer.text.contains("plugins.disabled"), "{}", answer.text);
    // One that is off unless told.
    assert_eq!(state(&server, "pii-masker"), "switched-off");
    switch(&server, "pii-masker", true);
    server.restart();
    assert_eq!(state(&server, "pii-masker"), "serving");
    assert_eq!(switch(&server, "none-such", true).status, 404);
    assert_eq!(server.put("/v1/plugins/event-category/enabled", "{\"enabled\": 1}").status, 400);
}
