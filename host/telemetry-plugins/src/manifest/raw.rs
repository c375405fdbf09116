//! The manifest as TOML has it, and its checks.

use std::collections::BTreeSet;

use serde::Deserialize;
use telemetry_model::{Family, Field, FieldType, Relation};

use super::schema::Schema;
use super::{AskedLimits, Capabilities, Leaves, Manifest, ManifestError, PluginKind, RawSchema, Read, Rollup, TextPlugin, Write};
use crate::rule::RawRule;

const MAX_COLUMNS: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawManifest {
    id: String,
    version: String,
    kind: PluginKind,
    #[serde(default)]
    description: String,
    license: Option<String>,
    source: Option<String>,
    families: Option<Vec<String>>,
    #[serde(default)]
    reads: Vec<RawRead>,
    #[serde(default)]
    writes: Vec<RawWrite>,
    #[serde(default)]
    capabilities: Capabilities,
    #[serde(default)]
    limits: AskedLimits,
    #[serde(default)]
    config: RawSchema,
    #[serde(default)]
    parameters: RawSchema,
    rollup: Option<RawRollup>,
    leaves: Option<Leaves>,
    /// Of a text plugin only.
    rule: Option<RawRule>,
    cases: Option<Vec<toml::Table>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRead {
    field: String,
    #[serde(rename = "type")]
    ty: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWrite {
    key: String,
    #[serde(rename = "type")]
    ty: String,
    unit: Option<String>,
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRollup {
    dimensions: Vec<String>,
    max_groups: u32,
}

impl RawManifest {
    /// The manifest of a component.
    pub(super) fn check(self) -> Result<Manifest, ManifestError> {
        if self.rule.is_some() || self.cases.is_some() {
            let key = if self.rule.is_some() { "rule" } else { "cases" };
            return Err(ManifestError::value(key, "only a text plugin has that: a file `.toml` of its own in the drop-in folder"));
        }
        let manifest = self.draft()?;
        whole(&manifest)?;
        Ok(manifest)
    }

    /// A text plugin, whose file is `text`.
    pub(super) fn check_text(mut self, text: &str) -> Result<TextPlugin, ManifestError> {
        let rule = self.rule.take().ok_or_else(|| ManifestError::value("rule", "is missing: a text plugin has a table [rule]"))?;
        let cases = self.cases.take().unwrap_or_default();
        let mut manifest = self.draft()?;
        let program = crate::rule::compile(&mut manifest, rule, text)?;
        whole(&manifest)?;
        Ok(TextPlugin { manifest, program, cases })
    }

    fn draft(self) -> Result<Manifest, ManifestError> {
        check_id(&self.id)?;
        check_text("version", &self.version, 64, true)?;
        check_text("description", &self.description, 1024, false)?;
        let source = match self.source.as_deref() {
            None => Relation::Events,
            Some(text) => text.parse().map_err(|error| ManifestError::value("source", format!("{error}")))?,
        };
        let reads = self.reads.into_iter().enumerate().map(|(at, raw)| read(at, raw, source)).collect::<Result<Vec<_>, _>>()?;
        let writes = self.writes.into_iter().enumerate().map(|(at, raw)| write(at, raw)).collect::<Result<Vec<_>, _>>()?;
        let rollup = self.rollup.map(|raw| rollup(raw, source)).transpose()?;
        if self.leaves.is_some() && self.kind != PluginKind::Masker {
            return Err(ManifestError::value("leaves", format!("only a masker takes leaves, not a {}", self.kind.as_str())));
        }
        Ok(Manifest {
            id: self.id.into(),
            version: self.version.into(),
            kind: self.kind,
            description: self.description.into(),
            license: self.license.map(Into::into),
            source,
            families: self.families.map(families).transpose()?,
            reads,
            writes,
            capabilities: self.capabilities,
            limits: self.limits,
            config: Schema::check("config", self.config)?,
            parameters: Schema::check("parameters", self.parameters)?,
            rollup,
            leaves: self.leaves.unwrap_or_default(),
        })
    }
}

/// What plugins that are no metrics may take.
fn sources(kind: PluginKind) -> String {
    match kind {
        PluginKind::Enricher => "an enricher takes `events`, `llm_calls` or `tool_executions`".to_owned(),
        other => format!("a {} takes `events`", other.as_str()),
    }
}

/// What depends on more than one key.
fn whole(manifest: &Manifest) -> Result<(), ManifestError> {
    let kind = manifest.kind.as_str();
    if manifest.kind != PluginKind::Metric {
        let over_rows = manifest.kind == PluginKind::Enricher && matches!(manifest.source, Relation::LlmCalls | Relation::ToolExecutions);
        if manifest.source != Relation::Events && !over_rows {
            return Err(ManifestError::value("source", format!("{} in this series, not `{}`", sources(manifest.kind), manifest.source)));
        }
        if !manifest.parameters.is_empty() {
            return Err(ManifestError::value("parameters", format!("only a metric has parameters, not a {kind}")));
        }
        if manifest.rollup.is_some() {
            return Err(ManifestError::value("rollup", format!("only a metric has a rollup grain, not a {kind}")));
        }
    }
    if manifest.kind == PluginKind::Masker && !manifest.reads.is_empty() {
        return Err(ManifestError::value("reads", "a masker reads every string of an event; what it wants of them stands under [leaves]"));
    }
    if manifest.kind == PluginKind::Masker && manifest.families.is_some() {
        return Err(ManifestError::value("families", "a masker sees the events of all families"));
    }
    if manifest.families.is_some() && manifest.source != Relation::Events {
        return Err(ManifestError::value("families", "only rows of `events` have families"));
    }
    match (manifest.kind, manifest.writes.is_empty()) {
        (PluginKind::Validator | PluginKind::Masker, false) => {
            return Err(ManifestError::value("writes", format!("a {kind} writes no columns")));
        }
        (PluginKind::Enricher | PluginKind::Metric, true) => {
            return Err(ManifestError::value("writes", format!("a {kind} has at least one")));
        }
        _ => {}
    }
    for (name, count) in [("reads", manifest.reads.len()), ("writes", manifest.writes.len())] {
        if count > MAX_COLUMNS {
            return Err(ManifestError::value(name, format!("{count} columns, at most {MAX_COLUMNS}")));
        }
    }
    let mut keys = BTreeSet::new();
    if let Some(twice) = manifest.writes.iter().find(|write| !keys.insert(&*write.key)) {
        return Err(ManifestError::value("writes", format!("`{}` is declared twice", twice.key)));
    }
    let asked = &manifest.limits;
    for (name, value) in [("memory_mib", asked.memory_mib), ("deadline_ms", asked.deadline_ms), ("output_mib", asked.output_mib)] {
        if value == Some(0) {
            return Err(ManifestError::value(format!("limits.{name}"), "is 0"));
        }
    }
    Ok(())
}

fn read(at: usize, raw: RawRead, source: Relation) -> Result<Read, ManifestError> {
    let field = field(&raw.field, source).map_err(|problem| ManifestError::value(format!("reads[{at}].field"), problem))?;
    let ty = column_type(format!("reads[{at}].type"), &raw.ty)?;
    match field.fixed_type() {
        Some(fixed) if fixed != ty && ty != FieldType::Json => {
            Err(ManifestError::value(format!("reads[{at}].type"), format!("`{field}` is {}, not {}", fixed.as_str(), ty.as_str())))
        }
        _ => Ok(Read { field, ty }),
    }
}

/// A field; a misspelt one of the relation's is not taken for an attribute.
pub(crate) fn field(name: &str, source: Relation) -> Result<Field, String> {
    let field = Field::parse(name, source).map_err(|error| error.to_string())?;
    let prefix = name.split_once('.').map(|(prefix, _)| prefix);
    match field {
        Field::Attribute(_) if prefix == Some(source.prefix()) => {
            Err(format!("`{name}` is not a field of `{source}`; an attribute of that name is written attributes[\"{name}\"]"))
        }
        field => Ok(field),
    }
}

fn write(at: usize, raw: RawWrite) -> Result<Write, ManifestError> {
    check_text(&format!("writes[{at}].key"), &raw.key, 128, true)?;
    let ty = column_type(format!("writes[{at}].type"), &raw.ty)?;
    Ok(Write { key: raw.key.into(), ty, unit: raw.unit.map(Into::into), description: raw.description.map(Into::into) })
}

/// A column that no `[[writes]]` describes.
pub(crate) fn write_of(key: &str, ty: FieldType) -> Result<Write, ManifestError> {
    check_text("rule", key, 128, true)?;
    Ok(Write { key: key.into(), ty, unit: None, description: None })
}

fn column_type(key: String, text: &str) -> Result<FieldType, ManifestError> {
    match text.parse() {
        Ok(FieldType::Bytes) => Err(ManifestError::value(key, "`bytes` is for states of metrics only")),
        Ok(ty) => Ok(ty),
        Err(error) => Err(ManifestError::value(key, error.to_string())),
    }
}

fn families(names: Vec<String>) -> Result<Vec<Family>, ManifestError> {
    let found = names.iter().map(|name| {
        Family::ALL
            .into_iter()
            .find(|family| family.as_str() == name)
            .ok_or_else(|| ManifestError::value("families", format!("`{name}` is not a family (llm, tool, security, other)")))
    });
    let found = found.collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() { Err(ManifestError::value("families", "is empty: leave it out for all")) } else { Ok(found) }
}

fn rollup(raw: RawRollup, source: Relation) -> Result<Rollup, ManifestError> {
    let dimensions = raw.dimensions.iter().map(|name| field(name, source)).collect::<Result<Vec<_>, _>>();
    let dimensions = dimensions.map_err(|problem| ManifestError::value("rollup.dimensions", problem))?;
    Ok(Rollup { dimensions, max_groups: raw.max_groups })
}

fn check_id(id: &str) -> Result<(), ManifestError> {
    if is_kebab(id) && id.len() <= 64 {
        return Ok(());
    }
    let shown: String = id.chars().take(64).filter(|c| !c.is_control()).collect();
    Err(ManifestError::value("id", format!("`{shown}` is not kebab-case (a-z, 0-9, single `-`) of at most 64 bytes")))
}

/// `a-z`, `0-9`, single hyphens between, a letter first.
pub(crate) fn is_kebab(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && !text.contains("--")
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn check_text(key: &str, text: &str, max: usize, required: bool) -> Result<(), ManifestError> {
    if required && text.is_empty() {
        return Err(ManifestError::value(key, "is empty"));
    }
    if text.len() > max {
        return Err(ManifestError::value(key, format!("{} bytes, at most {max}", text.len())));
    }
    match text.chars().any(char::is_control) {
        true => Err(ManifestError::value(key, "has control characters")),
        false => Ok(()),
    }
}
