//! Which crate may know which.

use std::process::Command;

use serde_json::Value;

use super::{assert_none, root};

/// Crate and what of ours it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("telemetry-model", &[]),
    ("telemetry-store", &["telemetry-model"]),
    ("telemetry-plugins", &["telemetry-model"]),
    ("telemetry-devkit", &["telemetry-model", "telemetry-plugins", "telemetry-store"]),
    ("telemetry-server", &["telemetry-model", "telemetry-plugins", "telemetry-store", "telemetry-devkit"]),
    ("tests", &[]),
];

/// A package (and everything named after it) and the one crate that may have it.
const DOORS: &[(&str, &str)] = &[
    ("wasmtime", "telemetry-plugins"),
    ("rusqlite", "telemetry-store"),
    ("r2d2", "telemetry-store"),
    ("axum", "telemetry-server"),
    ("figment", "telemetry-server"),
];

/// (crate, dependency) of every normal and build dependency of the workspace.
fn dependencies() -> Vec<(String, String)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut found = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            if dependency["kind"] != "dev" {
                found.push((name.to_owned(), dependency["name"].as_str().expect("a name").to_owned()));
            }
        }
    }
    assert!(found.len() > 20, "the workspace has dependencies");
    found
}

#[test]
fn crates_depend_along_the_arrows() {
    let findings: Vec<_> = dependencies()
        .into_iter()
        .filter(|(_, dependency)| dependency.starts_with("telemetry-"))
        .filter(|(name, dependency)| !ARROWS.iter().any(|(from, to)| from == name && to.contains(&dependency.as_str())))
        .map(|(name, dependency)| format!("{name} -> {dependency}"))
        .collect();
    assert_none(&findings, "crate arrows that the house does not have");
}

#[test]
fn every_crate_of_the_workspace_has_its_arrows_listed() {
    let findings: Vec<_> =
        dependencies().into_iter().map(|(name, _)| name).filter(|name| !ARROWS.iter().any(|(known, _)| known == name)).collect();
    assert_none(&findings, "crates without a place in the house");
}

#[test]
fn heavy_packages_have_one_door() {
    let findings: Vec<_> = dependencies()
        .into_iter()
        .filter(|(name, dependency)| {
            DOORS.iter().any(|(package, door)| {
                let family = dependency == package || dependency.strip_prefix(package).is_some_and(|rest| rest.starts_with(['-', '_']));
                family && name != door
            })
        })
        .map(|(name, dependency)| format!("{name} has {dependency}"))
        .collect();
    assert_none(&findings, "heavy packages outside their crate");
}
