//! What an enricher says of model calls or tool executions: of those stored, or of those that events of a file make.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use telemetry_model::Clock;
use telemetry_store::{EntryKind, Store};

use super::report::ingest;
use crate::history::{self, Ledger, Opened, RowLine};
use crate::processing::RowQueue;

const MOMENT: Duration = Duration::from_millis(2);

/// A line a row of `store`, by its time; `events` are stored before, and other enrichers run on the rows.
pub(super) fn of(store: &Store, plugin: Opened, events: Option<Vec<Vec<u8>>>, clock: Arc<dyn Clock>) -> anyhow::Result<Vec<RowLine>> {
    if let Some(events) = events {
        let rows = RowQueue::start(store.clone(), Arc::clone(&plugin.registry), clock.clone()).context("starting a thread")?;
        ingest(store, &plugin.registry, events)?;
        while store.snapshot()?.pending_rows()? > 0 {
            std::thread::park_timeout(MOMENT);
        }
        rows.close();
    }
    let snapshot = store.snapshot()?;
    let detail = history::detail("plugin run", &[&plugin]);
    let mut ledger = Ledger::new(store, &snapshot, EntryKind::Offline, clock.now(), &detail)?;
    let lines = history::lines(&snapshot, &plugin, &mut ledger);
    ledger.finish()?;
    Ok(lines?)
}
