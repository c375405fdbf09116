//! Metrics: one accumulator a group.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::kind;
use crate::bindings::metric::exports::agent_telemetry::metric::metric::{Accumulator, Guest, GuestAccumulator};
use crate::bindings::types::{Batch, PluginError};
use crate::host::report_panics;
use crate::manifest::{Plugin, Type};
use crate::out::OutColumn;
use crate::patch::Patch;
use crate::row::{Cells, Row, View, group_cells, group_of, invalid};
use crate::settings::Settings;
use crate::state::{StateReader, StateWriter};

/// The accumulator of one group.
///
/// Law: however rows are cut into batches and accumulators, merging the states evaluates to the same. So sum integers, not doubles, keep
/// (count, sum) for a mean and fixed bins for a quantile.
pub trait Metric: Default + 'static {
    /// Takes configuration and parameters over. Runs once a group.
    ///
    /// # Errors
    /// Refuses a value; the text names the key.
    fn configure(&mut self, settings: &Settings) -> Result<(), String> {
        let _ = settings;
        Ok(())
    }

    /// Takes one row in.
    fn update(&mut self, row: &Row);

    /// Takes the rows of another accumulator in.
    fn merge(&mut self, other: &Self);

    /// Writes down everything that [`Metric::restore`] needs.
    fn state(&self, out: &mut StateWriter);

    /// Reads a state into a new accumulator, in the order in which [`Metric::state`] wrote it. `None` when it is not one.
    fn restore(&mut self, state: &mut StateReader) -> Option<()>;

    /// Sets the report's columns.
    fn evaluate(&self, out: &mut Patch);
}

/// The accumulators of all groups.
#[doc(hidden)]
pub struct Groups<T> {
    settings: Settings,
    groups: Vec<T>,
}

impl<T: Metric + Plugin> Groups<T> {
    pub(crate) fn open(settings: Settings) -> Result<Self, PluginError> {
        let groups = Groups { settings, groups: Vec::new() };
        groups.accumulator()?;
        Ok(groups)
    }

    pub(crate) fn update(&mut self, batch: &Batch, group_count: u32) -> Result<(), PluginError> {
        self.grow(group_count)?;
        let view = View::new(T::MANIFEST, batch, true)?;
        for row in 0..view.rows {
            self.group(group_of(view.groups, row))?.update(&view.row(row));
        }
        Ok(())
    }

    pub(crate) fn merge(&mut self, batch: &Batch, group_count: u32) -> Result<(), PluginError> {
        self.grow(group_count)?;
        let states = batch.columns.first().filter(|column| column.kind == kind::BYTES && batch.columns.len() == 2);
        let states =
            Cells::new(batch, states.ok_or_else(|| invalid("states are one column of bytes and one of groups"))?, batch.rows as usize)?;
        let groups = group_cells(batch)?;
        for row in 0..batch.rows as usize {
            let mut other = self.accumulator()?;
            let mut state = StateReader::new(states.bytes(row).unwrap_or_default());
            if other.restore(&mut state).is_none() || !state.is_empty() {
                return Err(invalid("a state is not one of this metric's"));
            }
            self.group(group_of(groups, row))?.merge(&other);
        }
        Ok(())
    }

    pub(crate) fn state(&self) -> Batch {
        let mut column = OutColumn::new(Type::Bytes, self.groups.len());
        let mut out = StateWriter::default();
        for (row, group) in self.groups.iter().enumerate() {
            out.bytes.clear();
            group.state(&mut out);
            column.set_bytes(row, &out.bytes);
        }
        let mut batch = Batch { rows: self.groups.len() as u32, columns: Vec::new(), data: Vec::new() };
        column.append(&mut batch);
        batch
    }

    pub(crate) fn evaluate(&self) -> Batch {
        let mut out = Patch::new(T::MANIFEST, self.groups.len());
        for (id, group) in self.groups.iter().enumerate() {
            out.begin(id as u32);
            group.evaluate(&mut out);
        }
        out.finish()
    }

    fn accumulator(&self) -> Result<T, PluginError> {
        let mut accumulator = T::default();
        accumulator.configure(&self.settings).map_err(PluginError::InvalidConfig)?;
        Ok(accumulator)
    }

    fn grow(&mut self, group_count: u32) -> Result<(), PluginError> {
        while self.groups.len() < group_count as usize {
            let accumulator = self.accumulator()?;
            self.groups.push(accumulator);
        }
        Ok(())
    }

    fn group(&mut self, id: usize) -> Result<&mut T, PluginError> {
        self.groups.get_mut(id).ok_or_else(|| invalid("a group is not below the group count"))
    }
}

/// The component's outer skin.
#[doc(hidden)]
pub struct MetricComponent<T>(PhantomData<T>);

impl<T: Metric + Plugin> Guest for MetricComponent<T> {
    type Accumulator = RefCell<Groups<T>>;
}

impl<T: Metric + Plugin> GuestAccumulator for RefCell<Groups<T>> {
    fn open(config: String, parameters: String) -> Result<Accumulator, PluginError> {
        report_panics();
        Ok(Accumulator::new(RefCell::new(Groups::<T>::open(Settings::new(config, parameters))?)))
    }

    fn update(&self, batch: Batch, group_count: u32) -> Result<(), PluginError> {
        self.borrow_mut().update(&batch, group_count)
    }

    fn merge(&self, batch: Batch, group_count: u32) -> Result<(), PluginError> {
        self.borrow_mut().merge(&batch, group_count)
    }

    fn state(&self) -> Result<Batch, PluginError> {
        Ok(self.borrow().state())
    }

    fn evaluate(&self) -> Result<Batch, PluginError> {
        Ok(self.borrow().evaluate())
    }
}
