//! Committed components are what their sources say.

use std::fs;
use std::path::PathBuf;

use telemetry_devkit::{BuildNote, Language, source_digest};

use super::{assert_none, root};

/// Built as a plugin is, but none: it speaks the shapes that the contract did not take.
const BENCH_GUEST: &str = "host/telemetry-plugins/benches/crossing/guest";

/// Folders of plugins below `plugins/` that have a built component beside their manifest.
fn plugins() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = ["plugins", "plugins/examples"]
        .iter()
        .filter_map(|folder| fs::read_dir(root().join(folder)).ok())
        .flatten()
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("plugin.toml").exists())
        .collect();
    folders.sort();
    assert!(folders.len() >= 10, "the shipped plugins");
    folders
}

#[test]
fn built_components_match_their_sources() {
    let mut findings = Vec::new();
    // Components with an interpreter are built where their tools are, not committed.
    let interpreted = |folder: &PathBuf| Language::ALL.iter().any(|language| folder.join(language.source()).exists());
    for folder in plugins().into_iter().filter(|folder| !interpreted(folder)).chain([root().join(BENCH_GUEST)]) {
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        let Ok(component) = fs::read(folder.join(format!("{name}.wasm"))) else {
            findings.push(format!("{name}: not built"));
            continue;
        };
        let note = telemetry_devkit::section(&component, telemetry_devkit::section::BUILD)
            .and_then(|note| BuildNote::from_json(&String::from_utf8_lossy(&note)));
        let manifest = telemetry_devkit::section(&component, telemetry_devkit::section::MANIFEST);
        if note.map(|note| note.source_sha256) != Some(source_digest(&folder).expect("readable sources")) {
            findings.push(format!("{name}: built from other sources: cargo run -- plugin build plugins/{name}"));
        }
        if manifest != fs::read(folder.join("plugin.toml")).ok() {
            findings.push(format!("{name}: another manifest than plugin.toml"));
        }
        if component.len() > 1 << 20 {
            findings.push(format!("{name}: {} bytes, over 1 MiB", component.len()));
        }
    }
    assert_none(&findings, "components that do not match");
}

#[test]
fn every_plugin_has_cases_and_a_readme() {
    let mut findings = Vec::new();
    for folder in plugins() {
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        if !folder.join("README.md").exists() {
            findings.push(format!("{name}: no README.md"));
        }
        if fs::read_dir(folder.join("cases")).map_or(0, Iterator::count) == 0 {
            findings.push(format!("{name}: no cases"));
        }
    }
    assert_none(&findings, "plugins that an author cannot learn from");
}
