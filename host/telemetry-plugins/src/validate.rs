//! Validators: what is wrong with each row.

use std::sync::Arc;

use telemetry_model::journal::Handed;
use telemetry_model::outcome::{PluginRun, PluginVersion, RunOutcome};
use telemetry_model::{Batch, Rows};

use crate::call::{CallError, Live, Used};
use crate::journal::Witness;
use crate::manifest::raw::is_kebab;
use crate::plugin::{Exports, Plugin};
use crate::poison::{Families, RowTask, run};
use crate::runs::Outcomes;
use crate::settings::{FailureAction, Limits};
use crate::wire::{WireBatch, WireError, WireSeverity, WireViolation, clip, headers};

/// Violations of one row by one plugin, at most.
const MAX_PER_ROW: usize = 64;

/// Whether an event may be stored in spite of a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It goes to quarantine.
    Reject,
    /// It is stored and carries the reason as a flag.
    Flag,
}

/// What a validator says of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Who says so.
    pub plugin: Arc<PluginVersion>,
    /// The field, as the manifest names it.
    pub field: Box<str>,
    /// Stable, kebab-case; `unvalidated` when the validator failed on the row and the setting is quarantine.
    pub code: Box<str>,
    /// For people, at most 1 KiB.
    pub message: Box<str>,
    /// What to do.
    pub severity: Severity,
}

/// What all validators say of a batch. Each list has an entry for each row.
#[derive(Clone, Debug, Default)]
pub struct Validation {
    /// What is wrong with the row, by plugin id.
    pub violations: Vec<Vec<Violation>>,
    /// Validators that failed on the row, or were left out: to be flagged `unvalidated:<plugin>`. With the setting quarantine such a
    /// row has a violation instead.
    pub unvalidated: Vec<Vec<Arc<PluginVersion>>>,
    /// Which validators ran on the row.
    pub runs: Vec<Arc<[PluginRun]>>,
    /// What each validator was handed, if that is noted.
    pub handed: Vec<Handed>,
}

/// Runs `plugins` over `rows`.
pub(crate) fn validate(plugins: &[Arc<Plugin>], limits: &Limits, action: FailureAction, rows: &dyn Rows) -> Validation {
    let mut validation = Validation {
        violations: (0..rows.len()).map(|_| Vec::new()).collect(),
        unvalidated: (0..rows.len()).map(|_| Vec::new()).collect(),
        runs: Vec::new(),
        handed: Vec::new(),
    };
    let mut witness = Witness::new(rows.len());
    let mut outcomes = Outcomes::new(rows.len());
    let families = Families::of(rows);
    for plugin in plugins {
        witness.begin(plugin.recorder());
        let mut task = Task { plugin, action, validation: &mut validation, outcomes: outcomes.column(), witness: &mut witness };
        run(plugin, limits, rows, &families, &mut task);
        let column = task.outcomes;
        let found = &validation.violations;
        witness.end(&column, |row| said_of(plugin, found.get(row).map_or(&[], Vec::as_slice)));
        outcomes.push(&plugin.version, column);
    }
    validation.runs = outcomes.finish();
    validation.handed = witness.finish();
    validation
}

/// What `plugin` says of a row, in parts.
fn said_of<'a>(plugin: &'a Plugin, found: &'a [Violation]) -> impl Iterator<Item = &'a str> {
    let own = found.iter().filter(|violation| Arc::ptr_eq(&violation.plugin, &plugin.version));
    own.flat_map(|said| [&*said.field, &*said.code, &*said.message, if said.severity == Severity::Reject { "reject" } else { "flag" }])
}

struct Task<'a> {
    plugin: &'a Plugin,
    action: FailureAction,
    validation: &'a mut Validation,
    outcomes: Vec<Option<RunOutcome>>,
    witness: &'a mut Witness,
}

impl RowTask for Task<'_> {
    fn witness(&mut self) -> &mut Witness {
        self.witness
    }

    fn attempt(&mut self, chosen: &[u32], batch: &Batch, budget: u64) -> (Result<(), CallError>, Used) {
        let (answer, used) = self.plugin.callee.fresh(budget, |live| self.plugin.validate(live, batch));
        (answer.and_then(|found| self.keep(chosen, found)), used)
    }

    fn failed(&mut self, row: u32, outcome: RunOutcome, error: Option<&CallError>) {
        let version = &self.plugin.version;
        match self.action {
            FailureAction::Flag => {
                if let Some(list) = self.validation.unvalidated.get_mut(row as usize) {
                    list.push(Arc::clone(version));
                }
            }
            FailureAction::Quarantine => {
                let why = error.map_or_else(|| "was left out".to_owned(), ToString::to_string);
                let violation = Violation {
                    plugin: Arc::clone(version),
                    field: "event".into(),
                    code: "unvalidated".into(),
                    message: format!("`{}` {why}", version.plugin_id).into(),
                    severity: Severity::Reject,
                };
                if let Some(list) = self.validation.violations.get_mut(row as usize) {
                    list.push(violation);
                }
            }
        }
        set(&mut self.outcomes, row, outcome);
    }

    fn done(&mut self, chosen: &[u32]) {
        chosen.iter().for_each(|row| set(&mut self.outcomes, *row, RunOutcome::Ok));
    }
}

/// Notes the outcome of `row`.
pub(crate) fn set(outcomes: &mut [Option<RunOutcome>], row: u32, outcome: RunOutcome) {
    if let Some(slot) = outcomes.get_mut(row as usize) {
        *slot = Some(outcome);
    }
}

impl Task<'_> {
    fn keep(&mut self, chosen: &[u32], found: Vec<WireViolation>) -> Result<(), CallError> {
        if found.len() > chosen.len() * MAX_PER_ROW {
            return Err(CallError::Contract(format!("{} violations of {} rows", found.len(), chosen.len())));
        }
        found.iter().try_for_each(|violation| check(violation, chosen.len()))?;
        for violation in found {
            self.plugin.counters.answer(violation.message.len() + violation.field.len() + violation.code.len());
            let row = chosen.get(violation.row as usize).and_then(|row| self.validation.violations.get_mut(*row as usize));
            if let Some(list) = row {
                list.push(Violation {
                    plugin: Arc::clone(&self.plugin.version),
                    field: violation.field.into(),
                    code: violation.code.into(),
                    message: clip(&violation.message, 1024).into(),
                    severity: match violation.severity {
                        WireSeverity::Reject => Severity::Reject,
                        WireSeverity::Flag => Severity::Flag,
                    },
                });
            }
        }
        Ok(())
    }
}

fn check(violation: &WireViolation, rows: usize) -> Result<(), CallError> {
    let contract = |text: String| Err(CallError::Contract(text));
    if violation.row as usize >= rows {
        return contract(format!("a violation of row {} of {rows}", violation.row));
    }
    if violation.field.is_empty() || violation.field.len() > 256 {
        return contract(format!("a violation whose field has {} bytes", violation.field.len()));
    }
    if !is_kebab(&violation.code) || violation.code.len() > 64 {
        return contract(format!("a violation's code `{}` is not kebab-case of at most 64 bytes", clip(&violation.code, 64)));
    }
    Ok(())
}

impl Plugin {
    /// Configures and validates.
    pub(crate) fn validate(&self, live: &mut Live, batch: &Batch) -> wasmtime::Result<Result<Vec<WireViolation>, CallError>> {
        if let Err(error) = self.configure(live)? {
            return Ok(Err(error));
        }
        let Exports::Rows { work, .. } = &self.exports else { return Ok(Ok(Vec::new())) };
        type Answer = (Result<Vec<WireViolation>, WireError>,);
        let validate = live.instance.get_typed_func::<(WireBatch<'_>,), Answer>(&mut live.store, work)?;
        let columns = headers(batch);
        let (answer,) = live.invoke(&validate, (WireBatch { rows: batch.rows, columns: &columns, data: &batch.data },))?;
        Ok(answer.map_err(|error| CallError::Declined(error.into_message())))
    }
}
