//! Events through the stages of the write path and no further: what one plugin says of them, nothing stored.

use std::sync::Arc;

use serde::Serialize;
use telemetry_model::outcome::RunOutcome;
use telemetry_model::{JsonText, Reason, Timestamp};
use telemetry_plugins::{Catalog, PluginKind, Registry, Severity, Violation};
use telemetry_store::Store;
use tokio::sync::oneshot;

use super::super::budget::Budget;
use super::super::decode::Shape;
use super::super::pipeline::Job;
use super::super::unit::Unit;
use super::{Arrival, Stages, State, Work};

/// Events of one batch for the plugins.
const BATCH: usize = 500;
/// An event's ceiling, bytes.
const MAX_EVENT: usize = 16 << 20;

/// What became of one event.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tried {
    /// Its name, once it is normalized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// Why it would not be stored; of any part of the server.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// A validator's: what it finds wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub violations: Option<Vec<Found>>,
    /// An enricher's: what it sets, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<serde_json::Map<String, serde_json::Value>>,
    /// A masker's: the event as it leaves it and the others that are on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masked: Option<JsonText>,
    /// How the plugin fared; null when it was not called for this event.
    pub outcome: Option<RunOutcome>,
}

/// A violation.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    field: Box<str>,
    code: Box<str>,
    message: Box<str>,
    severity: Severity,
}

/// Lets the stages of a server with `plugins` work on `events`, a JSON text each, and tells for each what the plugin `id` said. `store` gives
/// the key of digests and gets nothing but, where `plugins` note what they are handed, entries of the journal at `now`.
pub fn try_events(store: &Store, plugins: &Arc<Registry>, id: &str, kind: PluginKind, events: Vec<Vec<u8>>, now: Timestamp) -> Vec<Tried> {
    let stages = Stages { store: store.clone(), plugins: Arc::clone(plugins) };
    let mut tried = Vec::with_capacity(events.len());
    let mut events = events.into_iter();
    loop {
        let batch: Vec<_> = events.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return tried;
        }
        tried.extend(try_batch(&stages, id, kind, batch, now));
    }
}

fn try_batch(stages: &Stages, id: &str, kind: PluginKind, batch: Vec<Vec<u8>>, now: Timestamp) -> Vec<Tried> {
    let budget = Budget::new(usize::MAX);
    let jobs = batch.into_iter().map(|bytes| job(bytes, &budget, now)).collect();
    let (jobs, bodies) = stages.receive(jobs);
    let mut work = Work::decode(&jobs, bodies);
    let plugins = stages.plugins.current();
    stages.mask(&plugins, &jobs, &mut work);
    let violations = violations(&plugins, id, kind, &work);
    stages.validate(&plugins, &mut work);
    stages.normalize(&mut work);
    stages.enrich(&plugins, &mut work);
    // Nothing is stored, but plugins have seen it.
    if let Err(error) = stages.store.submit_handed(Vec::new(), std::mem::take(&mut work.handed), now, Box::new(|_| {})) {
        tracing::warn!(%error, "rows that were tried are not noted");
    }
    let mut arrivals = work.arrivals.iter().zip(violations);
    let tried = work.texts.iter().map(|text| match text {
        // A body of one event.
        Ok((text, _)) => arrivals.next().map(|(arrival, found)| tried(id, kind, text.as_str(), arrival, found)).unwrap_or_default(),
        Err(undecoded) => Tried { refused: vec![sentence(&undecoded.refusal.reason)], ..Tried::default() },
    });
    tried.collect()
}

fn tried(id: &str, kind: PluginKind, text: &str, arrival: &Arrival, violations: Vec<Found>) -> Tried {
    let mut tried = Tried::default();
    match &arrival.state {
        State::Normalized(normalized) => tried.name = Some(normalized.event.name.as_ref().into()),
        State::Refused(reasons, _) => tried.refused = reasons.iter().map(sentence).collect(),
        State::Decoded(_) => {}
    }
    let runs = match kind {
        PluginKind::Masker => {
            tried.masked = JsonText::parse(arrival.text.as_deref().unwrap_or(text)).ok();
            &arrival.maskers
        }
        PluginKind::Validator => {
            tried.violations = Some(violations);
            &arrival.validators
        }
        PluginKind::Enricher | PluginKind::Metric => {
            let own = arrival.derived.iter().filter(|derived| &*derived.plugin.plugin_id == id);
            tried.set = Some(own.map(|derived| (derived.key.to_string(), derived.value.to_value())).collect());
            &arrival.enrichers
        }
    };
    tried.outcome = runs.iter().find(|run| &*run.plugin.plugin_id == id).map(|run| run.outcome);
    tried
}

/// For each event what the validator `id` finds wrong; of another kind, nothing.
fn violations(plugins: &Catalog, id: &str, kind: PluginKind, work: &Work) -> Vec<Vec<Found>> {
    if kind != PluginKind::Validator {
        return vec![Vec::new(); work.arrivals.len()];
    }
    let rows = work.decoded();
    let said = if rows.0.is_empty() { Vec::new() } else { plugins.validate(&rows).violations };
    let mut said = said.into_iter();
    let found = work.arrivals.iter().map(|arrival| match &arrival.state {
        State::Decoded(_) => {
            said.next().unwrap_or_default().into_iter().filter(|said| &*said.plugin.plugin_id == id).map(Found::from).collect()
        }
        _ => Vec::new(),
    });
    found.collect()
}

impl From<Violation> for Found {
    fn from(said: Violation) -> Self {
        Found { field: said.field, code: said.code, message: said.message, severity: said.severity }
    }
}

fn sentence(reason: &Reason) -> String {
    match (&reason.field, reason.message.is_empty()) {
        (Some(field), _) => format!("{}: {field}: {}", reason.code, reason.message),
        (None, false) => format!("{}: {}", reason.code, reason.message),
        (None, true) => reason.code.to_string(),
    }
}

fn job(bytes: Vec<u8>, budget: &Budget, now: Timestamp) -> Job {
    let (reply, _) = oneshot::channel();
    let unit = Unit {
        bytes,
        encoding: None,
        shape: Shape::Single,
        limit: MAX_EVENT,
        strict: false,
        source: "offline".into(),
        flags: Vec::new(),
        received_at: now,
        lease: budget.lease(),
    };
    Job { unit, reply }
}
