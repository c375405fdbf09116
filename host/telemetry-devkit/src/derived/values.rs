//! Rows made up for a plugin: from its cases' own values, the edges of each type, and values of other types. The same ones each time.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use telemetry_model::{FieldType, Relation};
use telemetry_plugins::Manifest;

use crate::cases::Case;

/// Names of events of every family, and one of none.
pub(super) const NAMES: [&str; 5] = ["llm.call.start", "tool.execution", "security.alert", "session.start", "other"];

/// Values by field.
pub(super) struct Values(BTreeMap<String, Vec<Json>>);

impl Values {
    /// What `cases` have for the fields that `manifest` reads, and the edges of their types.
    pub(super) fn of(manifest: &Manifest, cases: &[Case]) -> Self {
        let mut pools: BTreeMap<String, Vec<Json>> = BTreeMap::new();
        for read in &manifest.reads {
            let name = read.field.to_string();
            let known = cases.iter().flat_map(|case| &case.rows).filter_map(|row| row.get(&name).cloned());
            let pool = pools.entry(name.clone()).or_default();
            pool.extend(known);
            pool.extend(edges(read.ty));
        }
        if manifest.source == Relation::Events {
            pools.entry("event.name".to_owned()).or_default().extend(NAMES.map(Json::from));
        }
        Values(pools)
    }

    /// `count` rows; another `seed` gives others.
    pub(super) fn rows(&self, count: usize, seed: u64) -> Vec<Json> {
        let mut state = seed;
        let mut row = || {
            let cell = |(name, pool): (&String, &Vec<Json>)| {
                let value = pool.get(next(&mut state) as usize % pool.len().max(1)).cloned();
                (name.clone(), value.unwrap_or(Json::Null))
            };
            Json::Object(self.0.iter().map(cell).collect())
        };
        (0..count).map(|_| row()).collect()
    }
}

/// For each field a value that is not of its type; a `json` field takes any.
pub(super) fn mismatched(manifest: &Manifest) -> Json {
    let other = |ty| match ty {
        FieldType::Text | FieldType::Bytes => json!(7),
        FieldType::Time => json!(true),
        FieldType::Boolean | FieldType::Integer | FieldType::Real => json!("text"),
        FieldType::Json => json!(["a list"]),
    };
    let cells = manifest.reads.iter().map(|read| (read.field.to_string(), other(read.ty)));
    Json::Object(cells.collect::<Map<_, _>>())
}

/// The numbers below `count` in another order.
pub(super) fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut state = seed;
    let mut order: Vec<_> = (0..count).map(|place| (next(&mut state), place)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, place)| place).collect()
}

/// SplitMix64: the same numbers on every machine.
pub(super) fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
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
