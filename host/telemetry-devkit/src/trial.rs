//! One component on trial: loaded as the server loads it, every field granted, and asked about rows given as JSON.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use telemetry_model::query::RowSink as _;
use telemetry_model::{Batch, BatchBuilder, Family, Relation, Rows as _};
use telemetry_plugins::{
    Catalog, CatalogError, Enrichment, Form, Grant, Grants, Limits, LookupTable, MODEL_PRICES, Manifest, Metric, MetricError, MetricRun,
    MetricUnavailable, PluginKind, PluginSettings, Policy, PriceOverrides, PriceTable, Tables, read_component,
};

use crate::leaves;
use crate::rows::JsonRows;

/// A loaded component.
#[derive(Debug)]
pub struct Trial {
    catalog: Catalog,
    manifest: Manifest,
    family: Family,
}

/// Where compiled components are kept; without a path they are compiled each time.
#[derive(Clone, Debug, Default)]
pub struct CompileCache {
    /// The folder.
    pub path: Option<PathBuf>,
    /// The folder of the key that authenticates them.
    pub state: Option<PathBuf>,
}

/// What a component is tried with.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Its configuration.
    pub config: Map<String, Json>,
    /// The operator's tables: for each an object of rows by key. One that is asked for and not here is empty, but `model-prices` the
    /// server's own.
    pub tables: BTreeMap<String, Map<String, Json>>,
}

/// Why a component cannot be tried.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The component does not load.
    #[error("`{path}` does not load: {reason}")]
    Refused {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is no engine.
    #[error(transparent)]
    Engine(#[from] CatalogError),
    /// A metric failed.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// A metric is not there.
    #[error(transparent)]
    Unavailable(#[from] MetricUnavailable),
    /// A row names what is no field.
    #[error("{0}")]
    Row(String),
    /// The plugin failed on a row.
    #[error("the plugin failed on row {row}: {outcome}")]
    Failed {
        /// Which.
        row: usize,
        /// How.
        outcome: String,
    },
}

impl Trial {
    /// Loads `component`; everything it asks for is granted.
    ///
    /// # Errors
    /// Why it does not load.
    pub fn load(component: &Path, setup: &Setup, cache: &CompileCache) -> Result<Self, TrialError> {
        let refused = |reason: String| TrialError::Refused { path: component.to_owned(), reason };
        // A trial may run on a busy machine and without optimization: time is not what it is about.
        let limits = Limits { ingest_deadline_ms: 10_000, metric_deadline_ms: 60_000, ..Limits::default() };
        let bytes = read_component(component, limits.max_file).map_err(|error| refused(error.to_string()))?;
        let manifest = telemetry_plugins::inspect_as(Form::of(component), &bytes).map_err(|error| refused(error.to_string()))?.manifest;
        let id = manifest.id.to_string();
        let catalog = Catalog::open(PluginSettings {
            policy: Policy::Open,
            candidate: Some(component.to_owned()),
            grants: Grants([(id.clone(), everything(&manifest))].into()),
            tables: tables(&manifest, setup),
            cache_path: cache.path.clone(),
            state_path: cache.state.clone(),
            without_shipped: true,
            config: [(id, setup.config.clone())].into(),
            limits,
            ..PluginSettings::default()
        })?;
        if let Some((_, error)) = catalog.refused().next() {
            return Err(refused(error.to_string()));
        }
        let family = manifest.families.as_ref().and_then(|families| families.first().copied()).unwrap_or(Family::Other);
        Ok(Trial { catalog, manifest, family })
    }

    /// What the component is.
    pub fn kind(&self) -> PluginKind {
        self.manifest.kind
    }

    /// What it asks for.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The catalog that holds it and nothing else.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Reads rows of its source; an event without a name is of the first family that the plugin is called for.
    ///
    /// # Errors
    /// Names what is no field.
    pub fn rows(&self, rows: &[Json]) -> Result<JsonRows, TrialError> {
        JsonRows::parse(rows, self.manifest.source, self.family).map_err(TrialError::Row)
    }

    /// Lets an enricher work on rows, before or after the commit as its source has it.
    pub(crate) fn enrich(&self, rows: &JsonRows) -> Enrichment {
        match self.manifest.source {
            Relation::Events => self.catalog.enrich(rows),
            relation => self.catalog.enrich_rows(relation, Some(&self.manifest.id), rows),
        }
    }

    /// For each row what an enricher sets, or the list of a validator's violations.
    ///
    /// # Errors
    /// When the plugin fails on a row.
    pub fn answer(&self, rows: &JsonRows) -> Result<Vec<Json>, TrialError> {
        let (answers, runs): (Vec<Json>, _) = if self.kind() == PluginKind::Validator {
            let validation = self.catalog.validate(rows);
            let violation = |said: telemetry_plugins::Violation| json!({"field": said.field, "code": said.code, "severity": said.severity, "message": said.message});
            (validation.violations.into_iter().map(|row| row.into_iter().map(violation).collect()).collect(), validation.runs)
        } else {
            let enrichment = self.enrich(rows);
            let row = |row: Vec<telemetry_model::outcome::Derived>| {
                row.into_iter().map(|derived| (derived.key.to_string(), derived.value.to_value())).collect::<Map<_, _>>().into()
            };
            (enrichment.derived.into_iter().map(row).collect(), enrichment.runs)
        };
        for (row, runs) in runs.iter().enumerate() {
            if let Some(failed) = runs.iter().find(|run| run.outcome != telemetry_model::outcome::RunOutcome::Ok) {
                return Err(TrialError::Failed { row, outcome: format!("{:?}", failed.outcome) });
            }
        }
        Ok(answers)
    }

    /// For each leaf, `{"text": ..}` with `part`, `field` and `pointer` if need be, its text as a masker leaves it.
    ///
    /// # Errors
    /// When a leaf has no text, or the masker fails on one.
    pub fn masked(&self, leaves: &[Json]) -> Result<Vec<Json>, TrialError> {
        leaves::masked(&self.catalog, leaves)
    }

    /// Opens an accumulator of a metric.
    ///
    /// # Errors
    /// When the component is no metric, or declines.
    pub fn accumulator(&self, parameters: &Map<String, Json>) -> Result<Accumulator, TrialError> {
        let metric = self.catalog.metric(&self.manifest.id)?;
        Ok(Accumulator { run: metric.open(parameters)?, metric })
    }
}

/// A grant of all that `manifest` asks for.
fn everything(manifest: &Manifest) -> Grant {
    let asked = &manifest.capabilities;
    let mask = manifest.kind == PluginKind::Masker;
    Grant { lookup: asked.lookup.clone(), wasi: asked.wasi.clone(), warm: asked.warm, mask, ..Grant::default() }
}

/// The rows of a table as JSON text, by key.
struct Rows(BTreeMap<String, String>);

impl LookupTable for Rows {
    fn exact(&self, key: &str) -> Option<String> {
        self.0.get(key).cloned()
    }

    fn longest_prefix(&self, key: &str) -> Option<String> {
        let longest = self.0.iter().filter(|(known, _)| key.starts_with(known.as_str())).max_by_key(|(known, _)| known.len());
        longest.map(|(_, row)| row.clone())
    }

    /// A trial is compared with nothing.
    fn digest(&self) -> &str {
        "trial"
    }
}

fn tables(manifest: &Manifest, setup: &Setup) -> Tables {
    let table = |name: &String| {
        if name == MODEL_PRICES && !setup.tables.contains_key(name) {
            let table: Arc<dyn LookupTable> = Arc::new(PriceTable::new(PriceOverrides::default()));
            return (name.clone(), table);
        }
        let rows = setup.tables.get(name).into_iter().flatten().map(|(key, row)| (key.clone(), row.to_string()));
        let table: Arc<dyn LookupTable> = Arc::new(Rows(rows.collect()));
        (name.clone(), table)
    };
    Tables(manifest.capabilities.lookup.iter().map(table).collect())
}

/// A metric at work.
#[derive(Debug)]
pub struct Accumulator {
    run: MetricRun,
    metric: Arc<Metric>,
}

impl Accumulator {
    /// Takes rows in; `groups` has the group of each.
    ///
    /// # Errors
    /// How the plugin failed.
    pub fn update(&mut self, rows: &JsonRows, groups: &[u32], group_count: u32) -> Result<(), TrialError> {
        let mut batch = BatchBuilder::new(rows.len(), Vec::new());
        for (field, ty) in &self.metric.spec().reads {
            batch.values(*ty, |row| rows.value(row, field));
        }
        batch.groups(groups);
        Ok(self.run.rows(batch.finish(), group_count)?)
    }

    /// Linear memory of its instance, bytes.
    pub fn memory_bytes(&self) -> usize {
        self.run.memory_bytes()
    }

    /// The states of all groups.
    ///
    /// # Errors
    /// How the plugin failed.
    pub fn state(&mut self) -> Result<Batch, TrialError> {
        Ok(self.run.state()?)
    }

    /// Takes states in; `groups` has the group of each.
    ///
    /// # Errors
    /// How the plugin failed.
    pub fn merge(&mut self, states: &Batch, groups: &[u32], group_count: u32) -> Result<(), TrialError> {
        Ok(self.run.merge(states, groups, group_count)?)
    }

    /// The report's rows in order, without null columns; with `group` when a group has several.
    ///
    /// # Errors
    /// How the plugin failed.
    pub fn evaluate(self) -> Result<Vec<Json>, TrialError> {
        let rows = self.run.finish()?;
        let in_order = rows.iter().enumerate().all(|(place, row)| row.group as usize == place);
        let outputs = &self.metric.spec().outputs;
        let object = |row: telemetry_plugins::MetricRow| {
            let values = outputs.iter().zip(row.values).filter(|(_, value)| !value.is_null());
            let mut object: Map<_, _> = values.map(|(output, value)| (output.name.to_string(), value)).collect();
            if !in_order {
                object.insert("group".to_owned(), row.group.into());
            }
            Json::Object(object)
        };
        Ok(rows.into_iter().map(object).collect())
    }
}
