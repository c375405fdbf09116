//! Validators.

use std::marker::PhantomData;
use std::sync::OnceLock;

use crate::bindings::types::{Batch, PluginError};
use crate::bindings::validator::exports::agent_telemetry::validator::validator::{Guest, Severity, Violation};
use crate::host::report_panics;
use crate::manifest::Plugin;
use crate::row::{Row, View};
use crate::settings::Settings;

/// Says what is wrong with an event. The verdict on a row may depend on that row alone.
pub trait Validator: Default + Send + Sync + 'static {
    /// Takes the configuration over. Runs once on every fresh instance, often before a single row: keep it cheap.
    ///
    /// # Errors
    /// Refuses the configuration; the text names the key.
    fn configure(&mut self, settings: &Settings) -> Result<(), String> {
        let _ = settings;
        Ok(())
    }

    /// Reads one row and reports what is wrong with it.
    fn validate(&self, event: &Row, report: &mut Report);
}

/// What is wrong with the rows of a batch.
#[derive(Default)]
pub struct Report {
    row: u32,
    pub(crate) violations: Vec<Violation>,
}

impl Report {
    /// The event cannot be used: it goes to quarantine. `code` is stable and kebab-case.
    pub fn reject(&mut self, field: &str, code: &str, message: impl Into<String>) {
        self.add(field, code, message.into(), Severity::Reject);
    }

    /// The event is stored and carries this flag. `code` is stable and kebab-case.
    pub fn flag(&mut self, field: &str, code: &str, message: impl Into<String>) {
        self.add(field, code, message.into(), Severity::Flag);
    }

    fn add(&mut self, field: &str, code: &str, message: String, severity: Severity) {
        self.violations.push(Violation { row: self.row, field: field.to_owned(), code: code.to_owned(), message, severity });
    }
}

/// Where an exported validator keeps its configured value.
#[doc(hidden)]
pub trait ValidatorSlot: Validator + Plugin {
    fn slot() -> &'static OnceLock<Self>;
}

/// The component's outer skin.
#[doc(hidden)]
pub struct ValidatorComponent<T>(PhantomData<T>);

impl<T: ValidatorSlot> Guest for ValidatorComponent<T> {
    fn configure(config: String) -> Result<(), PluginError> {
        report_panics();
        let plugin = configured::<T>(&Settings::new(config, ""))?;
        T::slot().set(plugin).map_err(|_| PluginError::Other("configured twice".to_owned()))
    }

    fn validate(batch: Batch) -> Result<Vec<Violation>, PluginError> {
        run(T::slot().get_or_init(T::default), &batch)
    }
}

pub(crate) fn configured<T: Validator>(settings: &Settings) -> Result<T, PluginError> {
    let mut plugin = T::default();
    plugin.configure(settings).map_err(PluginError::InvalidConfig)?;
    Ok(plugin)
}

pub(crate) fn run<T: Validator + Plugin>(plugin: &T, batch: &Batch) -> Result<Vec<Violation>, PluginError> {
    let view = View::new(T::MANIFEST, batch, false)?;
    let mut report = Report::default();
    for row in 0..view.rows {
        report.row = row as u32;
        plugin.validate(&view.row(row), &mut report);
    }
    Ok(report.violations)
}
