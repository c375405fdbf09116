//! Metrics: an accumulator in one instance for each query.

mod spec;

use std::sync::Arc;

use serde_json::{Map, Value as Json};
use telemetry_model::journal::RelationAccess;
use telemetry_model::query::RowSink;
use telemetry_model::{Batch, BatchBuilder, BatchView, Class, FieldType, Value};
use wasmtime::component::ResourceAny;

use crate::call::{CallError, Live};
use crate::journal::QueryWitness;
use crate::manifest::SchemaError;
use crate::plugin::{Exports, Plugin};
use crate::wire::{WireAnswer, WireBatch, WireError, expanded, headers};
pub use spec::{MetricSpec, Output};

/// Values of one report; a value takes more memory than what a plugin writes for it.
const MAX_VALUES: usize = 1_000_000;

/// Why a metric gives no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// A parameter that it has not got, or of another type, or that it declines.
    #[error("parameter {0}")]
    InvalidParameter(#[from] SchemaError),
    /// The plugin failed.
    #[error("metric `{id}` {error}")]
    Failed {
        /// The plugin's id.
        id: Box<str>,
        /// How: `Deadline` is a timeout, the others are failures.
        error: CallError,
    },
}

/// One row of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricRow {
    /// The group's dense id.
    pub group: u32,
    /// A value for each output; null when there is none.
    pub values: Vec<Json>,
}

/// A loaded metric.
pub struct Metric {
    spec: MetricSpec,
    plugin: Arc<Plugin>,
    read_types: Vec<FieldType>,
    output_types: Vec<FieldType>,
}

impl std::fmt::Debug for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metric").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl Metric {
    pub(crate) fn new(plugin: Arc<Plugin>, class: Class) -> Self {
        let spec = MetricSpec::of(&plugin, class);
        let manifest = &plugin.manifest;
        let (read_types, output_types) = (manifest.read_types(), manifest.write_types());
        Metric { spec, plugin, read_types, output_types }
    }

    /// Whether its calls may wait, and so hold a thread for a while.
    pub fn may_wait(&self) -> bool {
        self.plugin.may_wait()
    }

    /// What it is.
    pub fn spec(&self) -> &MetricSpec {
        &self.spec
    }

    /// Starts a query on a fresh instance. Blocking: belongs on the metric pool.
    ///
    /// # Errors
    /// [`MetricError::InvalidParameter`], or how the plugin failed.
    pub fn open(self: &Arc<Self>, parameters: &Map<String, Json>) -> Result<MetricRun, MetricError> {
        let parameters = Json::from(self.spec.parameters.fill(parameters)?).to_string();
        let budget = self.plugin.limits.deadline_ms * 1_000_000;
        self.plugin.callee.prepare();
        let (started, used) = self.plugin.callee.start(budget);
        let failed = |error| MetricError::Failed { id: self.spec.id.clone(), error };
        let mut live = match started {
            Ok(live) => live,
            Err(error) => {
                self.plugin.counters.call(0, 0, &used, Some(&error));
                return Err(failed(error));
            }
        };
        let left = budget.saturating_sub(used.0).max(1);
        let (opened, used) = self.plugin.callee.again(&mut live, left, |live| self.plugin.open_accumulator(live, &parameters));
        self.plugin.counters.call(0, 0, &used, opened.as_ref().err());
        let accumulator = opened.map_err(failed)?;
        let left = left.saturating_sub(used.0);
        let mut witness = self.plugin.recorder().map(QueryWitness::new);
        if let Some(witness) = &mut witness {
            witness.looked_up(&used.1);
        }
        Ok(MetricRun { metric: Arc::clone(self), live: Some(live), accumulator, left, group_count: 0, witness })
    }
}

/// A query in progress. Any error ends it: the instance is gone, further calls answer with an error.
pub struct MetricRun {
    metric: Arc<Metric>,
    live: Option<Live>,
    accumulator: ResourceAny,
    /// CPU time that is left, nanoseconds.
    left: u64,
    group_count: u32,
    witness: Option<QueryWitness>,
}

impl std::fmt::Debug for MetricRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetricRun").field("metric", &self.metric.spec.id).finish_non_exhaustive()
    }
}

impl RowSink for MetricRun {
    type Error = MetricError;

    fn wants_ids(&self) -> bool {
        self.witness.is_some()
    }

    fn ids(&mut self, ids: &[i64]) {
        if let Some(witness) = &mut self.witness {
            witness.ids(ids);
        }
    }

    /// `update`: columns in the order of the spec's reads, then a last column of kind `group`.
    fn rows(&mut self, batch: Batch, group_count: u32) -> Result<(), MetricError> {
        self.group_count = self.group_count.max(group_count);
        if let Some(witness) = &mut self.witness {
            witness.handing(&batch);
        }
        self.take_in(&batch, Taking::Rows)
    }
}

#[derive(Clone, Copy)]
enum Taking {
    Rows,
    States,
}

impl MetricRun {
    /// Linear memory that its instance has by now, bytes; 0 once it has failed.
    pub fn memory_bytes(&self) -> usize {
        self.live.as_ref().map_or(0, |live| live.store.data().memory_bytes())
    }

    /// Makes the groups below `group_count` exist, also when no row falls into them.
    ///
    /// # Errors
    /// As [`RowSink::rows`].
    pub fn ensure_groups(&mut self, group_count: u32) -> Result<(), MetricError> {
        let mut batch = BatchBuilder::new(0, Vec::new());
        self.metric.read_types.iter().for_each(|ty| batch.values(*ty, |_| Value::Absent));
        batch.groups(&[]);
        self.rows(batch.finish(), group_count)
    }

    /// The states: one `bytes` column with a row for each group. Leaves the accumulator as it is.
    ///
    /// # Errors
    /// How the plugin failed.
    pub fn state(&mut self) -> Result<Batch, MetricError> {
        let expected = self.group_count;
        let answer = self.ask(Asking::State)?;
        let rows = BatchView::check(&answer, &[FieldType::Bytes]).map(|view| (view.rows(), view.groups().is_some()));
        match rows {
            Ok((rows, false)) if rows == expected as usize => Ok(answer),
            Ok((rows, _)) => Err(self.broken(format!("{rows} states of {expected} groups"))),
            Err(error) => Err(self.broken(error.to_string())),
        }
    }

    /// Takes in states of [`MetricRun::state`]: `groups` has the group of each.
    ///
    /// # Errors
    /// How the plugin failed.
    pub fn merge(&mut self, states: &Batch, groups: &[u32], group_count: u32) -> Result<(), MetricError> {
        let view = match BatchView::check(states, &[FieldType::Bytes]) {
            Ok(view) => view,
            Err(error) => return Err(self.broken(error.to_string())),
        };
        let mut batch = BatchBuilder::new(groups.len(), Vec::with_capacity(states.data.len() + groups.len() * 4 + 16));
        let column = view.columns().first();
        let cells: Vec<&[u8]> = (0..groups.len()).map(|row| column.and_then(|column| column.bytes(row)).unwrap_or_default()).collect();
        batch.bytes(cells.into_iter());
        batch.groups(groups);
        self.group_count = self.group_count.max(group_count);
        self.take_in(&batch.finish(), Taking::States)
    }

    /// What the plugin was handed so far and, when it has been evaluated, what it said. `None` when no row was, or nothing is noted.
    pub fn take_access(&mut self) -> Option<RelationAccess> {
        self.witness.take()?.finish()
    }

    /// Evaluates: a row for each group, or several, in the plugin's order.
    ///
    /// # Errors
    /// How the plugin failed.
    pub fn finish(mut self) -> Result<Vec<MetricRow>, MetricError> {
        self.answer()
    }

    /// [`MetricRun::finish`], after which [`MetricRun::take_access`] can still be asked.
    ///
    /// # Errors
    /// How the plugin failed.
    pub fn answer(&mut self) -> Result<Vec<MetricRow>, MetricError> {
        let rows = self.evaluate()?;
        if let Some(witness) = &mut self.witness {
            witness.said(&rows);
        }
        Ok(rows)
    }

    fn evaluate(&mut self) -> Result<Vec<MetricRow>, MetricError> {
        let answer = self.ask(Asking::Evaluate)?;
        let view = match BatchView::check(&answer, &self.metric.output_types) {
            Ok(view) => view,
            Err(error) => return Err(self.broken(error.to_string())),
        };
        let limit = self.metric.plugin.limits.output_bytes;
        if view.rows().saturating_mul(view.columns().len()) > MAX_VALUES {
            return Err(self.broken(format!("{} rows, which are more than {MAX_VALUES} values", view.rows())));
        }
        if expanded(&view) > limit {
            return Err(self.broke(CallError::Output(limit)));
        }
        let groups: Vec<u32> = match view.groups() {
            Some(groups) => groups.collect(),
            None if view.rows() == self.group_count as usize => (0..self.group_count).collect(),
            None => return Err(self.broken(format!("{} rows of {} groups", view.rows(), self.group_count))),
        };
        if let Some(unknown) = groups.iter().find(|group| **group >= self.group_count) {
            return Err(self.broken(format!("a row of group {unknown}, there are {}", self.group_count)));
        }
        let row = |(at, group): (usize, &u32)| {
            let values = view.columns().iter().map(|column| json(column.value(at))).collect::<Option<Vec<_>>>()?;
            Some(MetricRow { group: *group, values })
        };
        match groups.iter().enumerate().map(row).collect() {
            Some(rows) => Ok(rows),
            None => Err(self.broken("a `json` value is not JSON".into())),
        }
    }

    fn take_in(&mut self, batch: &Batch, taking: Taking) -> Result<(), MetricError> {
        let (accumulator, count) = (self.accumulator, self.group_count);
        let result = self.call(batch.rows as usize, batch.data.len(), |plugin, live| {
            let Exports::Metric { update, merge, .. } = &plugin.exports else { return Ok(Ok(())) };
            let export = match taking {
                Taking::Rows => update,
                Taking::States => merge,
            };
            type Params<'a> = (ResourceAny, WireBatch<'a>, u32);
            let function = live.instance.get_typed_func::<Params<'_>, (Result<(), WireError>,)>(&mut live.store, export)?;
            let columns = headers(batch);
            let wire = WireBatch { rows: batch.rows, columns: &columns, data: &batch.data };
            let (answer,) = live.invoke(&function, (accumulator, wire, count))?;
            Ok(answer.map_err(|error| CallError::Declined(error.into_message())))
        });
        result.map_err(|error| self.failed(error))
    }

    fn ask(&mut self, asking: Asking) -> Result<Batch, MetricError> {
        let accumulator = self.accumulator;
        let result = self.call(0, 0, |plugin, live| {
            let Exports::Metric { state, evaluate, .. } = &plugin.exports else { return Ok(Ok(Batch::default())) };
            let export = match asking {
                Asking::State => state,
                Asking::Evaluate => evaluate,
            };
            type Answer = (Result<WireAnswer, WireError>,);
            let function = live.instance.get_typed_func::<(ResourceAny,), Answer>(&mut live.store, export)?;
            let (answer,) = live.invoke(&function, (accumulator,))?;
            Ok(answer.map(Batch::from).map_err(|error| CallError::Declined(error.into_message())))
        });
        let answer = result.map_err(|error| self.failed(error))?;
        self.metric.plugin.counters.answer(answer.data.len());
        Ok(answer)
    }

    fn call<T>(
        &mut self,
        rows: usize,
        bytes: usize,
        work: impl FnOnce(&Plugin, &mut Live) -> wasmtime::Result<Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let plugin = &self.metric.plugin;
        let Some(live) = &mut self.live else { return Err(CallError::Host("the query has ended".into())) };
        if self.left == 0 {
            self.live = None;
            return Err(CallError::Deadline(plugin.limits.deadline_ms * 1_000_000));
        }
        let (result, used) = plugin.callee.again(live, self.left, |live| work(plugin, live));
        self.left = self.left.saturating_sub(used.0);
        // What one call had left is not what the query had.
        let result = result.map_err(|error| match error {
            CallError::Deadline(_) => CallError::Deadline(plugin.limits.deadline_ms * 1_000_000),
            other => other,
        });
        plugin.counters.call(rows, bytes, &used, result.as_ref().err());
        if let Some(witness) = &mut self.witness {
            witness.looked_up(&used.1);
        }
        result
    }

    fn failed(&mut self, error: CallError) -> MetricError {
        self.live = None;
        if let Some(witness) = &mut self.witness {
            witness.failed(error.outcome());
        }
        MetricError::Failed { id: self.metric.spec.id.clone(), error }
    }

    fn broken(&mut self, problem: String) -> MetricError {
        self.broke(CallError::Contract(problem))
    }

    /// A call came back well, its answer is of no use.
    fn broke(&mut self, error: CallError) -> MetricError {
        self.metric.plugin.counters.failed(&error);
        self.failed(error)
    }
}

#[derive(Clone, Copy)]
enum Asking {
    State,
    Evaluate,
}

/// `None` when it is said to be JSON and is not.
fn json(value: Value<'_>) -> Option<Json> {
    Some(match value {
        Value::Absent => Json::Null,
        Value::Boolean(flag) => flag.into(),
        Value::Integer(integer) => integer.into(),
        Value::Real(real) => real.into(),
        Value::Time(time) => telemetry_model::Timestamp(time).to_string().into(),
        Value::Text(text) => text.into_owned().into(),
        Value::Json(text) => serde_json::from_str(&text).ok()?,
    })
}

impl Plugin {
    /// Calls `accumulator.open`.
    pub(crate) fn open_accumulator(&self, live: &mut Live, parameters: &str) -> wasmtime::Result<Result<ResourceAny, CallError>> {
        let Exports::Metric { open, .. } = &self.exports else { return Ok(Err(CallError::Contract("not a metric".into()))) };
        let open = live.instance.get_typed_func::<(&str, &str), (Result<ResourceAny, WireError>,)>(&mut live.store, open)?;
        let (answer,) = live.invoke(&open, (&self.config, parameters))?;
        Ok(answer.map_err(|error| CallError::Declined(error.into_message())))
    }

    /// Whether all functions have the shape of the contract; the engine tells only when they are looked up.
    pub(crate) fn check_shapes(&self, live: &mut Live) -> Result<(), crate::load::LoadError> {
        let checked = match &self.exports {
            Exports::Rows { work, .. } if self.manifest.kind == crate::manifest::PluginKind::Validator => live
                .instance
                .get_typed_func::<(WireBatch<'_>,), (Result<Vec<crate::wire::WireViolation>, WireError>,)>(&mut live.store, work)
                .map(|_| ()),
            Exports::Rows { work, .. } => {
                live.instance.get_typed_func::<(WireBatch<'_>,), (Result<WireAnswer, WireError>,)>(&mut live.store, work).map(|_| ())
            }
            Exports::Metric { update, merge, state, evaluate, .. } => {
                let took = [update, merge].into_iter().try_for_each(|export| {
                    type Params<'a> = (ResourceAny, WireBatch<'a>, u32);
                    live.instance.get_typed_func::<Params<'_>, (Result<(), WireError>,)>(&mut live.store, export).map(|_| ())
                });
                took.and_then(|()| {
                    [state, evaluate].into_iter().try_for_each(|export| {
                        type Answer = (Result<WireAnswer, WireError>,);
                        live.instance.get_typed_func::<(ResourceAny,), Answer>(&mut live.store, export).map(|_| ())
                    })
                })
            }
        };
        checked.map_err(|error| crate::load::LoadError::Link(crate::wire::clip(&format!("{error:#}"), 512)))
    }
}
