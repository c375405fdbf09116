//! `new` and `build`: from nothing to a component.

use std::fs;

use crate::desk::Desk;

const KINDS: [&str; 4] = ["validator", "enricher", "masker", "metric"];

#[test]
fn new_writes_all_that_a_build_takes() {
    let desk = Desk::new();
    for lang in ["rust", "c"] {
        for kind in KINDS {
            let name = format!("my-{kind}-{lang}");
            let said = desk.run(&format!("plugin new {name} --kind {kind} --lang {lang}"));
            assert_eq!(said.code, 0, "{said:?}");
            assert!(said.out.contains(&format!("cd {name}\n")), "{}", said.out);
            let manifest = fs::read_to_string(desk.path(&name).join("plugin.toml")).unwrap();
            assert!(manifest.starts_with(&format!("id = \"{name}\"\n")), "{manifest}");
            assert!(manifest.contains(&format!("kind = \"{kind}\"")));
            assert_eq!(fs::read_dir(desk.path(&name).join("cases")).unwrap().count(), 1);
            let readme = fs::read_to_string(desk.path(&name).join("README.md")).unwrap();
            assert!(readme.starts_with(&format!("# {name}\n")) && readme.contains(&format!("plugin check {name}.wasm")), "{readme}");
            let source = if lang == "c" { "src/plugin.c" } else { "src/lib.rs" };
            let code = fs::read_to_string(desk.path(&name).join(source)).unwrap();
            for inner in ["column", "bitmap", "dictionary", "offsets", "dense", "batch"] {
                assert!(!code.contains(inner) && !manifest.contains(inner) && !readme.contains(inner), "{name} speaks of {inner}");
            }
            if kind == "enricher" {
                let body =
                    code.lines().skip_while(|line| !line.contains("enrich(") && !line.contains("struct")).filter(|line| !line.is_empty());
                assert!(body.count() < 15, "{code}");
            }
        }
    }
    assert!(desk.path("my-metric-rust/sdk/rust/src/lib.rs").exists() && desk.path("my-metric-rust/wit/metric/metric.wit").exists());
    let package = fs::read_to_string(desk.path("my-metric-rust/Cargo.toml")).unwrap();
    assert!(package.contains("name = \"my-metric-rust-plugin\"") && package.contains("path = \"sdk/rust\""), "{package}");
    let sdk = fs::read_to_string(desk.path("my-metric-rust/sdk/rust/Cargo.toml")).unwrap();
    assert!(sdk.contains("cylestio-plugin-sdk") && !sdk.contains("[workspace]"), "one workspace a project: {sdk}");
    assert!(desk.path("my-metric-c/sdk/c/agent_telemetry.h").exists());
    assert!(!desk.names().iter().any(|name| name.ends_with(".db")), "no database is made");
}

#[test]
fn new_says_what_is_wrong() {
    let desk = Desk::new();
    desk.write("there/x", "");
    for (line, reason) in [
        ("there --kind enricher --lang rust", "`there` is there already"),
        ("Upper --kind enricher --lang rust", "`Upper` cannot be the name of a plugin"),
        ("../up --kind enricher --lang rust", "`../up` cannot be the name of a plugin"),
        ("latency --kind metric --lang rust", "`latency` is the id of a shipped plugin"),
        ("x --kind enricher --lang cobol", "there are no templates in `cobol`; there are rust, c"),
        ("x --kind filter --lang rust", "it is one of validator, enricher, masker, metric"),
    ] {
        let said = desk.run(&format!("plugin new {line}"));
        assert_ne!(said.code, 0, "{line}");
        assert!(said.err.contains(reason), "{line}: {}", said.err);
    }
    assert_eq!(desk.names(), ["there"]);
}

#[test]
fn build_names_the_command_that_gets_a_compiler() {
    let desk = Desk::new();
    desk.run("plugin new my-metric --kind metric --lang c");
    let said = desk.run_with("plugin build my-metric", &[("PATH", "")]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("python3 -m pip install ziglang"), "{}", said.err);
}

/// Where there is a compiler; elsewhere the command that gets one is told.
#[test]
fn c_goes_from_new_to_loaded() {
    let desk = Desk::new();
    for kind in KINDS {
        let name = format!("my-{kind}");
        desk.run(&format!("plugin new {name} --kind {kind} --lang c"));
        let said = desk.run(&format!("plugin build {name}"));
        if said.code != 0 {
            assert!(said.err.contains("python3 -m pip install ziglang"), "{said:?}");
            return;
        }
        let component = desk.path(&name).join(&name).with_extension("wasm");
        let first = fs::read(&component).unwrap();
        let said = desk.run(&format!("plugin test {name}"));
        assert!(said.code == 0 && said.out.ends_with("0 failed\n"), "{said:?}");
        let said = desk.run(&format!("plugin check {name}/{name}.wasm"));
        if kind == "masker" {
            let lines = said.out.split_once("would allow it:\n\n").unwrap().1;
            desk.write("grants.toml", lines);
        }
        assert_eq!(desk.run(&format!("plugin check {name}/{name}.wasm")).code, 0, "{said:?}");
        desk.run(&format!("plugin build {name}"));
        assert!(first == fs::read(&component).unwrap(), "another build, other bytes");
    }
    assert!(!desk.names().iter().any(|name| name.ends_with(".db")), "no database is made");
}

#[test]
fn build_says_what_is_wrong() {
    let desk = Desk::new();
    desk.write("empty/x", "");
    desk.write("odd/plugin.toml", "id = 7\n");
    desk.write("key/plugin.toml", "id = \"key\"\nkind = \"metric\"\nkinds = 1\n");
    desk.write("key/src/plugin.c", "");
    for (folder, reason) in [
        ("nowhere", "cannot read `nowhere`"),
        ("empty", "cannot read `"),
        ("odd", "`id` is missing or not a text"),
        ("key", "unknown field `kinds`"),
    ] {
        let said = desk.run(&format!("plugin build {folder}"));
        assert_eq!(said.code, 1, "{said:?}");
        let no_compiler = folder == "key" && said.err.contains("pip install");
        assert!(no_compiler || said.err.contains(reason), "{folder}: {}", said.err);
    }
}
