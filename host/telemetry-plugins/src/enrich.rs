//! Enrichers: attributes that are added to each row.

use std::borrow::Cow;
use std::sync::Arc;

use telemetry_model::journal::Handed;
use telemetry_model::outcome::{Derived, PluginRun, RunOutcome};
use telemetry_model::{Batch, BatchView, Family, Field, FieldType, JsonKind, JsonText, Rows, Value};

use crate::call::{CallError, Live, Used};
use crate::journal::Witness;
use crate::plugin::{Exports, Plugin};
use crate::poison::{Families, RowTask, run};
use crate::runs::Outcomes;
use crate::settings::Limits;
use crate::validate::set;
use crate::wire::{WireAnswer, WireBatch, WireError, expanded, headers};

/// What all enrichers add to a batch. Each list has an entry for each row.
#[derive(Clone, Debug, Default)]
pub struct Enrichment {
    /// Attributes to add; never one that the client sent.
    pub derived: Vec<Vec<Derived>>,
    /// Which enrichers ran on the row.
    pub runs: Vec<Arc<[PluginRun]>>,
    /// What each enricher was handed, if that is noted.
    pub handed: Vec<Handed>,
}

/// An enricher and what a call of it needs beside.
pub(crate) struct Enricher {
    pub(crate) plugin: Arc<Plugin>,
    keys: Vec<(Arc<str>, Field)>,
    types: Vec<FieldType>,
    /// It reads a key that another enricher writes.
    reads_derived: bool,
}

impl Enricher {
    pub(crate) fn new(plugin: Arc<Plugin>, reads_derived: bool) -> Self {
        let keys = plugin.manifest.writes.iter().map(|write| (Arc::from(&*write.key), Field::Attribute(write.key.clone()))).collect();
        let types = plugin.manifest.write_types();
        Enricher { plugin, keys, types, reads_derived }
    }
}

/// Runs `enrichers`, in this order, over `rows`.
pub(crate) fn enrich(enrichers: &[&Enricher], limits: &Limits, rows: &dyn Rows) -> Enrichment {
    let keys = enrichers.iter().map(|enricher| enricher.keys.len()).sum();
    let mut derived: Vec<Vec<Derived>> = (0..rows.len()).map(|_| Vec::with_capacity(keys)).collect();
    let mut outcomes = Outcomes::new(rows.len());
    let families = Families::of(rows);
    let mut witness = Witness::new(rows.len());
    for enricher in enrichers {
        let before = if enricher.reads_derived { derived.clone() } else { Vec::new() };
        let overlay = Overlay { rows, derived: &before };
        let seen: &dyn Rows = if enricher.reads_derived { &overlay } else { rows };
        witness.begin(enricher.plugin.recorder());
        let mut task = Task { enricher, rows, derived: &mut derived, outcomes: outcomes.column(), witness: &mut witness };
        run(&enricher.plugin, limits, seen, &families, &mut task);
        let column = task.outcomes;
        witness.end(&column, |row| said_of(&enricher.plugin, derived.get(row).map_or(&[], Vec::as_slice)));
        outcomes.push(&enricher.plugin.version, column);
    }
    Enrichment { derived, runs: outcomes.finish(), handed: witness.finish() }
}

/// What `plugin` wrote for a row: keys and values.
fn said_of<'a>(plugin: &'a Plugin, derived: &'a [Derived]) -> impl Iterator<Item = &'a str> {
    let own = derived.iter().filter(|derived| Arc::ptr_eq(&derived.plugin, &plugin.version));
    own.flat_map(|derived| [&*derived.key, derived.value.as_str()])
}

struct Task<'a> {
    enricher: &'a Enricher,
    rows: &'a dyn Rows,
    derived: &'a mut [Vec<Derived>],
    outcomes: Vec<Option<RunOutcome>>,
    witness: &'a mut Witness,
}

impl RowTask for Task<'_> {
    fn witness(&mut self) -> &mut Witness {
        self.witness
    }

    fn attempt(&mut self, chosen: &[u32], batch: &Batch, budget: u64) -> (Result<(), CallError>, Used) {
        let plugin = &self.enricher.plugin;
        let (answer, used) = plugin.callee.fresh(budget, |live| plugin.enrich(live, batch));
        (answer.and_then(|answer| self.keep(chosen, &answer)), used)
    }

    fn failed(&mut self, row: u32, outcome: RunOutcome, _error: Option<&CallError>) {
        set(&mut self.outcomes, row, outcome);
    }

    fn done(&mut self, chosen: &[u32]) {
        chosen.iter().for_each(|row| set(&mut self.outcomes, *row, RunOutcome::Ok));
    }
}

impl Task<'_> {
    /// Checks the whole answer, then keeps it.
    fn keep(&mut self, chosen: &[u32], answer: &Batch) -> Result<(), CallError> {
        let contract = |text: String| CallError::Contract(text);
        let view = BatchView::check(answer, &self.enricher.types).map_err(|error| contract(error.to_string()))?;
        if view.rows() != chosen.len() {
            return Err(contract(format!("{} rows instead of {}", view.rows(), chosen.len())));
        }
        if view.groups().is_some() {
            return Err(contract("a `group` column nobody asked for".into()));
        }
        let limit = self.enricher.plugin.limits.output_bytes;
        if expanded(&view) > limit {
            return Err(CallError::Output(limit));
        }
        for (column, (key, _)) in view.columns().iter().zip(&self.enricher.keys) {
            if column.kind() == telemetry_model::Kind::Json {
                for at in 0..chosen.len() {
                    if let Value::Json(text) = column.value(at)
                        && JsonText::parse(&text).is_err()
                    {
                        return Err(contract(format!("`{key}` of row {at} is not JSON")));
                    }
                }
            }
        }
        self.enricher.plugin.counters.answer(answer.data.len());
        for (column, (key, field)) in view.columns().iter().zip(&self.enricher.keys) {
            for (at, row) in chosen.iter().enumerate() {
                let Some(value) = json(column.value(at)) else { continue };
                // What the client sent stands.
                if !matches!(self.rows.value(*row as usize, field), Value::Absent) {
                    continue;
                }
                if let Some(list) = self.derived.get_mut(*row as usize) {
                    list.push(Derived { key: Arc::clone(key), value, plugin: Arc::clone(&self.enricher.plugin.version) });
                }
            }
        }
        Ok(())
    }
}

fn json(value: Value<'_>) -> Option<JsonText> {
    match value {
        Value::Absent => None,
        Value::Boolean(flag) => Some(JsonText::boolean(flag)),
        Value::Integer(integer) => Some(JsonText::integer(integer)),
        Value::Real(real) => Some(JsonText::real(real)),
        Value::Time(time) => Some(JsonText::string(&telemetry_model::Timestamp(time).to_string())),
        Value::Text(text) => Some(JsonText::string(&text)),
        Value::Json(text) => JsonText::parse(&text).ok(),
    }
}

/// Rows with what earlier enrichers wrote.
struct Overlay<'a> {
    rows: &'a dyn Rows,
    derived: &'a [Vec<Derived>],
}

impl Rows for Overlay<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn family(&self, row: usize) -> Family {
        self.rows.family(row)
    }

    fn value(&self, row: usize, field: &Field) -> Value<'_> {
        let sent = self.rows.value(row, field);
        let (Value::Absent, Field::Attribute(key)) = (&sent, field) else { return sent };
        let written = self.derived.get(row).and_then(|list| list.iter().find(|derived| *derived.key == **key));
        written.map_or(Value::Absent, |derived| value(&derived.value))
    }

    fn source(&self, row: usize) -> u64 {
        self.rows.source(row)
    }
}

fn value(json: &JsonText) -> Value<'_> {
    let number = || json.as_integer().map(Value::Integer).or_else(|| json.as_real().map(Value::Real));
    match json.kind() {
        JsonKind::Null => Value::Absent,
        JsonKind::Boolean => json.as_boolean().map_or(Value::Absent, Value::Boolean),
        JsonKind::String => json.as_text().map_or(Value::Absent, Value::Text),
        JsonKind::Integer | JsonKind::Real => number().unwrap_or_else(|| Value::Json(Cow::Borrowed(json.as_str()))),
        JsonKind::Array | JsonKind::Object => Value::Json(Cow::Borrowed(json.as_str())),
    }
}

impl Plugin {
    /// Configures and enriches.
    pub(crate) fn enrich(&self, live: &mut Live, batch: &Batch) -> wasmtime::Result<Result<Batch, CallError>> {
        match self.configure(live)? {
            Ok(()) => self.enrich_configured(live, batch),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Enriches.
    pub(crate) fn enrich_configured(&self, live: &mut Live, batch: &Batch) -> wasmtime::Result<Result<Batch, CallError>> {
        let Exports::Rows { work, .. } = &self.exports else { return Ok(Ok(Batch::default())) };
        type Answer = (Result<WireAnswer, WireError>,);
        let enrich = live.instance.get_typed_func::<(WireBatch<'_>,), Answer>(&mut live.store, work)?;
        let columns = headers(batch);
        let (answer,) = live.invoke(&enrich, (WireBatch { rows: batch.rows, columns: &columns, data: &batch.data },))?;
        Ok(answer.map(Batch::from).map_err(|error| CallError::Declined(error.into_message())))
    }
}
