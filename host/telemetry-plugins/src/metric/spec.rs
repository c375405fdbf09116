//! What a metric takes and gives.

use std::sync::Arc;

use telemetry_model::outcome::PluginVersion;
use telemetry_model::{Class, Field, FieldType, Relation};

use crate::manifest::{Rollup, Schema};
use crate::plugin::Plugin;

/// What a metric is.
#[derive(Clone, Debug)]
pub struct MetricSpec {
    /// The plugin's id.
    pub id: Box<str>,
    /// For people.
    pub description: Box<str>,
    /// Whose rows it takes.
    pub source: Relation,
    /// The families of events it takes; `None` for all, and for other sources.
    pub families: Option<Vec<telemetry_model::Family>>,
    /// The columns it takes, in order.
    pub reads: Vec<(Field, FieldType)>,
    /// The columns it gives, in order.
    pub outputs: Vec<Output>,
    /// Its parameters.
    pub parameters: Schema,
    /// In which grain its states may be kept.
    pub rollup: Option<Rollup>,
    /// Who computes it.
    pub version: Arc<PluginVersion>,
    /// The highest class of what it reads: so is what it gives.
    pub class: Class,
}

/// A column of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The column's name.
    pub name: Box<str>,
    /// Its type.
    pub ty: FieldType,
    /// UCUM.
    pub unit: Option<Box<str>>,
    /// For people.
    pub description: Option<Box<str>>,
}

impl MetricSpec {
    /// As the manifest has it; `class` is the highest of what it reads.
    pub(super) fn of(plugin: &Plugin, class: Class) -> Self {
        let manifest = &plugin.manifest;
        let outputs = manifest.writes.iter().map(|write| Output {
            name: write.key.clone(),
            ty: write.ty,
            unit: write.unit.clone(),
            description: write.description.clone(),
        });
        MetricSpec {
            id: manifest.id.clone(),
            description: manifest.description.clone(),
            source: manifest.source,
            families: manifest.families.clone(),
            reads: manifest.reads.iter().map(|read| (read.field.clone(), read.ty)).collect(),
            outputs: outputs.collect(),
            parameters: manifest.parameters.clone(),
            rollup: manifest.rollup.clone(),
            version: Arc::clone(&plugin.version),
            class,
        }
    }
}
