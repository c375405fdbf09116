//! Metrics: what is gathered of each group.

use cylestio_plugin_sdk::PluginError;
use cylestio_plugin_sdk::bindings::types::Batch;

use crate::aggregate::Gathered;
use crate::columns::{Cells, invalid};
use crate::ops::{Machine, Scene};
use crate::plan::{Gather, Plan, Task};
use crate::value::Value;
use crate::write;

/// All groups.
pub struct Groups {
    plan: Plan,
    groups: Vec<Vec<Gathered>>,
}

impl Groups {
    pub fn new(plan: Plan) -> Self {
        Groups { plan, groups: Vec::new() }
    }

    pub fn update(&mut self, batch: &Batch, group_count: u32) -> Result<(), PluginError> {
        self.grow(group_count);
        let columns = Cells::all(batch)?;
        let ids = columns.last().ok_or_else(|| invalid("there are no groups"))?;
        let Groups { plan, groups } = self;
        let mut machine = Machine::new();
        for row in 0..batch.rows as usize {
            let group = ids.group(row).and_then(|id| groups.get_mut(id)).ok_or_else(beyond)?;
            let scene = Scene { columns: &columns, settings: &plan.settings, aggregates: &[], row };
            for (gathered, gather) in group.iter_mut().zip(gathers(&plan.task)) {
                if machine.run(&gather.condition, &scene).is_true() {
                    gathered.update(gather.how, &machine.run(&gather.value, &scene));
                }
            }
        }
        Ok(())
    }

    pub fn merge(&mut self, batch: &Batch, group_count: u32) -> Result<(), PluginError> {
        self.grow(group_count);
        let columns = Cells::all(batch)?;
        let [states, ids] = &columns[..] else { return Err(invalid("states are one column of bytes and one of groups")) };
        for row in 0..batch.rows as usize {
            let group = ids.group(row).and_then(|id| self.groups.get_mut(id)).ok_or_else(beyond)?;
            let mut state = states.bytes(row).unwrap_or_default();
            for (gathered, gather) in group.iter_mut().zip(gathers(&self.plan.task)) {
                let other = Gathered::read(gather.how, &mut state);
                gathered.merge(gather.how, &other.ok_or_else(|| invalid("a state is not one of this metric's"))?);
            }
            if !state.is_empty() {
                return Err(invalid("a state is not one of this metric's"));
            }
        }
        Ok(())
    }

    pub fn state(&self) -> Batch {
        let state = |group: &Vec<Gathered>| {
            let mut out = Vec::new();
            group.iter().for_each(|gathered| gathered.write(&mut out));
            out
        };
        write::states(&self.groups.iter().map(state).collect::<Vec<_>>())
    }

    pub fn evaluate(&self) -> Batch {
        let mut out = Batch { rows: self.groups.len() as u32, columns: Vec::new(), data: Vec::new() };
        let Task::Measure { gathers, writes } = &self.plan.task else { return out };
        let value = |(gathered, gather): (&Gathered, &Gather)| gathered.value(gather.how);
        let values: Vec<Vec<Value<'static>>> = self.groups.iter().map(|group| group.iter().zip(gathers).map(value).collect()).collect();
        for (ty, code) in writes {
            let mut machine = Machine::new();
            let scene = |row: usize| {
                let aggregates = values.get(row).map_or(&[][..], Vec::as_slice);
                Scene { columns: &[], settings: &self.plan.settings, aggregates, row }
            };
            write::column(&mut out, *ty, (0..values.len()).map(|row| machine.run(code, &scene(row))));
        }
        out
    }

    fn grow(&mut self, group_count: u32) {
        let new = || gathers(&self.plan.task).iter().map(|gather| Gathered::new(gather.how)).collect();
        let count = self.groups.len().max(group_count as usize);
        self.groups.resize_with(count, new);
    }
}

fn gathers(task: &Task) -> &[Gather] {
    match task {
        Task::Measure { gathers, .. } => gathers,
        _ => &[],
    }
}

fn beyond() -> PluginError {
    invalid("a group is not below the group count")
}
