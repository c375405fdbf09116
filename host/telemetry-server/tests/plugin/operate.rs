//! `lock`, `grant` and `run`: what an operator does with a component.

use std::fs;

use serde_json::{Value, json};

use crate::desk::{Desk, Said, component, repository};

const LOCKED: [(&str, &str); 1] = [("CYLESTIO_PLUGINS__POLICY", "locked")];

#[test]
fn lock_writes_down_what_serves_and_nothing_else_loads() {
    let desk = Desk::new();
    desk.write("plugins/slow-calls.wasm", component("examples/slow-calls"));
    desk.write("plugins/badge-masker.wasm", component("examples/badge-masker"));
    desk.write("model-family.wasm", component("examples/model-family"));
    let said = desk.run_with("plugin check plugins/slow-calls.wasm", &LOCKED);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("`./plugins.lock` is not there") && said.err.contains("cylestio-server plugin lock"), "{}", said.err);

    let said = desk.run_with("plugin lock", &LOCKED);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("left out  badge-masker: grants: not granted: masks"), "{}", said.out);
    let lock = fs::read_to_string(desk.path("plugins.lock")).unwrap();
    assert!(lock.contains("\nslow-calls = \"") && lock.contains("\ntoken-usage = \"") && !lock.contains("badge-masker"), "{lock}");

    assert_eq!(desk.run_with("plugin check plugins/slow-calls.wasm", &LOCKED).code, 0);
    let said = desk.run_with("plugin check model-family.wasm", &LOCKED);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("the policy is `locked`, and `model-family` with digest "), "{}", said.out);
    assert_eq!(desk.run("plugin check model-family.wasm").code, 0, "without the policy it loads");

    // The same id with another digest is another component.
    let others = lock
        .lines()
        .map(|line| if line.starts_with("slow-calls") { format!("slow-calls = \"{}\"", "0".repeat(64)) } else { line.to_owned() });
    desk.write("plugins.lock", others.collect::<Vec<_>>().join("\n"));
    assert_eq!(desk.run_with("plugin check plugins/slow-calls.wasm", &LOCKED).code, 1);
    desk.write("plugins.lock", "slow-calls = 7\n");
    let said = desk.run_with("plugin check plugins/slow-calls.wasm", &LOCKED);
    assert!(said.err.contains("`./plugins.lock` cannot be used: line 1: "), "{}", said.err);
    assert_eq!(desk.names(), ["model-family.wasm", "plugins", "plugins.lock"], "no database is made");
}

#[test]
fn grant_writes_the_lines_and_keeps_the_rest() {
    let desk = Desk::new();
    desk.write("badge-masker.wasm", component("examples/badge-masker"));
    let said = desk.run("plugin grant badge-masker.wasm");
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("in `./grants.toml`:\n\n[badge-masker]\nmask = true\n"), "{}", said.out);
    assert!(said.err.contains("say --yes"), "{}", said.err);
    assert_eq!(desk.names(), ["badge-masker.wasm"], "nothing is written without consent");

    desk.write("grants.toml", "# ours\n[other]\nwarm = true # since May\n");
    let said = desk.run("plugin grant badge-masker.wasm --yes");
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.ends_with("granted. would load\n"), "{}", said.out);
    let expected = "# ours\n[other]\nwarm = true # since May\n\n[badge-masker]\nmask = true\n";
    let written = fs::read_to_string(desk.path("grants.toml")).unwrap();
    assert_eq!(written.replace("\n\n", "\n"), expected.replace("\n\n", "\n"));
    assert_eq!(desk.run("plugin check badge-masker.wasm").code, 0);
    let said = desk.run("plugin grant badge-masker.wasm --yes");
    assert!(said.code == 0 && said.out.ends_with("would load\n"), "there is nothing more to grant: {said:?}");
    desk.write("grants.toml", "[other\n");
    assert!(desk.run("plugin grant badge-masker.wasm --yes").err.contains("plugins.grants_file"));
}

#[test]
fn grant_takes_patterns_that_cover_what_is_asked() {
    let desk = Desk::new();
    let off = [("CYLESTIO_PLUGINS__DISABLED", "secret-scan")];
    let bytes = component("secret-scan");
    let at = bytes.windows(18).rposition(|window| window == b"id = \"secret-scan\"").unwrap();
    desk.write("reads-story.wasm", [&bytes[..at], b"id = \"reads-story\"", &bytes[at + 18..]].concat());
    let said = desk.run_with("plugin grant reads-story.wasm --yes --field attributes[\"llm.*\"]", &off);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("do not grant all it asks") && said.err.contains("event.attributes"), "{}", said.err);
    let said = desk.run_with("plugin grant reads-story.wasm --yes --field attributes[\"*\"]", &off);
    assert_eq!(said.code, 0, "{said:?}");
    let written = fs::read_to_string(desk.path("grants.toml")).unwrap();
    assert!(written.contains("attributes[") && !written.contains("event.attributes"), "{written}");
}

#[test]
fn run_prints_what_a_plugin_gives_without_a_server() {
    let desk = Desk::new();
    let golden = repository().join("tests/fixtures/golden/monitor-events.ndjson");
    let events = fs::read_to_string(&golden).unwrap();
    let run = |plugin: &str, more: &str| {
        let name = plugin.rsplit('/').next().unwrap();
        desk.write(&format!("{name}.wasm"), component(plugin));
        desk.run(&format!("plugin run {name}.wasm --input {} {more}", golden.display()))
    };
    let enriched = lines(&run("examples/model-family", ""));
    assert_eq!(enriched.len(), events.lines().count());
    let with_model = events.lines().filter(|line| line.contains("\"llm.model\"")).count();
    assert_eq!(enriched.iter().filter(|line| line["set"]["model.family"].is_string()).count(), with_model);
    assert!(enriched.iter().any(|line| line["set"] == json!({"model.family": "claude"})));

    let validated = lines(&run("examples/known-vendor", ""));
    assert!(validated.iter().all(|line| line["violations"] == json!([]) && line["outcome"] == "ok"));

    let report = lines(&run("examples/slow-calls", "--group-by model --set limit_ms=0.001"));
    assert!(report.iter().any(|row| row["group"]["model"] == "gpt-4o" && row["values"]["calls"].as_u64() > Some(1)), "{report:?}");

    desk.write("grants.toml", "[badge-masker]\nmask = true\n");
    let event = r#"{"name": "llm.x", "timestamp": "2026-11-23T08:00:00Z", "attributes": {"note": "ask EMP-204"}}"#;
    desk.write("few.ndjson", format!("{event}\n\nno json\n"));
    desk.write("badge-masker.wasm", component("examples/badge-masker"));
    let masked = lines(&desk.run("plugin run badge-masker.wasm --input few.ndjson"));
    assert_eq!(masked[0]["masked"]["attributes"]["note"], "ask [badge]");
    assert!(masked[1]["refused"][0].as_str().unwrap().starts_with("invalid-json"), "{masked:?}");
    assert!(!desk.names().iter().any(|name| name.ends_with(".db")), "no database is made: {:?}", desk.names());
}

#[test]
fn run_says_what_is_wrong() {
    let desk = Desk::new();
    desk.write("slow-calls.wasm", component("examples/slow-calls"));
    desk.write("model-family.wasm", component("examples/model-family"));
    desk.write("few.ndjson", "");
    for (line, reason) in [
        ("slow-calls.wasm", "there is no database `./cylestio.db`"),
        ("slow-calls.wasm --input none.ndjson", "reading `none.ndjson`"),
        ("slow-calls.wasm --input few.ndjson --set limit", "it is NAME=VALUE"),
        ("slow-calls.wasm --input few.ndjson --set limit_ms=fast", "limit_ms"),
        ("slow-calls.wasm --input few.ndjson --group-by colour", "colour"),
        ("model-family.wasm --input few.ndjson --group-by name", "only a metric"),
        ("none.wasm --input few.ndjson", "would not load: read `none.wasm`"),
    ] {
        let said = desk.run(&format!("plugin run {line}"));
        assert_eq!(said.code, 1, "{line}: {said:?}");
        assert!(said.err.contains(reason), "{line}: {}", said.err);
    }
}

fn lines(said: &Said) -> Vec<Value> {
    assert_eq!(said.code, 0, "{said:?}");
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
