//! Rules in one file: every command takes them as it takes components.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use telemetry_model::time::SystemClock;
use telemetry_server::{Config, serve};
use tokio::runtime::Runtime;

use crate::desk::{Desk, Said, component, repository};

const LOCKED: [(&str, &str); 1] = [("CYLESTIO_PLUGINS__POLICY", "locked")];
/// One of each kind that a rule may be.
const KINDS: [&str; 3] = ["model-family", "known-vendor", "slow-calls"];

fn rule(name: &str) -> String {
    fs::read_to_string(repository().join("plugins/examples/rules").join(name).with_extension("toml")).unwrap()
}

/// Runs a server on the database of this folder while `work` is done.
fn served<T>(desk: &Desk, work: impl FnOnce(SocketAddr) -> T) -> T {
    let mut config = Config::default();
    config.server.port = 0;
    config.database.path = desk.path("cylestio.db");
    config.plugins.path = Some(desk.path("plugins"));
    config.plugins.grants_file = Some(desk.path("grants.toml"));
    let runtime = Runtime::new().unwrap();
    let running = runtime.block_on(serve(config, Arc::new(SystemClock))).unwrap();
    let done = work(running.addr);
    runtime.block_on(running.shutdown());
    done
}

/// Posts events as one batch.
fn post(address: SocketAddr, events: &[Value]) {
    let body = json!({ "events": events }).to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    let head =
        format!("POST /v1/telemetry/batch HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\"failed\":0"), "{answer}");
}

/// A call of so many milliseconds, begin and end.
fn call(n: i64, model: &str, vendor: &str, ms: i64) -> [Value; 2] {
    let event = |name: &str, second: i64, attributes: Value| json!({ "name": name, "timestamp": format!("2026-11-23T08:00:{second:02}Z"), "trace_id": "t", "span_id": format!("s{n}"), "attributes": attributes });
    [
        event("llm.call.start", n, json!({ "llm.model": model, "llm.vendor": vendor })),
        event("llm.call.finish", n + 10, json!({ "llm.model": model, "llm.response.duration_ms": ms })),
    ]
}

fn good(said: Said) -> String {
    assert_eq!(said.code, 0, "{said:?}");
    said.out
}

#[test]
fn a_rule_is_checked_inspected_tested_measured_and_run() {
    let desk = Desk::new();
    let events: Vec<String> =
        [call(1, "gpt-4o", "openai", 2_000), call(2, "claude-x", "acme", 10)].concat().iter().map(Value::to_string).collect();
    desk.write("events.ndjson", events.join("\n"));
    for name in KINDS {
        let file = format!("{name}.toml");
        desk.write(&file, rule(name));
        assert!(good(desk.run(&format!("plugin check {file}"))).ends_with("would load\n"));
        let portrait: Value = serde_json::from_str(&good(desk.run(&format!("plugin inspect {file} --json")))).unwrap();
        assert_eq!((&portrait["id"], portrait["sha256"].as_str().map(str::len)), (&json!(name), Some(64)), "{portrait}");
        assert!(good(desk.run(&format!("plugin inspect {file}"))).contains(name));
        let tested = good(desk.run(&format!("plugin test {file}")));
        assert!(tested.contains("cases[0]") || tested.contains("ok"), "{tested}");
        let bill: Value = serde_json::from_str(&good(desk.run(&format!("plugin bench --json {file}")))).unwrap();
        assert!(bill["plugin"]["ns_per_row"]["100"].as_f64() > bill["empty"]["ns_per_row"]["100"].as_f64(), "{bill}");
    }
    let run = |line: &str| -> Vec<Value> {
        let said = good(desk.run(&format!("plugin run {line} --input events.ndjson")));
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(
        run("model-family.toml").iter().map(|line| line["set"]["model.family"].clone()).collect::<Vec<_>>(),
        ["gpt", "gpt", "claude", "claude"]
    );
    let flagged: Vec<_> = run("known-vendor.toml").iter().map(|line| line["violations"][0]["code"].clone()).collect();
    assert_eq!(flagged, [Value::Null, Value::Null, json!("vendor-unknown"), Value::Null]);
    assert_eq!(run("slow-calls.toml --set limit_ms=5")[0]["values"], json!({ "slow": 2, "calls": 2 }));
    // A case that is not met is shown with its row.
    desk.write("model-family.toml", rule("model-family").replace("\"model.family\" = \"gpt\"", "\"model.family\" = \"GPT\""));
    let said = desk.run("plugin test model-family.toml");
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("GPT") && said.out.contains("gpt-4o-mini"), "{}", said.out);
}

#[test]
fn rules_are_compared_replayed_and_filled_in_with_and_without_a_server() {
    let desk = Desk::new();
    let changed = [("before(", "after("), ("'openai', 'anthropic'", "'openai', 'acme'"), (">= parameters", "< parameters")];
    let upper = KINDS.iter().zip(changed);
    for (name, (from, to)) in upper {
        desk.write(&format!("{name}.toml"), rule(name));
        desk.write(&format!("new/{name}.toml"), rule(name).replace("0.1.0", "0.2.0").replace(from, to));
    }
    let events = [call(1, "gpt-4o", "openai", 2_000), call(2, "claude-x", "acme", 10), call(3, "claude-y", "anthropic", 20)].concat();
    let diffs = |with: &str| {
        let diff = |name: &str| -> Value {
            let said = good(desk.run(&format!("plugin diff {name}.toml new/{name}.toml --format json {with}")));
            serde_json::from_str(&said).unwrap()
        };
        KINDS.map(diff)
    };
    let through = served(&desk, |address| {
        post(address, &events);
        diffs(&format!("--url http://{address}"))
    });
    assert_eq!(diffs(""), through, "a running server says the same");
    let [enricher, validator, metric] = &through;
    assert_eq!((&enricher["changed_rows"], &enricher["keys"]["model.family"]["changed"]), (&json!(6), &json!(6)));
    assert_eq!((&validator["changed_rows"], &validator["keys"].as_object().map(|keys| keys.len())), (&json!(2), &Some(1)), "{validator}");
    assert_eq!((&metric["changed_rows"], &metric["groups"]["items"][0]["values"]), (&json!(3), &json!({ "slow": { "old": 1, "new": 2 } })));
    for (name, rows, given) in [("model-family", 6, "model.family"), ("known-vendor", 6, "vendor-unknown"), ("slow-calls", 3, "calls")] {
        let said = good(desk.run(&format!("plugin replay {name}.toml --format json")));
        let replay: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((&replay["rows"], &replay["outcomes"]["ok"]), (&json!(rows), &json!(rows)), "{replay}");
        assert!(replay["gives"].as_object().unwrap().keys().any(|key| key.contains(given)), "{replay}");
    }
    // What came before the rule is filled in: in the database, then, of another version, by a server.
    desk.write("plugins/model-family.toml", rule("model-family"));
    let filled = |with: &str| -> Value {
        serde_json::from_str(&good(desk.run(&format!("plugin backfill model-family --format json {with}")))).unwrap()
    };
    let job = filled("");
    assert_eq!((&job["state"], &job["changed"], &job["total"]), (&json!("done"), &json!(6), &json!(6)), "{job}");
    desk.write("plugins/model-family.toml", fs::read(desk.path("new/model-family.toml")).unwrap());
    let job = served(&desk, |address| filled(&format!("--url http://{address}")));
    assert_eq!((&job["state"], &job["changed"]), (&json!("done"), &json!(6)), "{job}");
}

#[test]
fn a_rule_that_reads_content_is_granted_as_any_plugin() {
    let desk = Desk::new();
    let text = "id = \"family\"\nversion = \"1.0.0\"\nkind = \"enricher\"\n[rule]\nnote.family = \"before(attributes['my.note'], '-')\"\n";
    desk.write("family.toml", text);
    let said = desk.run("plugin check family.toml");
    assert_eq!(said.code, 1, "{said:?}");
    let lines = said.out.split_once("would allow it:\n\n").unwrap().1;
    assert!(lines.starts_with("[family]\nfields = [") && lines.contains("my.note"), "{lines}");
    assert_eq!(desk.run("plugin run family.toml --input none").code, 1);
    let said = desk.run("plugin grant family.toml --yes");
    assert!(said.code == 0 && said.out.ends_with("granted. would load\n"), "{said:?}");
    assert_eq!(fs::read_to_string(desk.path("grants.toml")).unwrap().trim(), lines.trim());
    assert_eq!(desk.run("plugin check family.toml").code, 0);
}

#[test]
fn a_locked_rule_is_its_file_and_the_component_that_runs_it() {
    let desk = Desk::new();
    let text = rule("model-family");
    let file = desk.write("plugins/model-family.toml", &text);
    let hex = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let digest = |text: &str, script: &[u8]| hex(&[text.as_bytes(), b"\0", hex(script).as_bytes()].concat());
    good(desk.run_with("plugin lock", &LOCKED));
    let lock = fs::read_to_string(desk.path("plugins.lock")).unwrap();
    let line = format!("model-family = \"{}\"", digest(&text, &component("script")));
    assert!(lock.contains(&line), "{line} of {lock}");
    assert_eq!(desk.run_with("plugin check plugins/model-family.toml", &LOCKED).code, 0);
    // Another word in the file, and another `script` under the same file, are both something else.
    fs::write(&file, text.replace("'-'", "'_'")).unwrap();
    let said = desk.run_with("plugin check plugins/model-family.toml", &LOCKED);
    assert!(said.code == 1 && said.out.contains("the policy is `locked`, and `model-family` with digest "), "{said:?}");
    fs::write(&file, &text).unwrap();
    assert_eq!(desk.run_with("plugin check plugins/model-family.toml", &LOCKED).code, 0);
    let other = format!("model-family = \"{}\"", digest(&text, b"another script"));
    desk.write("plugins.lock", lock.replace(&line, &other));
    let said = desk.run_with("plugin check plugins/model-family.toml", &LOCKED);
    assert!(said.code == 1 && said.out.contains("the policy is `locked`"), "{said:?}");
}
