//! What a component is and asks for, without running it.

use std::fmt;
use std::path::Path;

use serde_json::{Value as Json, json};
use telemetry_model::{Class, Field, FieldType};
use telemetry_plugins::{Form, Inspected, LoadError, Schema, read_component};

use crate::section::BuildNote;

/// A component's portrait.
#[derive(Debug)]
pub struct Portrait {
    /// The file's size, bytes.
    pub size: u64,
    inspected: Inspected,
    note: Option<BuildNote>,
}

/// Looks at the component in `path`, of at most `max_file` bytes.
///
/// # Errors
/// What the server would refuse it for before it decides on grants.
pub fn portrait(path: &Path, max_file: u64) -> Result<Portrait, LoadError> {
    let bytes = read_component(path, max_file)?;
    let inspected = telemetry_plugins::inspect_as(Form::of(path), &bytes)?;
    let note = inspected.build.as_deref().and_then(BuildNote::from_json);
    Ok(Portrait { size: bytes.len() as u64, inspected, note })
}

impl Portrait {
    /// What it is and asks for.
    pub fn inspected(&self) -> &Inspected {
        &self.inspected
    }

    /// As one JSON object.
    pub fn to_json(&self) -> Json {
        let Inspected { manifest, digest, imports, exports, .. } = &self.inspected;
        json!({
            "id": &*manifest.id,
            "version": &*manifest.version,
            "kind": manifest.kind,
            "description": &*manifest.description,
            "license": manifest.license.as_deref(),
            "class": word(self.class()),
            "source": manifest.source.as_str(),
            "families": manifest.families.as_ref().map(|families| families.iter().map(|family| family.as_str()).collect::<Vec<_>>()),
            "reads": manifest.reads.iter().map(|read| json!({"field": read.field.to_string(), "type": read.ty.as_str(), "class": word(read.field.class())})).collect::<Vec<_>>(),
            "writes": manifest.writes.iter().map(|write| json!({"key": &*write.key, "type": write.ty.as_str(), "unit": write.unit.as_deref(), "description": write.description.as_deref()})).collect::<Vec<_>>(),
            "imports": imports,
            "exports": exports,
            "capabilities": manifest.capabilities,
            "limits": manifest.limits,
            "config": manifest.config,
            "parameters": manifest.parameters,
            "form": if self.inspected.program.is_some() { "rule" } else { "component" },
            "sha256": digest,
            "bytes": self.size,
            "toolchain": self.note.as_ref().map(|note| &note.toolchain),
            "sdk": self.note.as_ref().map(|note| &note.sdk).filter(|sdk| !sdk.is_empty()),
            "source_sha256": self.note.as_ref().map(|note| &note.source_sha256),
        })
    }

    /// The highest class of what it reads, before anything that other plugins derive.
    pub fn class(&self) -> Class {
        self.inspected.manifest.reads.iter().map(|read| read.field.class()).max().unwrap_or(Class::Metadata)
    }
}

impl fmt::Display for Portrait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inspected { manifest, digest, imports, exports, .. } = &self.inspected;
        writeln!(f, "{} {}: {}", manifest.id, manifest.version, manifest.kind.as_str())?;
        writeln!(f, "  {}", manifest.description)?;
        let families = manifest.families.iter().flatten().map(|family| family.as_str()).collect::<Vec<_>>().join(", ");
        let of = if families.is_empty() { String::new() } else { format!(" of the families {families}") };
        line(f, "source", &format!("{}{of}", manifest.source))?;
        line(f, "class", &format!("reads {}", if self.class() == Class::Content { "content" } else { "metadata only" }))?;
        list(f, "reads", manifest.reads.iter().map(|read| column(&read.field.to_string(), read.ty, Some(&read.field), None)))?;
        list(f, "writes", manifest.writes.iter().map(|write| column(&write.key, write.ty, None, write.unit.as_deref())))?;
        list(f, "imports", imports.iter().cloned())?;
        list(f, "exports", exports.iter().cloned())?;
        let asked = &manifest.capabilities;
        list(f, "lookup", asked.lookup.iter().cloned())?;
        list(f, "wasi", asked.wasi.iter().cloned())?;
        if asked.warm {
            line(f, "warm", "asks to be kept between batches")?;
        }
        for (name, schema) in [("config", &manifest.config), ("parameters", &manifest.parameters)] {
            list(f, name, settings(schema))?;
        }
        line(f, "sha256", digest)?;
        line(f, "size", &format!("{} bytes", self.size))?;
        if self.inspected.program.is_some() {
            line(f, "runs on", "the shipped component `script`: it is a rule")?;
            return write!(f, "  {:<10} {}", "licence", manifest.license.as_deref().unwrap_or("not told"));
        }
        let note = self.note.as_ref();
        line(f, "toolchain", note.map_or("unknown: the component has no note of its build", |note| &note.toolchain))?;
        if let Some(sdk) = note.map(|note| &note.sdk).filter(|sdk| !sdk.is_empty()) {
            line(f, "sdk", sdk)?;
        }
        write!(f, "  {:<10} {}", "licence", manifest.license.as_deref().unwrap_or("not told"))
    }
}

fn column(name: &str, ty: FieldType, field: Option<&Field>, unit: Option<&str>) -> String {
    let class = field.map(|field| format!(", {}", word(field.class()))).unwrap_or_default();
    let unit = unit.map(|unit| format!(", {unit}")).unwrap_or_default();
    format!("{name} ({}{class}{unit})", ty.as_str())
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "  {name:<10} {value}")
}

/// One a line, the name before the first.
fn list(f: &mut fmt::Formatter<'_>, name: &str, values: impl Iterator<Item = String>) -> fmt::Result {
    let mut name = Some(name);
    for value in values {
        line(f, name.take().unwrap_or_default(), &value)?;
    }
    Ok(())
}

fn settings(schema: &Schema) -> impl Iterator<Item = String> + use<> {
    let schema = serde_json::to_value(schema).unwrap_or_default();
    let schema: Vec<_> = schema.as_object().into_iter().flatten().map(|(name, setting)| (name.clone(), setting.clone())).collect();
    let text = |setting: Json| setting.get("type").and_then(Json::as_str).unwrap_or_default().to_owned();
    schema.into_iter().map(move |(name, setting)| format!("{name} ({})", text(setting)))
}

fn word(class: Class) -> &'static str {
    match class {
        Class::Metadata => "metadata",
        Class::Content => "content",
    }
}
