//! The secret-masker over the labelled set: what it finds of what is there, and how much of what it finds is none.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use telemetry_devkit::Trial;
use telemetry_devkit::trial::{CompileCache, Setup};

use crate::harness::fixture;

struct Labelled {
    group: String,
    text: String,
    /// Kind and value of each secret.
    secrets: Vec<(String, String)>,
}

fn joined(pieces: &Value) -> String {
    pieces.as_array().expect("pieces").iter().map(|piece| piece.as_str().expect("text")).collect()
}

fn labelled() -> Vec<Labelled> {
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let mut text = joined(&line["text"]);
        if line["raw"] == true {
            text = serde_json::from_str(&format!("\"{text}\"")).expect("the inside of a string");
        }
        let secret = |secret: &Value| (secret[0].as_str().expect("a kind").to_owned(), joined(&secret[1]));
        let secrets = line["secrets"].as_array().expect("a list").iter().map(secret).collect();
        Labelled { group: line["from"].as_str().expect("a group").to_owned(), text, secrets }
    };
    fs::read_to_string(fixture("secrets/labelled.jsonl")).expect("the set").lines().map(line).collect()
}

fn masked(set: &[Labelled]) -> Vec<String> {
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/secret-masker/secret-masker.wasm");
    let trial = Trial::load(&component, &Setup::default(), &CompileCache::default()).expect("it loads");
    let rows: Vec<Value> = set.iter().map(|one| json!({ "text": one.text })).collect();
    trial.masked(&rows).expect("it runs").into_iter().map(|text| text.as_str().expect("text").to_owned()).collect()
}

/// Whether more of `secret` is left than the four characters that a mark tells.
fn is_left(secret: &str, masked: &str) -> bool {
    let bytes = secret.as_bytes();
    bytes.len() < 12 && masked.contains(secret) || bytes.windows(12).any(|part| masked.as_bytes().windows(12).any(|window| window == part))
}

#[test]
fn the_labelled_set_is_found_and_little_else() {
    let set = labelled();
    let (mut found, mut missed, mut wrong) = (0, Vec::new(), Vec::new());
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for (one, text) in set.iter().zip(masked(&set)) {
        let marks = text.matches("[secret:").count() - one.text.matches("[secret:").count();
        let left: Vec<_> = one.secrets.iter().filter(|(_, secret)| is_left(secret, &text)).collect();
        let hidden = one.secrets.len() - left.len();
        found += hidden;
        missed.extend(left.iter().map(|(kind, _)| format!("{}: {kind}: {}", one.group, one.text)));
        if marks > hidden {
            wrong.extend((hidden..marks).map(|_| format!("{}: {} -> {text}", one.group, one.text)));
        }
        one.secrets.iter().for_each(|(kind, _)| *kinds.entry(kind).or_default() += 1);
    }
    let secrets: usize = kinds.values().sum();
    let negatives = set.iter().filter(|one| one.secrets.is_empty()).count();
    let recall = found as f64 / secrets as f64;
    let precision = found as f64 / (found + wrong.len()) as f64;
    println!("{secrets} secrets of {} kinds, {negatives} texts without: recall {recall:.4}, precision {precision:.4}", kinds.len());
    println!("missed:\n{}\nwrong:\n{}", missed.join("\n"), wrong.join("\n"));
    assert!(secrets >= 400 && negatives >= 2_000);
    assert!(recall >= 0.98 && precision >= 0.98);
}
