//! Running a plugin's logic natively: single rows in an author's own tests, and the plugin's `cases/*.json`.
//!
//! A row is a JSON object of fields by the names of `plugin.toml`: `{"event.name": "llm.call.start"}`. A field that is missing or null
//! is absent, a time is RFC 3339 text. A case file is `{"rows": [..], "expect": [..]}`, with `config` and `parameters` when needed;
//! `expect` has for each row what an enricher sets or the list of a validator's violations, and for each group a metric's columns. A
//! metric's row names its group by `"group"`, a number from 0, which may be left out.

mod case;
mod columns;

pub use serde_json::{Value, json};

use crate::bindings::types::{Batch, PluginError};
use crate::bindings::validator::exports::agent_telemetry::validator::validator::Severity;
use crate::enricher::{self, Enricher};
use crate::manifest::Plugin;
use crate::masker::{self, Masker};
use crate::metric::{Groups, Metric};
use crate::settings::Settings;
use crate::validator::{self, Validator};
use case::Case;
use columns::{Coding, group_batch, leaf_batch, row_batch, spans, written};

/// What an enricher sets for one row, by key.
///
/// # Panics
/// As the plugin does.
pub fn enrich<T: Enricher + Plugin>(row: Value) -> Value {
    let plugin = done(enricher::configured::<T>(&Settings::default()));
    enriched(&plugin, &[row], Coding::Plain).remove(0)
}

/// What a validator says of one row: a list of `{"field", "code", "severity", "message"}`.
///
/// # Panics
/// As the plugin does.
pub fn validate<T: Validator + Plugin>(row: Value) -> Value {
    let plugin = done(validator::configured::<T>(&Settings::default()));
    validated(&plugin, &[row], Coding::Plain).remove(0)
}

/// The report's columns of a metric over rows of one group.
///
/// # Panics
/// As the plugin does.
pub fn evaluate<T: Metric + Plugin>(rows: &[Value]) -> Value {
    let mut groups = done(Groups::<T>::open(Settings::default()));
    done(groups.update(&row_batch(T::MANIFEST, rows, Some(&vec![0; rows.len()]), Coding::Plain), 1));
    written(T::MANIFEST, &groups.evaluate()).remove(0)
}

/// Runs `cases/*.json` of `folder`: the whole batch, reversed, and row by row.
///
/// # Panics
/// When a case is not met.
pub fn enricher_cases<T: Enricher + Plugin>(folder: &str) {
    for case in Case::all(folder) {
        let plugin = done(enricher::configured::<T>(&case.settings));
        for coding in Coding::ALL {
            case.check_rows(|rows| enriched(&plugin, rows, coding));
        }
    }
}

/// Runs `cases/*.json` of `folder`: the whole batch, reversed, and row by row.
///
/// # Panics
/// When a case is not met.
pub fn validator_cases<T: Validator + Plugin>(folder: &str) {
    for case in Case::all(folder) {
        let plugin = done(validator::configured::<T>(&case.settings));
        for coding in Coding::ALL {
            case.check_rows(|rows| validated(&plugin, rows, coding));
        }
    }
}

/// A text as a masker leaves it.
///
/// # Panics
/// As the plugin does, and when its spans are no parts of the text.
pub fn mask<T: Masker>(text: &str) -> String {
    let plugin = done(masker::configured::<T>(&Settings::default()));
    let row = json!({"text": text});
    masked(&plugin, &[row], Coding::Plain).remove(0).as_str().unwrap_or_default().to_owned()
}

/// Runs `cases/*.json` of `folder`: the whole batch, reversed, and row by row. A row is `{"text": .., "field"?: .., "part"?: ..,
/// "pointer"?: ..}`, what is expected of it the text as masked.
///
/// # Panics
/// When a case is not met.
pub fn masker_cases<T: Masker>(folder: &str) {
    for case in Case::all(folder) {
        let plugin = done(masker::configured::<T>(&case.settings));
        for coding in Coding::ALL {
            case.check_rows(|rows| masked(&plugin, rows, coding));
        }
    }
}

/// Runs `cases/*.json` of `folder`: the whole batch, and cut into accumulators of one row whose states are merged.
///
/// # Panics
/// When a case is not met.
pub fn metric_cases<T: Metric + Plugin>(folder: &str) {
    for case in Case::all(folder) {
        let (ids, count) = case.groups();
        for coding in Coding::ALL {
            let mut whole = done(Groups::<T>::open(case.settings.clone()));
            done(whole.update(&row_batch(T::MANIFEST, &case.rows, Some(&ids), coding), count));
            case.check(&written(T::MANIFEST, &whole.evaluate()), "whole");
            let mut merged = done(Groups::<T>::open(case.settings.clone()));
            done(merged.merge(&group_batch(&whole.state(), &[]), count));
            for (row, id) in case.rows.iter().zip(&ids) {
                let mut part = done(Groups::<T>::open(case.settings.clone()));
                done(part.update(&row_batch(T::MANIFEST, std::slice::from_ref(row), Some(&[0]), coding), 1));
                done(merged.merge(&group_batch(&part.state(), &[*id]), count));
            }
            case.check(&written(T::MANIFEST, &merged.evaluate()), "cut and merged");
        }
    }
}

fn enriched<T: Enricher + Plugin>(plugin: &T, rows: &[Value], coding: Coding) -> Vec<Value> {
    let batch: Batch = done(enricher::run(plugin, &row_batch(T::MANIFEST, rows, None, coding)));
    written(T::MANIFEST, &batch)
}

fn validated<T: Validator + Plugin>(plugin: &T, rows: &[Value], coding: Coding) -> Vec<Value> {
    let mut out = vec![Vec::new(); rows.len()];
    for violation in done(validator::run(plugin, &row_batch(T::MANIFEST, rows, None, coding))) {
        let severity = if matches!(violation.severity, Severity::Reject) { "reject" } else { "flag" };
        out[violation.row as usize]
            .push(json!({"field": violation.field, "code": violation.code, "severity": severity, "message": violation.message}));
    }
    out.into_iter().map(Value::from).collect()
}

fn masked<T: Masker>(plugin: &T, rows: &[Value], coding: Coding) -> Vec<Value> {
    let answer = done(masker::run(plugin, &leaf_batch(rows, coding)));
    let texts = rows.iter().map(|row| row["text"].as_str().unwrap_or_else(|| panic!("a row has no `text`: {row}")).to_owned());
    let mut texts: Vec<String> = texts.collect();
    let mut spans = spans(&answer);
    spans.sort_by_key(|(leaf, start, ..)| (*leaf, *start));
    // From behind, so that places stay what they are.
    for (leaf, start, end, replacement) in spans.into_iter().rev() {
        texts[leaf].replace_range(start..end, &replacement);
    }
    texts.into_iter().map(Value::from).collect()
}

fn done<T>(result: Result<T, PluginError>) -> T {
    result.unwrap_or_else(|error| panic!("the plugin declined: {error:?}"))
}
