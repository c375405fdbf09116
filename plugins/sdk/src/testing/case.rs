//! Case files and comparing.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::settings::Settings;

/// One file of `cases/`.
pub(super) struct Case {
    path: PathBuf,
    pub settings: Settings,
    pub rows: Vec<Value>,
    expect: Vec<Value>,
}

impl Case {
    pub fn all(folder: &str) -> Vec<Case> {
        let folder = PathBuf::from(folder).join("cases");
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("cannot read `{}`: {error}", folder.display()));
        let mut paths: Vec<_> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|it| it == "json")).collect();
        paths.sort();
        assert!(!paths.is_empty(), "no case in `{}`", folder.display());
        paths.into_iter().map(Case::read).collect()
    }

    fn read(path: PathBuf) -> Case {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read `{}`: {error}", path.display()));
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()));
        let list = |name: &str| match value.get(name) {
            Some(Value::Array(list)) => list.clone(),
            _ => panic!("`{}`: `{name}` is not a list", path.display()),
        };
        let object = |name: &str| value.get(name).cloned().unwrap_or_else(|| Value::Object(Map::new())).to_string();
        Case { settings: Settings::new(object("config"), object("parameters")), rows: list("rows"), expect: list("expect"), path }
    }

    /// The group of each row and how many groups there are.
    pub fn groups(&self) -> (Vec<u32>, u32) {
        let ids: Vec<u32> = self.rows.iter().map(|row| row.get("group").and_then(Value::as_u64).unwrap_or(0) as u32).collect();
        let count = ids.iter().max().map_or(1, |last| last + 1);
        (ids, count)
    }

    /// Runs the rows whole, reversed and one by one.
    pub fn check_rows(&self, run: impl Fn(&[Value]) -> Vec<Value>) {
        self.check(&run(&self.rows), "whole");
        let reversed: Vec<_> = self.rows.iter().rev().cloned().collect();
        let mut found = run(&reversed);
        found.reverse();
        self.check(&found, "reversed");
        let single: Vec<_> = self.rows.iter().flat_map(|row| run(std::slice::from_ref(row))).collect();
        self.check(&single, "row by row");
    }

    pub fn check(&self, found: &[Value], way: &str) {
        assert_eq!(found.len(), self.expect.len(), "{} ({way}): so many answers, found {found:?}", self.path.display());
        for (index, (expected, found)) in self.expect.iter().zip(found).enumerate() {
            assert!(same(expected, found), "{} ({way}), answer {index}:\nexpected {expected}\n   found {found}", self.path.display());
        }
    }
}

/// Null is absent; a violation's message need not be expected; reals may differ by 1e-9 of themselves.
fn same(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            let is_violation = found.contains_key("severity") && found.contains_key("code");
            expected.iter().all(|(key, value)| same(value, found.get(key).unwrap_or(&Value::Null)))
                && found.iter().all(|(key, value)| value.is_null() || expected.contains_key(key) || (is_violation && key == "message"))
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(expected, found)| same(expected, found))
        }
        (Value::Number(expected), Value::Number(found)) if expected.is_f64() || found.is_f64() => {
            let (expected, found) = (expected.as_f64().unwrap_or(f64::NAN), found.as_f64().unwrap_or(f64::NAN));
            expected == found || (expected - found).abs() <= 1e-9 * expected.abs()
        }
        _ => expected == found,
    }
}
