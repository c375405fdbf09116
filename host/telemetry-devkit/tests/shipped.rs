//! Every shipped plugin and every example: its component is what its sources make, meets its cases, and obeys the law of its kind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value as Json, json};
use telemetry_devkit::section::{BUILD, MANIFEST};
use telemetry_devkit::{BuildNote, Case, CompileCache, Language, Setup, Trial, run_cases, section, source_digest};
use telemetry_model::FieldType;
use telemetry_plugins::{Manifest, PluginKind};

#[test]
fn components_are_what_their_sources_make() {
    for folder in shipped().into_iter().chain([plugins().join("script")]) {
        let component = fs::read(component(&folder)).unwrap();
        let note = BuildNote::from_json(std::str::from_utf8(&section(&component, BUILD).unwrap()).unwrap()).unwrap();
        assert_eq!(note.source_sha256, source_digest(&folder).unwrap(), "{} is older than its sources: build it again", folder.display());
        assert_eq!(section(&component, MANIFEST).unwrap(), fs::read(folder.join("plugin.toml")).unwrap());
        let most = if folder.ends_with("script") { 150_000 } else { 100_000 };
        assert!(component.len() < most, "{} has {} bytes", folder.display(), component.len());
        assert!(!note.toolchain.is_empty());
        assert!(note.sdk.starts_with("cylestio-plugin-sdk ") || folder.join("src/plugin.c").exists());
        for private in ["/home/", concat!("/ro", "ot/"), env!("CARGO_MANIFEST_DIR")] {
            let found = component.windows(private.len()).any(|window| window == private.as_bytes());
            assert!(!found, "{} names the folder {private}", folder.display());
        }
    }
}

#[test]
fn the_tutorial_shows_the_examples_as_they_are() {
    let tutorial = fs::read_to_string(plugins().join("README.md")).unwrap();
    for (file, language, first) in
        [("model-family/src/lib.rs", "rust", "impl Enricher"), ("model-family-c/src/plugin.c", "c", "void enrich")]
    {
        let text = fs::read_to_string(plugins().join("examples").join(file)).unwrap();
        let body = &text[text.find(first).unwrap()..];
        let body = &body[..body.find("\n}\n").unwrap() + 3];
        assert!(tutorial.contains(&format!("```{language}\n{body}```\n")), "{file}");
    }
}

#[test]
fn components_meet_their_cases() {
    for folder in shipped() {
        let scratch = tempfile::tempdir().unwrap();
        let count = run_cases(&folder, &component(&folder), &cache(&scratch)).unwrap_or_else(|error| panic!("{error}"));
        assert!(count > 0, "{} has no cases", folder.display());
    }
}

#[test]
fn any_cut_and_order_gives_each_row_the_same_result() {
    for (folder, manifest) in of_kinds(&[PluginKind::Validator, PluginKind::Enricher]) {
        let (trial, _scratch) = trial(&folder);
        let rows = (rows(&folder, &manifest), any::<u64>(), 1_usize..8);
        check(&rows, |(rows, seed, size)| {
            let rows = trial.rows(&rows).unwrap();
            let whole = trial.answer(&rows).unwrap();
            let order = shuffled(whole.len(), seed);
            for places in order.chunks(size) {
                let part = trial.answer(&rows.pick(places)).unwrap();
                let expected: Vec<_> = places.iter().map(|place| whole[*place].clone()).collect();
                assert_eq!(part, expected, "{}", folder.display());
            }
        });
    }
}

/// A trial is loaded for each part: the host does not hand a leaf to a masker twice.
#[test]
fn any_cut_and_order_of_leaves_is_masked_the_same() {
    let set = fs::read_to_string(plugins().join("../tests/fixtures/secrets/labelled.jsonl")).unwrap();
    let texts: Vec<String> = set.lines().step_by(9).map(pieces).collect();
    let mut leaves: Vec<_> =
        texts.windows(2).map(|two| json!({"text": two.concat(), "part": if two[0].len() % 2 == 0 { "key" } else { "value" }})).collect();
    // What the example masks is no secret.
    leaves.push(json!({"text": "Ask EMP-20417.", "part": "value"}));
    for (folder, _) in of_kinds(&[PluginKind::Masker]) {
        let scratch = tempfile::tempdir().unwrap();
        let masked =
            |leaves: &[Json]| Trial::load(&component(&folder), &Setup::default(), &cache(&scratch)).unwrap().masked(leaves).unwrap();
        let whole = masked(&leaves);
        assert!(whole.iter().zip(&leaves).any(|(masked, leaf)| masked != &leaf["text"]), "{}", folder.display());
        for (seed, size) in [(1, 1 << 20), (2, 50), (3, 7)] {
            for places in shuffled(leaves.len(), seed).chunks(size).take(12) {
                let part: Vec<_> = places.iter().map(|place| leaves[*place].clone()).collect();
                let expected: Vec<_> = places.iter().map(|place| whole[*place].clone()).collect();
                assert_eq!(masked(&part), expected, "{}", folder.display());
            }
        }
        // What is masked already stays as it is.
        let again: Vec<_> = whole.iter().map(|text| json!({"text": text})).collect();
        assert_eq!(masked(&again), whole, "{}", folder.display());
    }
}

fn pieces(line: &str) -> String {
    let line: Json = serde_json::from_str(line).unwrap();
    line["text"].as_array().unwrap().iter().map(|piece| piece.as_str().unwrap()).collect()
}

#[test]
fn any_cut_and_merge_evaluates_to_the_same() {
    for (folder, manifest) in of_kinds(&[PluginKind::Metric]) {
        let (trial, _scratch) = trial(&folder);
        let rows = (rows(&folder, &manifest), any::<u64>(), 1_usize..8, 1_u32..4);
        check(&rows, |(rows, seed, size, group_count)| {
            let groups: Vec<u32> = (0..rows.len()).map(|row| (seed.rotate_left(row as u32) % u64::from(group_count)) as u32).collect();
            let rows = trial.rows(&rows).unwrap();
            let mut whole = trial.accumulator(&Map::new()).unwrap();
            whole.update(&rows, &groups, group_count).unwrap();
            let mut merged = trial.accumulator(&Map::new()).unwrap();
            for (part, places) in shuffled(groups.len(), seed).chunks(size).enumerate() {
                let ids: Vec<u32> = places.iter().map(|place| groups[*place]).collect();
                if part % 3 == 0 {
                    merged.update(&rows.pick(places), &ids, group_count).unwrap();
                    continue;
                }
                let mut other = trial.accumulator(&Map::new()).unwrap();
                other.update(&rows.pick(places), &ids, group_count).unwrap();
                let all: Vec<u32> = (0..group_count).collect();
                merged.merge(&other.state().unwrap(), &all, group_count).unwrap();
                assert_eq!(other.state().unwrap(), other.state().unwrap(), "reading a state changes nothing");
            }
            assert_eq!(merged.evaluate().unwrap(), whole.evaluate().unwrap(), "{}", folder.display());
        });
    }
}

#[test]
fn nothing_in_gives_nothing_out() {
    for (folder, manifest) in of_kinds(&[PluginKind::Validator, PluginKind::Enricher, PluginKind::Metric]) {
        let (trial, _scratch) = trial(&folder);
        let rows = trial.rows(&[]).unwrap();
        if manifest.kind != PluginKind::Metric {
            assert!(trial.answer(&rows).unwrap().is_empty());
            continue;
        }
        let none = trial.accumulator(&Map::new()).unwrap();
        assert!(none.evaluate().unwrap().is_empty());
        let mut one = trial.accumulator(&Map::new()).unwrap();
        one.update(&rows, &[], 1).unwrap();
        let answer = one.evaluate().unwrap();
        // What calls report is unknown without one; the tokens of the unpriced among no calls are none.
        let reported = |key: &str| key.ends_with("tokens") && key != "unpriced_tokens";
        let silent = answer[0].as_object().unwrap().iter().all(|(key, value)| value == &json!(0) && !reported(key));
        assert!(silent, "{} says {answer:?} of no rows", folder.display());
    }
}

#[test]
fn no_validator_rejects_what_monitors_really_send() {
    let events: Vec<_> = ["monitor-events", "legacy-events"].into_iter().flat_map(golden).collect();
    assert_eq!(events.len(), 380);
    for (folder, _) in of_kinds(&[PluginKind::Validator]) {
        let (trial, _scratch) = trial(&folder);
        let answers = trial.answer(&trial.rows(&events).unwrap()).unwrap();
        let said: Vec<_> = answers.iter().flat_map(|row| row.as_array().unwrap()).map(|one| (&one["code"], &one["severity"])).collect();
        assert!(said.iter().all(|(_, severity)| **severity == "flag"), "{said:?}");
        let known = ["schema-version-absent", "trace-id-null", "agent-id-absent", "level-absent"];
        assert!(said.iter().all(|(code, _)| known.contains(&code.as_str().unwrap())), "{}: {said:?}", folder.display());
    }
}

fn golden(name: &str) -> Vec<Json> {
    let path = plugins().join("../tests/fixtures/golden").join(name).with_extension("ndjson");
    let row = |line: &str| {
        let event: Json = serde_json::from_str(line).unwrap();
        let members = ["timestamp", "name", "level", "schema_version", "trace_id", "span_id", "parent_span_id", "agent_id"];
        let mut row: Map<String, Json> = members.map(|member| (format!("event.{member}"), event[member].clone())).into_iter().collect();
        for (key, value) in event["attributes"].as_object().unwrap() {
            row.insert(format!("attributes[{}]", json!(key)), value.clone());
        }
        Json::Object(row)
    };
    fs::read_to_string(path).unwrap().lines().map(row).collect()
}

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins")
}

fn shipped() -> Vec<PathBuf> {
    let children = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let folders = children(plugins()).chain(children(plugins().join("examples")));
    // Those with an interpreter inside are not committed built: the comparison of the languages has them.
    let interpreted = |folder: &PathBuf| Language::ALL.iter().any(|language| folder.join(language.source()).exists());
    let mut folders: Vec<_> =
        folders.filter(|folder| folder.join("plugin.toml").exists() && !interpreted(folder) && !folder.ends_with("script")).collect();
    folders.sort();
    assert!(folders.len() >= 11);
    folders
}

fn of_kinds(kinds: &[PluginKind]) -> Vec<(PathBuf, Manifest)> {
    let manifests = shipped().into_iter().map(|folder| {
        let manifest = Manifest::parse(&fs::read(folder.join("plugin.toml")).unwrap()).unwrap();
        (folder, manifest)
    });
    manifests.filter(|(_, manifest)| kinds.contains(&manifest.kind)).collect()
}

fn component(folder: &Path) -> PathBuf {
    folder.join(folder.file_name().unwrap()).with_extension("wasm")
}

fn trial(folder: &Path) -> (Trial, tempfile::TempDir) {
    let scratch = tempfile::tempdir().unwrap();
    (Trial::load(&component(folder), &Setup::default(), &cache(&scratch)).unwrap(), scratch)
}

fn cache(scratch: &tempfile::TempDir) -> CompileCache {
    CompileCache { path: Some(scratch.path().join("cache")), state: None }
}

/// Rows made of the values that the plugin's cases have for each field, of values at the edges of its type, and of other types' values.
fn rows(folder: &Path, manifest: &Manifest) -> impl Strategy<Value = Vec<Json>> + use<> {
    let cases = Case::all(&folder.join("cases")).unwrap();
    let mut pools: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for read in &manifest.reads {
        let pool = pools.entry(read.field.to_string()).or_default();
        pool.extend(cases.iter().flat_map(|case| &case.rows).filter_map(|row| row.get(read.field.to_string()).cloned()));
        pool.extend(edges(read.ty));
    }
    if manifest.source == telemetry_model::Relation::Events {
        pools.entry("event.name".to_owned()).or_default().extend([json!("llm.call.start"), json!("tool.error"), json!("other")]);
    }
    let cell = any::<u32>();
    vec(vec(cell, pools.len()), 1..40).prop_map(move |rows| {
        let row = |cells: &Vec<u32>| {
            let pairs = pools.iter().zip(cells).map(|((field, pool), cell)| (field.clone(), pool[*cell as usize % pool.len()].clone()));
            Json::Object(pairs.collect())
        };
        rows.iter().map(row).collect()
    })
}

fn edges(ty: FieldType) -> Vec<Json> {
    let mut edges = vec![json!(null), json!(null), json!("text"), json!(7), json!(true), json!([1, {"a": "b"}])];
    edges.extend(match ty {
        FieldType::Boolean => vec![json!(false)],
        FieldType::Integer => vec![json!(0), json!(-1), json!(i64::MAX), json!(i64::MIN), json!(1.5)],
        FieldType::Real => vec![json!(0), json!(-0.0), json!(1e308), json!(5e-324), json!(-1.5), json!(0.1), json!(1e9)],
        FieldType::Time => vec![json!("1678-01-01T00:00:00Z"), json!("2261-12-31T23:59:59.999999999Z"), json!("2026-11-23T08:00:00Z")],
        FieldType::Text | FieldType::Bytes => vec![json!(""), json!("\u{e9}\u{1f600}\u{0}\n\""), json!("x".repeat(3000))],
        FieldType::Json => vec![json!({"a": {"b": "\u{e9}\u{1f600}\u{0}\n\""}}), json!([]), json!("x".repeat(3000))],
    });
    edges
}

fn shuffled(len: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by_key(|place| (seed ^ *place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23));
    order
}

fn check<S: Strategy>(strategy: &S, property: impl Fn(S::Value)) {
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(strategy, |input| {
        property(input);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}
