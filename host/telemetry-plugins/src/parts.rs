//! The parts of a call one by one, for benchmarks.

use telemetry_model::{Batch, Rows};

use crate::call::{CallError, Live};
use crate::manifest::PluginKind;
use crate::mask::{Leaf, mask_once};
use crate::plugin::Plugin;
use crate::project::{project, recycle};

/// CPU time no part comes near, nanoseconds.
const BUDGET: u64 = 60_000_000_000;

/// An enricher or validator, taken apart.
#[derive(Clone, Copy)]
pub struct Parts<'a>(pub(crate) &'a Plugin);

/// One instance that stays.
pub struct LiveParts<'a>(&'a Plugin, Live);

impl<'a> Parts<'a> {
    /// Projects all rows.
    pub fn project(&self, rows: &dyn Rows) -> Batch {
        let chosen: Vec<u32> = (0..rows.len() as u32).collect();
        project(rows, &chosen, &self.0.manifest.reads)
    }

    /// Gives the buffer back.
    pub fn recycle(&self, batch: Batch) {
        recycle(batch);
    }

    /// A fresh instance, dropped again.
    ///
    /// # Errors
    /// How it failed.
    pub fn instantiate(&self) -> Result<(), CallError> {
        self.0.callee.fresh(BUDGET, |_| Ok(Ok(()))).0
    }

    /// A fresh instance, configured.
    ///
    /// # Errors
    /// How it failed.
    pub fn configure(&self) -> Result<(), CallError> {
        self.0.callee.fresh(BUDGET, |live| self.0.configure(live)).0
    }

    /// An enricher's answer of a fresh instance.
    ///
    /// # Errors
    /// How it failed.
    pub fn enrich(&self, batch: &Batch) -> Result<Batch, CallError> {
        self.0.callee.fresh(BUDGET, |live| self.0.enrich(live, batch)).0
    }

    /// A masker's answer of a fresh instance, checked: whatever was seen before. Gives the instance's linear memory, bytes.
    ///
    /// # Errors
    /// How it failed.
    pub fn mask(&self, leaves: &[Leaf<'_>]) -> Result<usize, CallError> {
        mask_once(self.0, leaves, BUDGET)
    }

    /// Linear memory of a fresh instance that has worked on all rows, bytes; of a kind that takes none, of one that is configured.
    ///
    /// # Errors
    /// How it failed.
    pub fn memory(&self, rows: &dyn Rows) -> Result<usize, CallError> {
        let batch = self.project(rows);
        let (memory, _) = self.0.callee.fresh(BUDGET, |live| {
            let done = match self.0.manifest.kind {
                PluginKind::Enricher => self.0.enrich(live, &batch)?.map(drop),
                PluginKind::Validator => self.0.validate(live, &batch)?.map(drop),
                PluginKind::Masker | PluginKind::Metric => self.0.configure(live)?,
            };
            Ok(done.map(|()| live.store.data().memory_bytes()))
        });
        memory
    }

    /// An instance that stays, configured.
    ///
    /// # Errors
    /// How it failed.
    pub fn live(&self) -> Result<LiveParts<'a>, CallError> {
        let mut live = self.0.callee.start(BUDGET).0?;
        self.0.callee.again(&mut live, BUDGET, |live| self.0.configure(live)).0?;
        Ok(LiveParts(self.0, live))
    }
}

impl LiveParts<'_> {
    /// An enricher's answer.
    ///
    /// # Errors
    /// How it failed.
    pub fn enrich(&mut self, batch: &Batch) -> Result<Batch, CallError> {
        let LiveParts(plugin, live) = self;
        plugin.callee.again(live, BUDGET, |live| plugin.enrich_configured(live, batch)).0
    }
}
