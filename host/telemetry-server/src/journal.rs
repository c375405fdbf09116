//! What the server itself adds to the access journal: which plugins serve under which grants, whenever that changes.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde_json::{Value, json};
use telemetry_model::{Clock, DigestKey};
use telemetry_plugins::{Catalog, PluginSettings, Policy};
use telemetry_store::{EntryKind, NewEntry, Store, StoreError};

/// How long an entry may take to be durable.
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
        let entry = NewEntry { time: self.clock.now(), kind: EntryKind::Catalog, as_of: None, detail: Some(detail), accesses: Vec::new() };
        if let Err(error) = self.append(entry) {
            tracing::error!(%error, "journal.catalog.failed");
        }
    }

    /// Appends that `command` is about to hand what is stored to the plugin `id` and all others of `catalog`. Blocks until it is durable.
    ///
    /// # Errors
    /// When it is not: then nothing may be handed over.
    pub fn note_offline(&self, command: &str, id: &str, catalog: &Catalog) -> Result<(), StoreError> {
        if !self.is_on {
            return Ok(());
        }
        let serving = catalog.statuses().into_iter().filter(|status| status.derivation.is_some());
        let plugins = serving.map(|status| json!({ "id": status.id, "digest": status.digest, "derivation": status.derivation }));
        let detail = json!({ "command": command, "plugin": id, "plugins": plugins.collect::<Value>() }).to_string();
        let as_of = Some(self.store.snapshot()?.last_event()?);
        self.append(NewEntry { time: self.clock.now(), kind: EntryKind::Offline, as_of, detail: Some(detail), accesses: Vec::new() })
    }

    fn append(&self, entry: NewEntry) -> Result<(), StoreError> {
        let (tell, told) = mpsc::sync_channel(1);
        self.store.journal(entry, Box::new(move |done| drop(tell.send(done.map(drop))))).map_err(|_| StoreError::Closed)?;
        told.recv_timeout(PATIENCE).unwrap_or(Err(StoreError::Busy))
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
