//! The derived cases of a masker: its rows are the strings of events.

use serde_json::{Value as Json, json};

use super::values::{next, shuffled};
use super::{Failure, SEEDS, expect};
use crate::cases::Case;
use crate::trial::{Trial, TrialError};

const LEAVES: usize = 24;
const PARTS: [&str; 4] = ["value", "key", "id", "name"];

/// What a fresh host says of `leaves` in one call; one that has seen a leaf does not ask again.
type Ask<'a> = dyn Fn(&[Json]) -> Result<Vec<Json>, TrialError> + 'a;

/// Every derived case with its name and how it went. `load` gives a host that has seen nothing.
pub(super) fn run(load: &dyn Fn() -> Result<Trial, TrialError>, cases: &[Case]) -> Vec<super::Derived> {
    let ask = |leaves: &[Json]| load()?.masked(leaves);
    let mut texts: Vec<Json> = cases.iter().flat_map(|case| &case.rows).filter_map(|row| row.get("text").cloned()).collect();
    texts.extend([json!(""), json!("\u{e9}\u{1f600}\u{0}\n\""), json!("x".repeat(3000)), json!("{\"a\": \"b\"}")]);
    vec![
        ("empty batch", empty(&ask)),
        ("every part", parts(&ask, &texts)),
        ("row law", law(&ask, &texts)),
        ("determinism", determinism(&ask, &texts)),
    ]
}

fn empty(ask: &Ask<'_>) -> Result<(), Failure> {
    expect("answers to no leaves", &[], &json!([]), &json!(ask(&[])?))
}

/// Each text as each part is answered.
fn parts(ask: &Ask<'_>, texts: &[Json]) -> Result<(), Failure> {
    let leaves: Vec<_> = texts.iter().flat_map(|text| PARTS.map(|part| json!({"text": text, "part": part}))).collect();
    ask(&leaves).map(drop).map_err(Failure::from)
}

fn law(ask: &Ask<'_>, texts: &[Json]) -> Result<(), Failure> {
    for seed in 0..SEEDS / 2 {
        let leaves = made(texts, seed);
        let whole = ask(&leaves)?;
        let order = shuffled(leaves.len(), seed);
        for places in order.chunks(1 + 5 * seed as usize) {
            let part: Vec<_> = places.iter().filter_map(|place| leaves.get(*place).cloned()).collect();
            for (place, found) in places.iter().zip(ask(&part)?) {
                let leaf = leaves.get(*place..*place + 1).unwrap_or_default();
                let problem = format!("a leaf in a batch of {LEAVES} and in one of {} has different answers", places.len());
                expect(&problem, leaf, &found, whole.get(*place).unwrap_or(&Json::Null))?;
            }
        }
    }
    Ok(())
}

fn determinism(ask: &Ask<'_>, texts: &[Json]) -> Result<(), Failure> {
    let leaves = made(texts, SEEDS);
    expect("the same leaves are answered otherwise the second time", &leaves, &json!(ask(&leaves)?), &json!(ask(&leaves)?))
}

fn made(texts: &[Json], seed: u64) -> Vec<Json> {
    let mut state = seed;
    let mut pick = |count: usize| next(&mut state) as usize % count.max(1);
    let leaf = |_| {
        let (text, part) = (texts.get(pick(texts.len())), PARTS.get(pick(PARTS.len())));
        json!({"text": text, "part": part})
    };
    (0..LEAVES).map(leaf).collect()
}
