//! The load path, one function and one error a step:
//! read, digest, manifest, interface, grants, compile or map, link, instantiate and configure.

pub(crate) mod interface;
pub(crate) mod read;

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use telemetry_model::BatchError;

use crate::grants::Refusal;
use crate::manifest::{Manifest, ManifestError, SchemaError, TextPlugin};
use crate::shipped::SCRIPT;

/// Why a plugin does not serve.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("read `{}`: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder, a device, a pipe.
    #[error("read `{}`: not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// A symbolic link.
    #[error("read `{}`: a symbolic link, and links are not followed; copy the file itself", .0.display())]
    Linked(PathBuf),
    /// It is not what was looked at a moment ago.
    #[error("read `{0}`: it changed while it was loaded")]
    Changed(String),
    /// Refused before reading.
    #[error("read `{}`: {size} bytes, at most {limit}", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// Not WebAssembly, or cut off.
    #[error("parse: {0}")]
    Malformed(String),
    /// WebAssembly, but a core module.
    #[error("parse: a core module, not a component (make it one with `wit-component`)")]
    CoreModule,
    /// No manifest at the component's level.
    #[error("manifest: the component has no custom section `agent-telemetry:manifest`")]
    NoManifest,
    /// More than one.
    #[error("manifest: {0} custom sections `agent-telemetry:manifest`, only one may be")]
    ManyManifests(usize),
    /// One inside a core module or an inner component.
    #[error("manifest: stands inside a {0}, not at the component's level")]
    InnerManifest(&'static str),
    /// Not as the contract has it.
    #[error("manifest: {0}")]
    Manifest(#[from] ManifestError),
    /// The interface of its kind is not exported.
    #[error("interface: a {kind} exports `{expected}`, this exports {found}")]
    MissingExport {
        /// By the manifest.
        kind: &'static str,
        /// Name and series.
        expected: String,
        /// What it exports instead.
        found: String,
    },
    /// Another series of the contract.
    #[error("interface: `{found}` is of another series than this host's `{expected}`")]
    WrongSeries {
        /// In the component.
        found: String,
        /// In this host.
        expected: String,
    },
    /// An import that the host does not have.
    #[error("interface: imports `{0}`, which this host does not offer")]
    UnknownImport(String),
    /// A part of WASI that is not asked for, or that this series never links.
    #[error("interface: imports `wasi:{import}`, {problem}")]
    Wasi {
        /// Which.
        import: String,
        /// Why not.
        problem: String,
    },
    /// An import that the manifest does not ask for.
    #[error("interface: imports `{import}`, but its manifest asks for no {asks}")]
    UndeclaredImport {
        /// Which.
        import: String,
        /// What the manifest should ask.
        asks: &'static str,
    },
    /// Not granted.
    #[error("grants: {0}")]
    Grants(#[from] Refusal),
    /// Asks for more than the ceiling.
    #[error("limits: asks for {asked} {what}, the ceiling is {ceiling}")]
    Ceiling {
        /// The limit and its unit.
        what: &'static str,
        /// Asked.
        asked: u64,
        /// The host's.
        ceiling: u64,
    },
    /// A granted table that the host has not got.
    #[error("grants: there is no table `{0}`")]
    NoTable(String),
    /// The operator's configuration does not fit the schema.
    #[error("configuration: {0}")]
    Config(#[from] SchemaError),
    /// Another plugin stands in the way.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The engine refuses the code.
    #[error("compile: {0}")]
    Compile(String),
    /// Imports or exports of another shape.
    #[error("link: {0}")]
    Link(String),
    /// It cannot be started.
    #[error("instantiate: {0}")]
    Instantiate(String),
    /// It declines its configuration, or fails on it.
    #[error("configure: {0}")]
    Configure(String),
}

impl LoadError {
    /// The lines that would let it load.
    pub fn grant(&self) -> Option<&str> {
        match self {
            LoadError::Grants(refusal) => refusal.toml.as_deref(),
            _ => None,
        }
    }
}

impl From<BatchError> for LoadError {
    fn from(error: BatchError) -> Self {
        LoadError::Configure(error.to_string())
    }
}

/// What a file of a plugin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A component.
    Component,
    /// A manifest and a rule, which the component `script` runs.
    Text,
}

impl Form {
    /// By the ending of the file's name: `.toml` is text.
    pub fn of(path: &Path) -> Self {
        if path.extension().is_some_and(|extension| extension == "toml") { Form::Text } else { Form::Component }
    }
}

/// A plugin that was read and looked at, not compiled.
#[derive(Debug)]
pub struct Inspected {
    /// Its manifest.
    pub manifest: Manifest,
    /// SHA-256 of the file, hex; of a text plugin over the file and the component that runs it.
    pub digest: String,
    /// A text plugin's rule, as the component `script` runs it.
    pub program: Option<Arc<str>>,
    /// A text plugin's cases.
    pub cases: Vec<toml::Table>,
    /// The section `agent-telemetry:build`, when there is one.
    pub build: Option<String>,
    /// Names of what it imports from the host.
    pub imports: Vec<String>,
    /// Names of the interfaces that it exports.
    pub exports: Vec<String>,
}

/// The bytes of a plugin's file: a regular file of at most `limit` bytes, links not followed.
///
/// # Errors
/// [`LoadError::Read`], [`LoadError::NotAFile`], [`LoadError::Linked`], [`LoadError::TooLarge`].
pub fn read_component(path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
    read::file(path, limit)
}

/// Looks at the plugin in a file whose bytes were read.
///
/// # Errors
/// [`LoadError`] of the steps digest, manifest and interface.
pub fn inspect_as(form: Form, bytes: &[u8]) -> Result<Inspected, LoadError> {
    if form == Form::Component {
        return inspect(bytes);
    }
    let TextPlugin { manifest, program, cases } = TextPlugin::parse(bytes)?;
    let digest = read::digest(&[bytes, b"\0", script_digest().as_bytes()].concat());
    let (imports, exports) = (Vec::new(), Vec::new());
    Ok(Inspected { manifest, digest, program: Some(program.into()), cases, build: None, imports, exports })
}

/// SHA-256 of the component that runs rules, hex.
pub(crate) fn script_digest() -> &'static Arc<str> {
    static DIGEST: LazyLock<Arc<str>> = LazyLock::new(|| read::digest(SCRIPT.wasm).into());
    &DIGEST
}

/// Looks at a component: manifest, imports, exports. Compiles nothing, decides nothing.
///
/// # Errors
/// [`LoadError`] of the steps digest, manifest and interface.
pub fn inspect(bytes: &[u8]) -> Result<Inspected, LoadError> {
    let digest = read::digest(bytes);
    let outline = interface::outline(bytes)?;
    let manifest = Manifest::parse(outline.manifest()?)?;
    crate::wasi::check_parts(&manifest.capabilities)?;
    interface::check(&manifest, &outline)?;
    let build = outline.build.and_then(|bytes| std::str::from_utf8(bytes).ok()).map(str::to_owned);
    Ok(Inspected { manifest, digest, program: None, cases: Vec::new(), build, imports: outline.imports, exports: outline.exports })
}
