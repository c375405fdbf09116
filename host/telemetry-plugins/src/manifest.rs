//! What a plugin asks for: `plugin.toml`, carried by the component in one custom section.

pub(crate) mod raw;
mod schema;

use std::collections::BTreeMap;

use serde::Serialize;
use telemetry_model::{Family, Field, FieldType, Relation};

pub use schema::{Parameter, Schema, SchemaError};

/// The custom section that holds the manifest.
pub const MANIFEST_SECTION: &str = "agent-telemetry:manifest";
/// The custom section that holds the build's record (JSON).
pub const BUILD_SECTION: &str = "agent-telemetry:build";

/// What a plugin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PluginKind {
    /// Says what is wrong with an event.
    Validator,
    /// Adds attributes.
    Enricher,
    /// Finds what must not be kept.
    Masker,
    /// Computes a report.
    Metric,
}

impl PluginKind {
    /// The word in manifests, and the name of its WIT package.
    pub fn as_str(self) -> &'static str {
        match self {
            PluginKind::Validator => "validator",
            PluginKind::Enricher => "enricher",
            PluginKind::Masker => "masker",
            PluginKind::Metric => "metric",
        }
    }
}

/// A checked manifest.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Kebab-case, at most 64 bytes.
    pub id: Box<str>,
    /// Free text, at most 64 bytes.
    pub version: Box<str>,
    /// What it is.
    pub kind: PluginKind,
    /// For people.
    pub description: Box<str>,
    /// SPDX.
    pub license: Option<Box<str>>,
    /// Whose rows it takes.
    pub source: Relation,
    /// Source `events`: the families it is called for; `None` for all.
    pub families: Option<Vec<Family>>,
    /// The columns it gets, in order.
    pub reads: Vec<Read>,
    /// The columns it gives, in order.
    pub writes: Vec<Write>,
    /// What it asks beside columns.
    pub capabilities: Capabilities,
    /// Limits it asks within the host's ceilings.
    pub limits: AskedLimits,
    /// Its configuration.
    pub config: Schema,
    /// A metric's parameters.
    pub parameters: Schema,
    /// A metric's grain.
    pub rollup: Option<Rollup>,
    /// Which leaves a masker wants.
    pub leaves: Leaves,
}

/// A declared column to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Which field.
    pub field: Field,
    /// As which type.
    pub ty: FieldType,
}

/// A declared column to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// An attribute's key, or a report's column.
    pub key: Box<str>,
    /// Its type.
    pub ty: FieldType,
    /// UCUM.
    pub unit: Option<Box<str>>,
    /// For people.
    pub description: Option<Box<str>>,
}

/// What a plugin asks beside columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capabilities {
    /// Tables of the operator's.
    pub lookup: Vec<String>,
    /// Parts of WASI.
    pub wasi: Vec<String>,
    /// To be kept between batches.
    pub warm: bool,
}

/// Which leaves a masker wants, and what of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Leaves {
    /// It finds nothing in texts of fewer bytes: they are not handed to it.
    pub min_bytes: u32,
    /// It wants to know where in the event a leaf stands; what it finds may not depend on it.
    pub pointer: bool,
}

/// Limits a plugin asks for; absent is the host's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskedLimits {
    /// Linear memory, MiB.
    pub memory_mib: Option<u32>,
    /// CPU time of a batch before rows and bytes are added (a metric: of a query), milliseconds.
    pub deadline_ms: Option<u32>,
    /// What it may return, MiB.
    pub output_mib: Option<u32>,
}

/// In which grain a metric's states may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollup {
    /// Fields to group by.
    pub dimensions: Vec<Field>,
    /// At most so many groups an hour.
    pub max_groups: u32,
}

/// Why a manifest is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not UTF-8, or larger than 64 KiB.
    #[error("not readable: {0}")]
    Unreadable(&'static str),
    /// Not TOML, an unknown key, a missing key, a value of the wrong type.
    #[error("line {line}: {message}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// An expression of a rule that does not do.
    #[error("line {line}, column {column}: {problem}")]
    Rule {
        /// Counted from 1.
        line: usize,
        /// Characters, counted from 1.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A value that does not do.
    #[error("`{key}`: {problem}")]
    Value {
        /// Where.
        key: String,
        /// Why.
        problem: String,
    },
}

impl ManifestError {
    pub(crate) fn value(key: impl Into<String>, problem: impl Into<String>) -> Self {
        ManifestError::Value { key: key.into(), problem: problem.into() }
    }
}

/// A plugin that is a file of text: a manifest and a rule.
#[derive(Clone, Debug)]
pub struct TextPlugin {
    /// What it asks for; what it reads and writes follows from the rule.
    pub manifest: Manifest,
    /// The rule as the component `script` runs it.
    pub program: String,
    /// Rows and what is expected of them, as a file in `cases/` of another plugin has them.
    pub cases: Vec<toml::Table>,
}

impl TextPlugin {
    /// Reads a text plugin.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line or key, in a rule with line and column.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let (raw, text) = read(bytes)?;
        raw.check_text(text)
    }
}

fn read(bytes: &[u8]) -> Result<(raw::RawManifest, &str), ManifestError> {
    if bytes.len() > 64 << 10 {
        return Err(ManifestError::Unreadable("larger than 64 KiB"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ManifestError::Unreadable("not UTF-8"))?;
    let raw = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
        ManifestError::Syntax { line, message: error.message().replace('\n', " ") }
    })?;
    Ok((raw, text))
}

impl Manifest {
    /// Reads `plugin.toml`.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line or key.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        read(bytes)?.0.check()
    }

    /// Types of [`Manifest::reads`].
    pub fn read_types(&self) -> Vec<FieldType> {
        self.reads.iter().map(|read| read.ty).collect()
    }

    /// Types of [`Manifest::writes`].
    pub fn write_types(&self) -> Vec<FieldType> {
        self.writes.iter().map(|write| write.ty).collect()
    }
}

pub(crate) type RawSchema = BTreeMap<String, schema::RawParameter>;

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
id = "token-usage"
version = "0.1.0"
kind = "metric"
description = "tokens"
source = "llm_calls"
[[reads]]
field = "call.model"
type = "text"
[[writes]]
key = "input_tokens"
type = "integer"
unit = "{token}"
[limits]
memory_mib = 16
[parameters.top]
type = "integer"
default = 5
[rollup]
dimensions = ["call.model"]
max_groups = 1000
"#;

    #[test]
    fn reads_a_manifest() {
        let manifest = Manifest::parse(GOOD.as_bytes()).unwrap();
        assert_eq!((&*manifest.id, manifest.kind, manifest.source), ("token-usage", PluginKind::Metric, Relation::LlmCalls));
        assert_eq!(manifest.reads[0].field.to_string(), "call.model");
        assert_eq!(manifest.limits.memory_mib, Some(16));
        assert_eq!(manifest.rollup.unwrap().max_groups, 1000);
    }

    #[test]
    fn refuses_each_bad_value_by_name() {
        for (from, to, says) in [
            ("id = \"token-usage\"", "id = \"Token\"", "`id`"),
            ("id = \"token-usage\"", "id = \"../../etc\"", "`id`"),
            ("version = \"0.1.0\"", "version = \"\"", "`version`"),
            ("description = \"tokens\"", "colour = \"red\"", "line 5: unknown field `colour`"),
            ("kind = \"metric\"", "kind = \"exporter\"", "line 4: unknown variant `exporter`"),
            ("kind = \"metric\"", "kind = \"validator\"", "source"),
            ("kind = \"metric\"", "kind = \"enricher\"", "parameters"),
            ("call.model", "call.modell", "not a field"),
            ("type = \"text\"", "type = \"float\"", "`float` is not a type"),
            ("call.model\"\ntype = \"text\"", "call.model\"\ntype = \"integer\"", "is text"),
            ("key = \"input_tokens\"", "key = \"\"", "writes[0]"),
            ("default = 5", "default = \"five\"", "parameters.top"),
            ("memory_mib = 16", "memory_mib = -1", "line 15"),
            ("memory_mib = 16", "memory_mib = 0", "limits.memory_mib"),
            ("id = ", "id == ", "line 2"),
        ] {
            let text = GOOD.replacen(from, to, 1);
            let error = Manifest::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{to}: {error}");
        }
        assert!(Manifest::parse(&[0xff]).is_err());
        assert!(Manifest::parse(&vec![b'#'; 65 << 10]).is_err());
        let deep = format!("id = {}", "[".repeat(60_000));
        assert!(Manifest::parse(deep.as_bytes()).is_err());
    }
}
