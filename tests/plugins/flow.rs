//! Content does not get out by a detour: what a plugin writes is of the class of what it read, however many plugins stand between.

use serde_json::json;

use super::guest::{Guest, manifest, mark};
use super::{degraded, event, server, status};
use crate::harness::Server;

/// A number that stands in content only.
const CANARY: i64 = 77_007_700_770;

/// An enricher that hands on what it reads and logs it, granted or not.
fn relay(id: &str, reads: &str) -> Guest {
    let value = "(i64.store (i32.const 2048) (i64.const 0x2d59524154414e43)) (call $log (i32.const 1) (i32.const 2048) (i32.const 8)) (local.get $n)";
    let field = format!("attributes[\"{reads}\"]");
    Guest::enricher(id, value).under(manifest(id, "enricher", &[(&field, "integer")], &[(&mark(id), "integer")]))
}

/// A chain of two plugins that may read content, and three ends that were granted no content.
fn chained(grants: &str) -> Server {
    let sender = relay("sender", "second.mark");
    let sender = sender.clone().under(sender.manifest + "[capabilities]\nwasi = [\"address:127.0.0.1:9\"]\n");
    let report = Guest::metric("report", "(local.get $n)");
    let report = report.clone().under(report.manifest.replace("llm.usage.n", "second.mark"));
    let mut server =
        server(&[&relay("first", "my.secret"), &relay("second", "first.mark"), &relay("logger", "second.mark"), &sender, &report]);
    let chain = "[first]\nfields = ['attributes[\"my.secret\"]']\n[second]\nfields = ['attributes[\"first.mark\"]']\n";
    std::fs::write(server.folder().join("grants.toml"), format!("{chain}{grants}")).expect("a file");
    server.restart();
    let mut event = event(1);
    event["attributes"]["my.secret"] = CANARY.into();
    server.accept(&event);
    assert_eq!(server.count("select value from attributes where key = 'second.mark'"), CANARY, "the chain runs");
    server
}

#[test]
fn a_canary_through_a_chain_of_two_is_stopped_at_load() {
    // An address alone is no leave to send content there, nor is leave to read it.
    let server = chained("[sender]\nwasi = [\"address:127.0.0.1:9\"]\nfields = ['attributes[\"second.mark\"]']\n");
    for (id, why) in [
        ("logger", "reads `attributes[\"second.mark\"]`, which is content"),
        ("report", "reads `attributes[\"second.mark\"]`, which is content"),
        ("sender", "could send `attributes[\"second.mark\"]`, which is content, to 127.0.0.1:9"),
    ] {
        let plugin = status(&server, id);
        assert_eq!((&plugin["state"], &plugin["log"]), (&json!("refused"), &json!([])), "{id}");
        let reason = degraded(&server, id).expect("a reason");
        assert!(reason.contains(why), "{id}: {reason}");
    }
    let answer = server.get("/v1/reports/report");
    assert_eq!(answer.status, 404, "{}", answer.text);
    assert!(!answer.text.contains(&CANARY.to_string()));
    assert_eq!(server.count("select count(*) from attributes where key in ('logger.mark', 'sender.mark')"), 0);
    // The journal says the same: none of them was handed anything.
    for id in ["logger", "report", "sender"] {
        assert_eq!(server.get(&format!("/v1/plugins/{id}/access")).json["versions"], json!([]), "{id}");
    }
}

#[test]
fn a_key_declassified_by_name_is_metadata_for_those_behind() {
    let server = chained("declassify = [\"second.mark\"]\n");
    let logger = status(&server, "logger");
    assert_eq!((&logger["state"], &logger["log"].as_array().map(Vec::len)), (&json!("serving"), &Some(1)), "{logger}");
    let answer = server.get("/v1/reports/report");
    assert_eq!((answer.status, &answer.json["rows"][0]["values"]["total"]), (200, &json!(CANARY)), "{}", answer.text);
    // Sending asks for its own lines all the same.
    assert_eq!(status(&server, "sender")["state"], "refused");
}
