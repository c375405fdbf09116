//! Which plugins ran on which row, with what outcome: lists that rows share.

use std::collections::HashMap;
use std::sync::Arc;

use telemetry_model::outcome::{PluginRun, PluginVersion, RunOutcome};

/// Outcomes by plugin and row.
pub(crate) struct Outcomes {
    rows: usize,
    plugins: Vec<(Arc<PluginVersion>, Vec<Option<RunOutcome>>)>,
}

impl Outcomes {
    pub(crate) fn new(rows: usize) -> Self {
        Outcomes { rows, plugins: Vec::new() }
    }

    /// An empty column.
    pub(crate) fn column(&self) -> Vec<Option<RunOutcome>> {
        vec![None; self.rows]
    }

    /// Adds the column of a plugin.
    pub(crate) fn push(&mut self, version: &Arc<PluginVersion>, outcomes: Vec<Option<RunOutcome>>) {
        self.plugins.push((Arc::clone(version), outcomes));
    }

    /// For each row its runs; rows with the same have one list together.
    pub(crate) fn finish(self) -> Vec<Arc<[PluginRun]>> {
        let mut known: HashMap<Vec<Option<RunOutcome>>, Arc<[PluginRun]>> = HashMap::new();
        let mut runs: Vec<Arc<[PluginRun]>> = Vec::with_capacity(self.rows);
        let mut before: Vec<Option<RunOutcome>> = Vec::new();
        let mut key = Vec::with_capacity(self.plugins.len());
        for row in 0..self.rows {
            key.clear();
            key.extend(self.plugins.iter().map(|(_, outcomes)| outcomes.get(row).copied().flatten()));
            let list = match runs.last() {
                Some(list) if before == key => Arc::clone(list),
                _ => Arc::clone(known.entry(key.clone()).or_insert_with(|| self.list(&key))),
            };
            runs.push(list);
            before.clone_from(&key);
        }
        runs
    }

    fn list(&self, outcomes: &[Option<RunOutcome>]) -> Arc<[PluginRun]> {
        let runs = self.plugins.iter().zip(outcomes);
        runs.filter_map(|((plugin, _), outcome)| Some(PluginRun { plugin: Arc::clone(plugin), outcome: (*outcome)? })).collect()
    }
}
