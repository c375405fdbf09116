//! Text plugins: what a rule says, run by the shipped component, meets its cases and the law of its kind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use telemetry_devkit::{CompileCache, verify};
use telemetry_plugins::PluginKind;

#[test]
fn every_rule_meets_its_cases_and_the_law_of_its_kind() {
    let scratch = tempfile::tempdir().unwrap();
    let cache = CompileCache { path: Some(scratch.path().join("cache")), state: None };
    let mut kinds = Vec::new();
    for file in ["script/cases", "examples/rules"].into_iter().flat_map(files) {
        let verdict = verify(&file, &cache).unwrap_or_else(|error| panic!("{error}"));
        assert!(verdict.is_good(), "{verdict}");
        assert!(verdict.results.iter().any(|result| result.name == "cases[0]"), "{verdict}");
        kinds.push(verdict.kind);
    }
    for kind in [PluginKind::Enricher, PluginKind::Validator, PluginKind::Metric] {
        assert!(kinds.iter().filter(|known| **known == kind).count() >= 2, "{kind:?}");
    }
}

#[test]
fn a_case_that_is_not_met_is_shown() {
    let scratch = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(plugins().join("examples/rules/model-family.toml")).unwrap();
    let file = scratch.path().join("x.toml");
    fs::write(&file, text.replace("\"gpt\" }", "\"claude\" }")).unwrap();
    let verdict = verify(&file, &CompileCache::default()).unwrap();
    assert!(!verdict.is_good());
    assert!(verdict.to_string().contains("FAILED  cases[0]: answer 0"), "{verdict}");
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(plugins().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins")
}
