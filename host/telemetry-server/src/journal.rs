//! What the server itself adds to the access journal: which plugins serve under which grants, whenever that changes.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde_json::{Value, json};
use telemetry_model::{Clock, DigestKey};
use telemetry_plugins::{Catalog, PluginSettings, Policy};
use telemetry_store::{EntryKind, NewEntry, Store};

/// How long an entry may take to be durable before the server goes on without waiting.
const PATIENCE: Duration = Duration::from_secs(30);

/// Appends to the journal.
#[derive(Clone)]
pub struct Journal {
    store: Store,
    clock: Arc<dyn Clock>,
    is_on: bool,
}

impl Journal {
    /// Of `store`; with `is_on` false only that it is off is noted.
    pub fn new(store: Store, clock: Arc<dyn Clock>, is_on: bool) -> Self {
        Journal { store, clock, is_on }
    }

    /// The key under which plugins' rows are noted.
    pub fn key(&self) -> Option<DigestKey> {
        self.is_on.then(|| self.store.digest_key().clone())
    }

    /// Appends what serves under which grants, unless the last entry says the same. Blocks until it is durable.
    pub fn note_catalog(&self, catalog: &Catalog, settings: &PluginSettings) {
        let detail = detail(catalog, settings, self.is_on).to_string();
        let last = self.store.snapshot().and_then(|snapshot| snapshot.journal_catalog());
        if matches!(&last, Ok(Some(last)) if *last == detail) {
            return;
        }
        let (tell, told) = mpsc::sync_channel(1);
        let entry = NewEntry { time: self.clock.now(), kind: EntryKind::Catalog, as_of: None, detail: Some(detail), accesses: Vec::new() };
        let queued = self.store.journal(entry, Box::new(move |done| drop(tell.send(done.map(drop)))));
        let failed = match queued {
            Err(error) => Some(error.to_string()),
            Ok(()) => match told.recv_timeout(PATIENCE) {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(error) => Some(error.to_string()),
            },
        };
        if let Some(error) = failed {
            tracing::error!(error, "journal.catalog.failed");
        }
    }
}

/// Every plugin by what it is and may, the policy and all grants: nothing that changes by itself.
fn detail(catalog: &Catalog, settings: &PluginSettings, is_on: bool) -> Value {
    let plugins = catalog.statuses().into_iter().map(|status| {
        let state = match status.state {
            telemetry_plugins::PluginState::BreakerOpen => telemetry_plugins::PluginState::Serving,
            state => state,
        };
        json!({
            "id": status.id, "origin": status.origin, "version": status.version, "digest": status.digest,
            "derivation": status.derivation, "state": state,
        })
    });
    let policy = match &settings.policy {
        Policy::Open => json!("open"),
        Policy::Metadata => json!("metadata"),
        Policy::Locked(lock) => json!({ "locked": lock }),
    };
    json!({ "journal": is_on, "policy": policy, "plugins": plugins.collect::<Value>(), "grants": settings.grants })
}
