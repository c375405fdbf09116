//! Enrichers and validators.

use cylestio_plugin_sdk::PluginError;
use cylestio_plugin_sdk::bindings::types::Batch;

use crate::columns::Cells;
use crate::ops::{Code, Machine, Scene};
use crate::plan::{Check, Plan};
use crate::validating::Violation;
use crate::value::Value;
use crate::write::{self, Type};

/// A column for each key, one after the other.
pub fn enrich(plan: &Plan, writes: &[(Type, Code)], batch: &Batch) -> Result<Batch, PluginError> {
    let columns = Cells::all(batch)?;
    let mut out = Batch { rows: batch.rows, columns: Vec::with_capacity(writes.len()), data: Vec::new() };
    for (ty, code) in writes {
        let mut machine = Machine::new();
        let scene = |row| Scene { columns: &columns, settings: &plan.settings, aggregates: &[], row };
        write::column(&mut out, *ty, (0..batch.rows as usize).map(|row| machine.run(code, &scene(row))));
    }
    Ok(out)
}

/// What each row violates.
pub fn validate(plan: &Plan, checks: &[Check], batch: &Batch) -> Result<Vec<Violation>, PluginError> {
    let columns = Cells::all(batch)?;
    let mut violations = Vec::new();
    let mut machine = Machine::new();
    for row in 0..batch.rows {
        let scene = Scene { columns: &columns, settings: &plan.settings, aggregates: &[], row: row as usize };
        for check in checks {
            // Null is unknown, and no violation.
            if machine.run(&check.code, &scene) == Value::Boolean(check.bad) {
                let (field, code, message) = (check.field.clone(), check.name.clone(), check.message.clone());
                violations.push(Violation { row, field, code, message, severity: check.severity });
            }
        }
    }
    Ok(violations)
}
