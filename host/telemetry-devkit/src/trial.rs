//! One component on trial: loaded as the server loads it, every field granted, and asked about rows given as JSON.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use telemetry_model::query::RowSink as _;
use telemetry_model::{Batch, BatchBuilder, Family, Relation, Rows as _};
use telemetry_plugins::{
    Catalog, CatalogError, Limits, Metric, MetricError, MetricRun, MetricUnavailable, PluginKind, PluginSettings, Policy,
};

use crate::rows::JsonRows;

/// A loaded component.
#[derive(Debug)]
pub struct Trial {
    catalog: Catalog,
    id: String,
    kind: PluginKind,
    source: Relation,
    family: Family,
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
    /// The scratch folder cannot be used.
    #[error("cannot use `{path}`")]
    Scratch {
        /// Which folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
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
    /// Loads `component`. `scratch` is an empty folder for this call's use; compiled components are kept in `cache`.
    ///
    /// # Errors
    /// Why it does not load.
    pub fn load(component: &Path, config: &Map<String, Json>, scratch: &Path, cache: &Path) -> Result<Self, TrialError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            |source| TrialError::Scratch { path, source }
        };
        let bytes = fs::read(component).map_err(at(component))?;
        let inspected = telemetry_plugins::inspect(&bytes);
        let refused = |reason: String| TrialError::Refused { path: component.to_owned(), reason };
        let manifest = inspected.map_err(|error| refused(error.to_string()))?.manifest;
        let id = manifest.id.to_string();
        fs::write(scratch.join(format!("{id}.wasm")), &bytes).map_err(at(scratch))?;
        // A trial may run on a busy machine and without optimization: time is not what it is about.
        let limits = Limits { ingest_deadline_ms: 10_000, metric_deadline_ms: 60_000, ..Limits::default() };
        let catalog = Catalog::open(PluginSettings {
            policy: Policy::Open,
            path: Some(scratch.to_owned()),
            cache_path: Some(cache.to_owned()),
            without_shipped: true,
            config: [(id.clone(), config.clone())].into(),
            limits,
            ..PluginSettings::default()
        })?;
        if let Some((_, error)) = catalog.refused().next() {
            return Err(refused(error.to_string()));
        }
        let family = manifest.families.as_ref().and_then(|families| families.first().copied()).unwrap_or(Family::Other);
        Ok(Trial { catalog, id, kind: manifest.kind, source: manifest.source, family })
    }

    /// What the component is.
    pub fn kind(&self) -> PluginKind {
        self.kind
    }

    /// Reads rows of its source; an event without a name is of the first family that the plugin is called for.
    ///
    /// # Errors
    /// Names what is no field.
    pub fn rows(&self, rows: &[Json]) -> Result<JsonRows, TrialError> {
        JsonRows::parse(rows, self.source, self.family).map_err(TrialError::Row)
    }

    /// For each row what an enricher sets, or the list of a validator's violations.
    ///
    /// # Errors
    /// When the plugin fails on a row.
    pub fn answer(&self, rows: &JsonRows) -> Result<Vec<Json>, TrialError> {
        let (answers, runs): (Vec<Json>, _) = if self.kind == PluginKind::Validator {
            let validation = self.catalog.validate(rows);
            let violation = |said: telemetry_plugins::Violation| json!({"field": said.field, "code": said.code, "severity": said.severity, "message": said.message});
            (validation.violations.into_iter().map(|row| row.into_iter().map(violation).collect()).collect(), validation.runs)
        } else {
            let enrichment = self.catalog.enrich(rows);
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

    /// Opens an accumulator of a metric.
    ///
    /// # Errors
    /// When the component is no metric, or declines.
    pub fn accumulator(&self, parameters: &Map<String, Json>) -> Result<Accumulator, TrialError> {
        let metric = self.catalog.metric(&self.id)?;
        Ok(Accumulator { run: metric.open(parameters)?, metric })
    }
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
