//! `check` and `inspect`: what a server would say of a file.

use std::fs;

use crate::desk::{Desk, component};

/// An enricher that reads content, made of the shipped `secret-scan` by another id of the same length.
fn reader_of_content() -> Vec<u8> {
    replaced(&component("secret-scan"), b"id = \"secret-scan\"", b"id = \"reads-story\"")
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).rposition(|window| window == from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn check_says_yes_to_what_the_server_would_load() {
    let desk = Desk::new();
    desk.write("slow-calls.wasm", component("examples/slow-calls"));
    let said = desk.run("plugin check slow-calls.wasm");
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("reads   call.duration_ms (real, metadata)") && said.out.ends_with("would load\n"), "{}", said.out);
    assert_eq!(desk.names(), ["slow-calls.wasm"], "no database and no folder is made");
}

#[test]
fn check_prints_the_lines_that_are_missing_and_takes_them() {
    let desk = Desk::new();
    desk.write("reads-story.wasm", replaced(&reader_of_content(), b"key = \"secret.count\"", b"key = \"story2.count\""));
    let said = desk.run("plugin check reads-story.wasm");
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("reads   event.attributes (json, content)"), "{}", said.out);
    // A conflict comes before the grant: both write `secret.kinds`.
    assert!(said.out.contains("both write `secret.kinds`"), "{}", said.out);
    let said = desk.run_with("plugin check reads-story.wasm", &[("CYLESTIO_PLUGINS__DISABLED", "secret-scan")]);
    assert_eq!(said.code, 1, "{said:?}");
    let lines = said.out.split_once("would allow it:\n\n").unwrap().1;
    assert_eq!(lines.trim(), "[reads-story]\nfields = [\"event.attributes\"]");
    desk.write("grants.toml", lines);
    let said = desk.run_with("plugin check reads-story.wasm", &[("CYLESTIO_PLUGINS__DISABLED", "secret-scan")]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn check_takes_the_place_of_the_file_that_it_would_replace() {
    let desk = Desk::new();
    desk.write("plugins/old-name.wasm", component("examples/slow-calls"));
    desk.write("slow-calls.wasm", component("examples/slow-calls"));
    assert_eq!(desk.run("plugin check slow-calls.wasm").code, 0);
}

#[test]
fn check_says_why_not() {
    let desk = Desk::new();
    let whole = component("examples/slow-calls");
    desk.write("text.wasm", "no component");
    desk.write("core.wasm", b"\0asm\x01\0\0\0");
    desk.write("cut.wasm", &whole[..whole.len() / 2]);
    desk.write("bare.wasm", b"\0asm\x0d\0\x01\0");
    desk.write("key.wasm", replaced(&whole, b"version", b"versiom"));
    desk.write("big.wasm", vec![0; (1 << 20) + 1]);
    desk.write("shipped.wasm", component("latency"));
    fs::create_dir(desk.path("folder.wasm")).unwrap();
    for (name, reason) in [
        ("none.wasm", "would not load: read `none.wasm`: No such file"),
        ("folder.wasm", "would not load: read `folder.wasm`: not a regular file"),
        ("text.wasm", "would not load: parse: "),
        ("core.wasm", "would not load: parse: a core module, not a component"),
        ("cut.wasm", "would not load: parse: "),
        ("bare.wasm", "would not load: manifest: the component has no custom section `agent-telemetry:manifest`"),
        ("key.wasm", "would not load: manifest: line 2: unknown field `versiom`"),
        ("big.wasm", "would not load: read `big.wasm`: 1048577 bytes, at most 1048576"),
        ("shipped.wasm", "would not load: conflict: `latency` is the id of a shipped plugin"),
    ] {
        let said = desk.run_with(&format!("plugin check {name}"), &[("CYLESTIO_PLUGINS__MAX_FILE_MIB", "1")]);
        assert_eq!(said.code, 1, "{name}: {said:?}");
        assert!(said.out.contains(reason), "{name}: {}", said.out);
        if name != "shipped.wasm" {
            let said = desk.run_with(&format!("plugin inspect {name}"), &[("CYLESTIO_PLUGINS__MAX_FILE_MIB", "1")]);
            assert_eq!(said.code, 1, "{name}: {said:?}");
            assert!(said.err.contains(reason.trim_start_matches("would not load: ")), "{name}: {}", said.err);
        }
    }
}

#[test]
fn check_minds_what_is_switched_off() {
    let desk = Desk::new();
    desk.write("slow-calls.wasm", component("examples/slow-calls"));
    let said = desk.run_with("plugin check slow-calls.wasm", &[("CYLESTIO_PLUGINS__DISABLED", "slow-calls")]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("switched off"), "{}", said.out);
}

#[test]
fn inspect_tells_all_there_is() {
    let desk = Desk::new();
    desk.write("slow-calls.wasm", component("examples/slow-calls"));
    let said = desk.run("plugin inspect slow-calls.wasm");
    assert_eq!(said.code, 0, "{said:?}");
    for line in [
        "slow-calls 0.1.0: metric\n",
        "  source     llm_calls\n",
        "  class      reads metadata only\n",
        "  reads      call.duration_ms (real, metadata)\n",
        "  writes     slow (integer, {call})\n",
        "  exports    agent-telemetry:metric/metric@0.1.0-rc\n",
        "  parameters limit_ms (real)\n",
        "  sdk        cylestio-plugin-sdk",
    ] {
        assert!(said.out.contains(line), "{line}\n{}", said.out);
    }
    let json: serde_json::Value = serde_json::from_str(&desk.run("plugin inspect --json slow-calls.wasm").out).unwrap();
    assert_eq!(json["reads"][0], serde_json::json!({"field": "call.duration_ms", "type": "real", "class": "metadata"}));
    assert_eq!(json["sha256"].as_str().unwrap().len(), 64);
    assert!(json["toolchain"].as_str().unwrap().starts_with("rustc "));
    assert!(json["imports"].as_array().unwrap().contains(&"agent-telemetry:host/log@0.1.0-rc".into()));
    assert_eq!(json["license"], serde_json::Value::Null);
}
