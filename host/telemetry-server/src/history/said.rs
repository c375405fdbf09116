//! What one plugin says of each of some stored rows, in a form that two can be compared in.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use telemetry_model::Relation;
use telemetry_model::outcome::{Derived, PluginRun, RunOutcome};
use telemetry_plugins::PluginKind;
use telemetry_store::{Snapshot, StoreError, StoredEvent, Without};

use super::Opened;
use super::ledger::Ledger;
use crate::audit::Rebuilt;
use crate::offline::as_sent;
use crate::processing::rows::RawRows;
use crate::processing::{Found, try_events};

/// Bytes of events of one page.
const PAGE_BYTES: i64 = 8 << 20;

/// What a plugin says of a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    /// How it fared; `None` when it was not called for this row.
    pub(super) outcome: Option<RunOutcome>,
    /// An enricher's attributes; a validator's violations by field and code; of a masker the texts it changes, by their place in the
    /// event; a metric's columns.
    pub(super) values: BTreeMap<String, Value>,
    /// The row cannot be made again as the plugin would see it.
    pub(super) is_unreadable: bool,
    /// An enricher's attributes as they would be stored.
    pub(super) derived: Vec<Derived>,
}

/// What `opened` says of the first of these rows: as many as fit in memory, at least one. They are without what the plugins `without` wrote.
pub(super) fn said(
    opened: &Opened,
    snapshot: &Snapshot,
    ids: &[i64],
    without: &[&str],
    ledger: &mut Ledger,
) -> Result<Vec<Said>, StoreError> {
    match opened.kind() {
        PluginKind::Validator => violations(opened, snapshot, ids, ledger),
        PluginKind::Masker => masked(opened, snapshot, ids, ledger),
        PluginKind::Enricher | PluginKind::Metric => attributes(opened, snapshot, ids, without, ledger),
    }
}

fn attributes(opened: &Opened, snapshot: &Snapshot, ids: &[i64], without: &[&str], ledger: &mut Ledger) -> Result<Vec<Said>, StoreError> {
    let (catalog, relation, id) = (opened.catalog(), opened.source(), opened.id());
    let fields = catalog.row_fields(relation, Some(id));
    let table = snapshot.rows(relation, ids, &fields, Without::Plugins(without))?;
    let enrichment = catalog.enrich_rows(relation, Some(id), &table);
    ledger.handed(enrichment.handed, table.ids())?;
    let rows = enrichment.derived.into_iter().zip(enrichment.runs);
    let row = |(derived, runs): (Vec<Derived>, _)| Said {
        outcome: outcome(runs, id),
        values: derived.iter().map(|derived| (derived.key.to_string(), derived.value.to_value())).collect(),
        is_unreadable: false,
        derived,
    };
    Ok(rows.map(row).collect())
}

fn violations(opened: &Opened, snapshot: &Snapshot, ids: &[i64], ledger: &mut Ledger) -> Result<Vec<Said>, StoreError> {
    let events = events(snapshot, ids)?;
    let made: Vec<Option<Rebuilt>> = events.iter().map(Rebuilt::raw).collect();
    let seen: Vec<_> = made.iter().flatten().filter_map(Rebuilt::sent).map(|event| (event, 0)).collect();
    let validation = opened.catalog().validate_with(opened.id(), &RawRows(seen));
    let readable: Vec<i64> = events.iter().zip(&made).filter(|(_, made)| made.is_some()).map(|(event, _)| event.id).collect();
    ledger.handed(validation.handed, &readable)?;
    let mut found = validation.violations.into_iter().zip(validation.runs);
    let row = |made: &Option<Rebuilt>| match made.as_ref().and_then(|_| found.next()) {
        None => Said { is_unreadable: true, ..Said::default() },
        Some((violations, runs)) => Said {
            outcome: outcome(runs, opened.id()),
            values: violations.into_iter().map(|said| violation(&Found::from(said))).collect(),
            ..Said::default()
        },
    };
    Ok(made.iter().map(row).collect())
}

fn violation(found: &Found) -> (String, Value) {
    let value = serde_json::to_value(found).unwrap_or_default();
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let key = format!("{}: {}", text("field"), text("code"));
    (key, json!({ "severity": value.get("severity"), "message": value.get("message") }))
}

fn masked(opened: &Opened, snapshot: &Snapshot, ids: &[i64], ledger: &mut Ledger) -> Result<Vec<Said>, StoreError> {
    let events = events(snapshot, ids)?;
    let texts: Vec<Vec<u8>> = events.iter().map(|event| as_sent(event).unwrap_or_default()).collect();
    let before: Vec<Value> = texts.iter().map(|text| serde_json::from_slice(text).unwrap_or_default()).collect();
    // It notes itself what it hands over.
    let tried = try_events(ledger.store(), &opened.registry, opened.id(), PluginKind::Masker, texts, ledger.time());
    let row = |(before, tried): (&Value, crate::processing::Tried)| {
        let mut values = BTreeMap::new();
        if let Some(after) = &tried.masked {
            differences(before, &after.to_value(), String::new(), &mut values);
        }
        Said { outcome: tried.outcome, values, is_unreadable: !tried.refused.is_empty(), derived: Vec::new() }
    };
    Ok(before.iter().zip(tried).map(row).collect())
}

/// Where `after` differs, by JSON pointer, and what stands there.
fn differences(before: &Value, after: &Value, place: String, found: &mut BTreeMap<String, Value>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) if old.keys().eq(new.keys()) => {
            for ((key, old), new) in old.iter().zip(new.values()) {
                differences(old, new, format!("{place}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (at, (old, new)) in old.iter().zip(new).enumerate() {
                differences(old, new, format!("{place}/{at}"), found);
            }
        }
        (old, new) if old != new => {
            found.insert(place, new.clone());
        }
        _ => {}
    }
}

/// The first of these events: as many as fit in memory, at least one.
fn events(snapshot: &Snapshot, ids: &[i64]) -> Result<Vec<StoredEvent>, StoreError> {
    let (mut events, mut bytes) = (Vec::new(), 0);
    for id in ids {
        let Some(event) = snapshot.event(*id)? else { break };
        bytes += event.size;
        events.push(event);
        if bytes >= PAGE_BYTES {
            break;
        }
    }
    Ok(events)
}

fn outcome(runs: impl AsRef<[PluginRun]>, id: &str) -> Option<RunOutcome> {
    runs.as_ref().iter().find(|run| *run.plugin.plugin_id == *id).map(|run| run.outcome)
}

/// Whether rows of `relation` are taken page by page here.
pub(super) fn is_paged(relation: Relation) -> bool {
    matches!(relation, Relation::Events | Relation::LlmCalls | Relation::ToolExecutions)
}
