//! Enrichers.

use std::marker::PhantomData;
use std::sync::OnceLock;

use crate::bindings::enricher::exports::agent_telemetry::enricher::enricher::Guest;
use crate::bindings::types::{Batch, PluginError};
use crate::host::report_panics;
use crate::manifest::Plugin;
use crate::patch::Patch;
use crate::row::{Row, View};
use crate::settings::Settings;

/// Adds attributes to a row. The result of a row may depend on that row alone: batches are cut and ordered as the host likes.
pub trait Enricher: Default + Send + Sync + 'static {
    /// Takes the configuration over. Runs once on every fresh instance, often before a single row: keep it cheap.
    ///
    /// # Errors
    /// Refuses the configuration; the text names the key.
    fn configure(&mut self, settings: &Settings) -> Result<(), String> {
        let _ = settings;
        Ok(())
    }

    /// Reads one row and sets what it can say about it.
    fn enrich(&self, event: &Row, out: &mut Patch);
}

/// Where an exported enricher keeps its configured value.
#[doc(hidden)]
pub trait EnricherSlot: Enricher + Plugin {
    fn slot() -> &'static OnceLock<Self>;
}

/// The component's outer skin.
#[doc(hidden)]
pub struct EnricherComponent<T>(PhantomData<T>);

impl<T: EnricherSlot> Guest for EnricherComponent<T> {
    fn configure(config: String) -> Result<(), PluginError> {
        report_panics();
        let plugin = configured::<T>(&Settings::new(config, ""))?;
        T::slot().set(plugin).map_err(|_| PluginError::Other("configured twice".to_owned()))
    }

    fn enrich(batch: Batch) -> Result<Batch, PluginError> {
        run(T::slot().get_or_init(T::default), &batch)
    }
}

pub(crate) fn configured<T: Enricher>(settings: &Settings) -> Result<T, PluginError> {
    let mut plugin = T::default();
    plugin.configure(settings).map_err(PluginError::InvalidConfig)?;
    Ok(plugin)
}

pub(crate) fn run<T: Enricher + Plugin>(plugin: &T, batch: &Batch) -> Result<Batch, PluginError> {
    let view = View::new(T::MANIFEST, batch, false)?;
    let mut out = Patch::new(T::MANIFEST, view.rows);
    for row in 0..view.rows {
        out.begin_row();
        plugin.enrich(&view.row(row), &mut out);
    }
    Ok(out.finish())
}
