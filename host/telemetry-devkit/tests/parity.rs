//! The same plugin in several languages answers the same on what monitors really send.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json, json};
use telemetry_devkit::{CompileCache, Setup, Trial};
use telemetry_plugins::PluginKind;

/// The example in Rust, and what is behind its name in other languages. Components of the last two are built where their packages are;
/// those that are not there are left out.
const EXAMPLES: [&str; 4] = ["model-family", "known-vendor", "slow-calls", "badge-masker"];
/// A rule is no masker.
const MASKER: &str = "badge-masker";
const COMMITTED: [&str; 1] = ["-c"];
const BUILT_WHERE_POSSIBLE: [&str; 2] = ["-js", "-py"];

#[test]
fn every_language_says_the_same_of_the_golden_events() {
    let scratch = tempfile::tempdir().unwrap();
    let cache = CompileCache { path: Some(scratch.path().join("cache")), state: None };
    for example in EXAMPLES {
        let expected = answers(&load(&component(example), &cache));
        assert!(
            expected.iter().any(|answer| !matches!(answer, Json::Object(none) if none.is_empty()) && *answer != json!([])),
            "{example}"
        );
        let others = COMMITTED.iter().map(|suffix| (suffix, true)).chain(BUILT_WHERE_POSSIBLE.iter().map(|suffix| (suffix, false)));
        if example != MASKER {
            let rule = plugins().join("examples/rules").join(example).with_extension("toml");
            assert_eq!(answers(&load(&rule, &cache)), expected, "{example} as a rule");
        }
        for (suffix, must_be_there) in others {
            let path = component(&format!("{example}{suffix}"));
            if !must_be_there && !path.exists() {
                continue;
            }
            let found = answers(&load(&path, &cache));
            assert_eq!(found.len(), expected.len());
            for (place, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert_eq!(found, expected, "{example}{suffix}, answer {place}");
            }
        }
    }
}

fn load(component: &Path, cache: &CompileCache) -> Trial {
    Trial::load(component, &Setup::default(), cache).unwrap_or_else(|error| panic!("{error}"))
}

/// What it says of the golden events, in batches of several sizes; a metric, of their calls in three groups.
fn answers(trial: &Trial) -> Vec<Json> {
    if trial.kind() == PluginKind::Masker {
        return trial.masked(&leaves()).unwrap();
    }
    let rows = golden(trial.kind() == PluginKind::Metric);
    assert!(rows.len() > 300);
    if trial.kind() != PluginKind::Metric {
        let batches = rows[..40].chunks(1).chain(rows[40..].chunks(100)).collect::<Vec<_>>();
        return batches.iter().flat_map(|batch| trial.answer(&trial.rows(batch).unwrap()).unwrap()).collect();
    }
    let mut whole = trial.accumulator(&json!({"limit_ms": 750.5}).as_object().unwrap().clone()).unwrap();
    for batch in rows.chunks(50) {
        let mut part = trial.accumulator(&json!({"limit_ms": 750.5}).as_object().unwrap().clone()).unwrap();
        let groups: Vec<u32> = (0..batch.len() as u32).map(|row| row % 3).collect();
        part.update(&trial.rows(batch).unwrap(), &groups, 3).unwrap();
        whole.merge(&part.state().unwrap(), &[0, 1, 2], 3).unwrap();
    }
    whole.evaluate().unwrap()
}

/// The golden events as one text each, and every third with a badge in it.
fn leaves() -> Vec<Json> {
    let rows = golden(false).into_iter().enumerate();
    rows.map(|(place, row)| json!({"text": if place % 3 == 0 { format!("EMP-{place} {row} EMP-EMP-0") } else { row.to_string() }}))
        .collect()
}

fn golden(as_calls: bool) -> Vec<Json> {
    let folder = plugins().join("../tests/fixtures/golden");
    let text =
        ["monitor-events", "legacy-events"].map(|name| fs::read_to_string(folder.join(name).with_extension("ndjson")).unwrap()).concat();
    let row = |line: &str| {
        let event: Json = serde_json::from_str(line).unwrap();
        let attributes = event["attributes"].as_object().unwrap();
        if as_calls {
            return json!({"call.duration_ms": attributes.get("llm.response.duration_ms")});
        }
        let mut row: Map<String, Json> =
            attributes.iter().map(|(key, value)| (format!("attributes[{}]", json!(key)), value.clone())).collect();
        row.insert("event.name".to_owned(), event["name"].clone());
        Json::Object(row)
    };
    // And what they never send.
    let odd = [
        r#"{"name": "llm.x", "attributes": {"llm.vendor": "acme", "llm.model": "\u00e9-\ud83d\ude00", "llm.response.duration_ms": "text"}}"#,
        r#"{"name": "llm.x", "attributes": {"llm.vendor": 7, "llm.model": ["a-b"], "llm.response.duration_ms": -0.0}}"#,
        r#"{"name": "tool.x", "attributes": {"llm.vendor": "", "llm.model": "", "llm.response.duration_ms": 1e308}}"#,
    ];
    text.lines().chain(odd).map(row).collect()
}

fn component(example: &str) -> PathBuf {
    plugins().join("examples").join(example).join(example).with_extension("wasm")
}

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins")
}
