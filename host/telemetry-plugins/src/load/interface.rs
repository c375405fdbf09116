//! What a component imports, exports and carries at its own level, without compiling it.

use wasmparser::{ComponentExternalKind, Encoding, Parser, Payload};

use super::LoadError;
use crate::manifest::{BUILD_SECTION, MANIFEST_SECTION, Manifest};
use crate::wasi;
use crate::wire::clip;

/// The series of the contract that this host speaks.
pub(crate) const SERIES: &str = "0.1.0-rc";

/// Bytes of a name that are kept.
const MAX_NAME: usize = 128;
/// Names of exports that a refusal lists.
const MAX_SHOWN: usize = 8;

/// The outermost level of a component.
#[derive(Debug, Default)]
pub(crate) struct Outline<'a> {
    manifests: Vec<&'a [u8]>,
    inner_manifest: Option<&'static str>,
    pub(crate) build: Option<&'a [u8]>,
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

impl<'a> Outline<'a> {
    /// The one manifest.
    pub(crate) fn manifest(&self) -> Result<&'a [u8], LoadError> {
        match (&*self.manifests, self.inner_manifest) {
            (_, Some(inside)) => Err(LoadError::InnerManifest(inside)),
            ([one], None) => Ok(one),
            ([], None) => Err(LoadError::NoManifest),
            (many, None) => Err(LoadError::ManyManifests(many.len())),
        }
    }
}

/// Walks through `bytes`.
pub(crate) fn outline(bytes: &[u8]) -> Result<Outline<'_>, LoadError> {
    if !bytes.is_empty() && !bytes.starts_with(b"\0asm") {
        return Err(LoadError::Malformed("not WebAssembly: it does not begin with `\\0asm`".into()));
    }
    let malformed = |error: wasmparser::BinaryReaderError| LoadError::Malformed(one_line(&error.to_string()));
    let mut outline = Outline::default();
    let mut inside: Vec<&'static str> = Vec::new();
    let mut first = true;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(malformed)? {
            Payload::Version { encoding: Encoding::Module, .. } if first => return Err(LoadError::CoreModule),
            Payload::Version { .. } => first = false,
            Payload::ModuleSection { .. } => inside.push("core module"),
            Payload::ComponentSection { .. } => inside.push("inner component"),
            Payload::End(_) => {
                inside.pop();
            }
            Payload::CustomSection(section) if section.name() == MANIFEST_SECTION => match inside.last() {
                Some(place) => outline.inner_manifest = Some(place),
                None => outline.manifests.push(section.data()),
            },
            Payload::CustomSection(section) if section.name() == BUILD_SECTION && inside.is_empty() => {
                outline.build = Some(section.data());
            }
            Payload::ComponentImportSection(section) if inside.is_empty() => {
                for import in section {
                    outline.imports.push(shown(import.map_err(malformed)?.name.name));
                }
            }
            Payload::ComponentExportSection(section) if inside.is_empty() => {
                for export in section {
                    let export = export.map_err(malformed)?;
                    if export.kind == ComponentExternalKind::Instance {
                        outline.exports.push(shown(export.name.name));
                    }
                }
            }
            _ => {}
        }
    }
    if first { Err(LoadError::Malformed("the file is empty".into())) } else { Ok(outline) }
}

/// A name as it may be printed: refusals quote it, and a hostile one may hold anything. No name of ours changes.
fn shown(name: &str) -> String {
    clip(&clip(name, MAX_NAME).escape_debug().to_string(), 2 * MAX_NAME)
}

/// Some messages of the parser are dumps of several lines.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Names of the contract's interfaces.
pub(crate) fn export_of(kind: &str) -> String {
    format!("agent-telemetry:{kind}/{kind}@{SERIES}")
}

/// Whether exports and imports are what a plugin of this kind has, in this host's series.
pub(crate) fn check(manifest: &Manifest, outline: &Outline<'_>) -> Result<(), LoadError> {
    let kind = manifest.kind.as_str();
    let expected = export_of(kind);
    if !outline.exports.contains(&expected) {
        let prefix = format!("agent-telemetry:{kind}/{kind}@");
        if let Some(other) = outline.exports.iter().find(|export| export.starts_with(&prefix)) {
            return Err(LoadError::WrongSeries { found: other.clone(), expected });
        }
        let found: Vec<_> = outline.exports.iter().take(MAX_SHOWN).map(|export| format!("`{export}`")).collect();
        let found = if found.is_empty() { "no interface".to_owned() } else { found.join(", ") };
        return Err(LoadError::MissingExport { kind, expected, found });
    }
    outline.imports.iter().try_for_each(|import| check_import(manifest, import))
}

fn check_import(manifest: &Manifest, import: &str) -> Result<(), LoadError> {
    if let Some(path) = import.strip_prefix("wasi:") {
        return wasi::check_import(&manifest.capabilities, path);
    }
    let (path, series) = import.split_once('@').unwrap_or((import, ""));
    let known = ["types/types", "host/log", "host/text", "host/lookup"];
    let Some(name) = path.strip_prefix("agent-telemetry:").filter(|name| known.contains(name)) else {
        return Err(LoadError::UnknownImport(import.to_owned()));
    };
    if series != SERIES {
        return Err(LoadError::WrongSeries { found: import.to_owned(), expected: format!("{path}@{SERIES}") });
    }
    if name == "host/lookup" && manifest.capabilities.lookup.is_empty() {
        return Err(LoadError::UndeclaredImport { import: import.to_owned(), asks: "table (`capabilities.lookup`)" });
    }
    Ok(())
}
