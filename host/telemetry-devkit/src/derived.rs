//! Cases that follow from what a plugin is, without its author writing any: nothing in, absent and mismatched values, every family, the
//! law of its kind, and the same answer twice.

mod laws;
mod leaves;
mod values;

use serde_json::{Map, Value as Json, json};
use telemetry_model::Relation;
use telemetry_plugins::PluginKind;

use crate::cases::{Case, same};
use crate::trial::{Trial, TrialError};
use values::{NAMES, Values};

/// Rows of one made-up batch, and how many batches are made up.
const ROWS: usize = 40;
const SEEDS: u64 = 6;

/// Why a case is not met.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// In one sentence.
    pub problem: String,
    /// The rows that show it, when they say more than the problem.
    pub rows: Vec<Json>,
    /// What should be and what is.
    pub answers: Option<(Json, Json)>,
}

impl From<TrialError> for Failure {
    fn from(error: TrialError) -> Self {
        Failure { problem: error.to_string(), rows: Vec::new(), answers: None }
    }
}

/// A component on trial and what its cases tell of it.
pub(crate) struct Subject<'a> {
    pub trial: &'a Trial,
    values: Values,
    parameters: Map<String, Json>,
}

/// A case's name and how it went.
pub(crate) type Derived = (&'static str, Result<(), Failure>);

type Check = fn(&Subject<'_>) -> Result<(), Failure>;

/// Every derived case of the component that `load` gives, each time afresh, with its name and how it went. `parameters`: of a metric.
pub(crate) fn run(
    load: &dyn Fn() -> Result<Trial, TrialError>,
    cases: &[Case],
    parameters: &Map<String, Json>,
) -> Result<Vec<Derived>, TrialError> {
    let trial = &load()?;
    if trial.kind() == PluginKind::Masker {
        return Ok(leaves::run(load, cases));
    }
    let subject = Subject { trial, values: Values::of(trial.manifest(), cases), parameters: parameters.clone() };
    let mut checks: Vec<(&'static str, Check)> = vec![
        ("empty batch", |subject| subject.empty()),
        ("all absent", |subject| subject.absent()),
        ("all mismatched", |subject| subject.mismatched()),
    ];
    if trial.manifest().source == Relation::Events {
        checks.push(("every family", |subject| subject.families()));
    }
    match trial.kind() {
        PluginKind::Metric => checks.push(("metric law", laws::metric)),
        _ => checks.push(("row law", laws::rows)),
    }
    checks.push(("determinism", |subject| subject.determinism()));
    Ok(checks.into_iter().map(|(name, check)| (name, check(&subject))).collect())
}

impl Subject<'_> {
    /// What it says of `rows` in one call; a metric, of one group.
    fn answer(&self, rows: &[Json]) -> Result<Vec<Json>, Failure> {
        let parsed = self.trial.rows(rows)?;
        let answered = if self.trial.kind() == PluginKind::Metric {
            self.trial.accumulator(&self.parameters).and_then(|mut accumulator| {
                accumulator.update(&parsed, &vec![0; rows.len()], 1)?;
                accumulator.evaluate()
            })
        } else {
            self.trial.answer(&parsed)
        };
        answered.map_err(|error| Failure { rows: rows.to_vec(), ..Failure::from(error) })
    }

    fn empty(&self) -> Result<(), Failure> {
        if self.trial.kind() == PluginKind::Metric {
            let none = self.trial.accumulator(&self.parameters)?.evaluate()?;
            expect("rows of a report without groups", &[], &json!([]), &json!(none))?;
            return self.answer(&[]).map(drop);
        }
        expect("answers to no rows", &[], &json!([]), &json!(self.answer(&[])?))
    }

    fn absent(&self) -> Result<(), Failure> {
        self.alike(json!({}))
    }

    fn mismatched(&self) -> Result<(), Failure> {
        self.alike(values::mismatched(self.trial.manifest()))
    }

    /// Three rows alike are answered, and alike.
    fn alike(&self, row: Json) -> Result<(), Failure> {
        let rows = vec![row; 3];
        let answers = self.answer(&rows)?;
        if self.trial.kind() == PluginKind::Metric {
            return Ok(());
        }
        let first = answers.first().cloned().unwrap_or(Json::Null);
        answers.iter().try_for_each(|answer| expect("three rows alike have different answers", &rows, &first, answer))
    }

    /// A batch of all families, and each alone.
    fn families(&self) -> Result<(), Failure> {
        let named = |mut row: Json, name: &str| {
            if let Some(row) = row.as_object_mut() {
                row.insert("event.name".to_owned(), name.into());
            }
            row
        };
        let rows = self.values.rows(NAMES.len(), 7);
        let rows: Vec<_> = rows.into_iter().zip(NAMES).map(|(row, name)| named(row, name)).collect();
        let together = self.answer(&rows)?;
        for (place, row) in rows.iter().enumerate() {
            let alone = self.answer(std::slice::from_ref(row))?;
            if self.trial.kind() != PluginKind::Metric {
                let (alone, together) = (alone.first().unwrap_or(&Json::Null), together.get(place).unwrap_or(&Json::Null));
                expect("a row of one family is answered otherwise beside other families", std::slice::from_ref(row), alone, together)?;
            }
        }
        Ok(())
    }

    fn determinism(&self) -> Result<(), Failure> {
        for seed in 0..SEEDS {
            let rows = self.values.rows(ROWS, seed);
            let (first, second) = (self.answer(&rows)?, self.answer(&rows)?);
            for (place, (first, second)) in first.iter().zip(&second).enumerate() {
                if first != second {
                    let row = if self.trial.kind() == PluginKind::Metric { &rows[..] } else { rows.get(place..place + 1).unwrap_or(&rows) };
                    return Err(differs("the same rows are answered otherwise the second time", row, first, second));
                }
            }
        }
        Ok(())
    }
}

fn expect(problem: &str, rows: &[Json], expected: &Json, found: &Json) -> Result<(), Failure> {
    if same(expected, found) && same(found, expected) { Ok(()) } else { Err(differs(problem, rows, expected, found)) }
}

fn differs(problem: &str, rows: &[Json], expected: &Json, found: &Json) -> Failure {
    Failure { problem: problem.to_owned(), rows: rows.to_vec(), answers: Some((expected.clone(), found.clone())) }
}
