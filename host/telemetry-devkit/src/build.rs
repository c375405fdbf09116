//! From a plugin's folder to one `.wasm` file.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use telemetry_plugins::{Manifest, ManifestError};

use crate::c;
use crate::digest::{DigestError, Sources};
use crate::interpreted;
use crate::section::{self, BuildNote};
use crate::toolchain::{TARGET, Toolchain, ToolchainError};

/// What a build takes from its surroundings.
#[derive(Clone, Debug)]
pub struct BuildSettings {
    /// Where cargo works; shared by all plugins it saves compiling the standard library again.
    pub target_dir: PathBuf,
    /// Cargo's home, whose path is kept out of the component.
    pub cargo_home: PathBuf,
    /// PATH: where compilers are looked for.
    pub search_path: String,
    /// Where the system's own packages are installed; `/` but in tests.
    pub system: PathBuf,
    /// Compile with so many jobs; `None` leaves it to cargo.
    pub jobs: Option<u32>,
    /// Refuse a `Cargo.lock` that is missing or would change.
    pub locked: bool,
}

impl BuildSettings {
    /// From the environment: `CYLESTIO_GUEST_TARGET_DIR` (else `cylestio-server/guests` in the user's cache folder), `CARGO_HOME`, `PATH`.
    pub fn from_environment(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let variables: BTreeMap<OsString, OsString> = variables.filter(|(_, value)| !value.is_empty()).collect();
        let folder = |name: &str| variables.get(OsStr::new(name)).map(PathBuf::from);
        let home = folder("HOME").unwrap_or_else(std::env::temp_dir);
        let cache = folder("XDG_CACHE_HOME").unwrap_or_else(|| home.join(".cache"));
        BuildSettings {
            target_dir: folder("CYLESTIO_GUEST_TARGET_DIR").unwrap_or_else(|| cache.join("cylestio-server/guests")),
            cargo_home: folder("CARGO_HOME").unwrap_or_else(|| home.join(".cargo")),
            system: PathBuf::from("/"),
            search_path: variables.get(OsStr::new("PATH")).map(|path| path.to_string_lossy().into_owned()).unwrap_or_default(),
            jobs: None,
            locked: false,
        }
    }
}

/// A built component.
#[derive(Clone, Debug)]
pub struct Built {
    /// `<id>.wasm` beside `plugin.toml`.
    pub path: PathBuf,
    /// Its bytes.
    pub component: Vec<u8>,
    /// What its section says.
    pub note: BuildNote,
}

/// Why a plugin could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The folder is not a plugin's.
    #[error(transparent)]
    Sources(#[from] DigestError),
    /// The manifest is not as the contract has it.
    #[error("`{path}`: {source}")]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: ManifestError,
    },
    /// No compiler.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// The compiler could not be started.
    #[error("cannot run the compiler")]
    Start(#[source] std::io::Error),
    /// The compiler failed; it has said why on standard error.
    #[error("the compiler could not compile `{0}`")]
    Compile(String),
    /// The SDK of an interpreted language is not where it should be.
    #[error("there is no SDK in `{0}` of the plugin's folder; `plugin new` writes it there")]
    NoSdk(&'static str),
    /// The tool of an interpreted language failed.
    #[error("`{id}` cannot be made a component: {problem}")]
    Interpreter {
        /// Which plugin.
        id: String,
        /// What the tool says.
        problem: String,
    },
    /// What cargo made could not be read, or the component not be written.
    #[error("cannot access `{path}`")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The module does not fit its world.
    #[error("cannot make a component of `{id}`: {problem}")]
    Component {
        /// Which plugin.
        id: String,
        /// What wit-component says.
        problem: String,
    },
}

/// Guests recurse little; a small stack keeps a fresh instance's memory small.
const STACK_BYTES: u32 = 128 * 1024;

/// Compiles the plugin in `plugin_dir` and writes `<id>.wasm` beside its `plugin.toml`.
///
/// # Errors
/// One variant a step.
pub fn build(plugin_dir: &Path, settings: &BuildSettings) -> Result<Built, BuildError> {
    let sources = Sources::find(plugin_dir)?;
    let manifest = Manifest::parse(sources.manifest.as_bytes());
    let manifest = manifest.map_err(|source| BuildError::Manifest { path: sources.plugin.join("plugin.toml"), source })?;
    make_private(&settings.target_dir).map_err(|source| BuildError::File { path: settings.target_dir.clone(), source })?;
    let note = |toolchain| Ok(BuildNote { toolchain, source_sha256: sources.digest()?, sdk: sources.sdk_name.clone() });
    let (note, component) = match sources.interpreted {
        Some(language) => {
            let (component, tool) = interpreted::compile(&sources, language, settings)?;
            let note: BuildNote = note(tool).map_err(BuildError::Sources)?;
            let component = annotate(component, &sources.manifest, &note);
            (note, component)
        }
        None => {
            let (module, toolchain) = core_module(&sources, &manifest, settings)?;
            let note = note(toolchain).map_err(BuildError::Sources)?;
            let component = componentize(&module, &sources.manifest, &note);
            (note, component.map_err(|problem| BuildError::Component { id: sources.id.clone(), problem })?)
        }
    };
    let path = sources.plugin.join(format!("{}.wasm", sources.id));
    fs::write(&path, &component).map_err(|source| BuildError::File { path: path.clone(), source })?;
    Ok(Built { path, component, note })
}

/// Makes a folder, and those above it that are not there, for this user alone: it may lie beside compiled components, whose folder is not
/// used when it is open to others.
fn make_private(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn core_module(sources: &Sources, manifest: &Manifest, settings: &BuildSettings) -> Result<(Vec<u8>, String), BuildError> {
    let Some(package) = &sources.package else { return c::compile(sources, manifest, settings) };
    let toolchain = Toolchain::find(&settings.search_path, &settings.system)?;
    Ok((compile(sources, package, &toolchain, settings)?, toolchain.describe(&settings.search_path)?))
}

/// Makes a component of a core module and gives it its sections.
///
/// # Errors
/// What wit-component says.
pub fn componentize(module: &[u8], manifest: &str, note: &BuildNote) -> Result<Vec<u8>, String> {
    let encoder = wit_component::ComponentEncoder::default().validate(true).module(module);
    let component = encoder.and_then(|mut encoder| encoder.encode()).map_err(|error| format!("{error:#}"))?;
    Ok(annotate(component, manifest, note))
}

/// Gives a component its two sections.
fn annotate(mut component: Vec<u8>, manifest: &str, note: &BuildNote) -> Vec<u8> {
    section::append(&mut component, section::MANIFEST, manifest.as_bytes());
    section::append(&mut component, section::BUILD, note.to_json().as_bytes());
    component
}

/// Makes a component of a core module that knows nothing of its world: the world of `kind` is attached first.
///
/// # Errors
/// What wit-component says.
pub fn componentize_for(kind: &str, module: &[u8], manifest: &str, note: &BuildNote) -> Result<Vec<u8>, String> {
    let mut module = module.to_vec();
    c::embed(&mut module, kind)?;
    componentize(&module, manifest, note)
}

fn compile(sources: &Sources, package: &str, toolchain: &Toolchain, settings: &BuildSettings) -> Result<Vec<u8>, BuildError> {
    let mut command = toolchain.command(&settings.search_path);
    if let Some(jobs) = settings.jobs {
        command.arg(format!("-j{jobs}"));
    }
    if settings.locked {
        command.arg("--locked");
    }
    command.args(["--crate-type", "cdylib", "--"]);
    command.arg(format!("-Clink-arg=-zstack-size={STACK_BYTES}"));
    command.arg(remap(&sources.plugin, "/plugin"));
    // These flags are the same for every plugin, or the standard library would be compiled again for each.
    let shared = [remap(&settings.cargo_home, "/cargo"), sources.sdk.as_deref().map(|sdk| remap(sdk, "/sdk")).unwrap_or_default()];
    let flags = shared.into_iter().filter(|flag| !flag.is_empty()).collect::<Vec<_>>().join("\u{1f}");
    let status = command
        .current_dir(&sources.plugin)
        .env("CARGO_TARGET_DIR", &settings.target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .env_remove("RUSTFLAGS")
        .status()
        .map_err(BuildError::Start)?;
    if !status.success() {
        return Err(BuildError::Compile(package.to_owned()));
    }
    let path = settings.target_dir.join(TARGET).join("release").join(format!("{}.wasm", package.replace('-', "_")));
    fs::read(&path).map_err(|source| BuildError::File { path, source })
}

fn remap(from: &Path, to: &str) -> String {
    format!("--remap-path-prefix={}={to}", from.display())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn folders_of_builds_are_the_users_alone() {
        let cache = tempfile::tempdir().unwrap();
        let shared = cache.path().join("cylestio-server");
        make_private(&shared.join("guests")).unwrap();
        for folder in [shared.clone(), shared.join("guests")] {
            assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700, "{}", folder.display());
        }
        make_private(&shared.join("guests")).unwrap();
    }
}
