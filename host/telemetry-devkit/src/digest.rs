//! One digest over everything that a built component depends on, so that a stale one is noticed without a compiler.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::interpreted::Language;

/// Why the sources could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DigestError {
    /// A file or folder could not be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not the TOML it should be.
    #[error("`{path}`: {problem}")]
    Content {
        /// Which.
        path: PathBuf,
        /// What.
        problem: String,
    },
}

/// Where the parts of a plugin's source lie.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The plugin's folder, canonical.
    pub plugin: PathBuf,
    /// The text of `plugin.toml`.
    pub manifest: String,
    /// `id` of the manifest.
    pub id: String,
    /// `kind` of the manifest.
    pub kind: String,
    /// The package's name in `Cargo.toml`; `None` for other languages than Rust.
    pub package: Option<String>,
    /// The language that an interpreter in the component runs.
    pub interpreted: Option<Language>,
    /// The SDK's folder, when the package depends on it by path; of a plugin in another language the one of its project or of this repository.
    pub sdk: Option<PathBuf>,
    /// Name and version of the SDK.
    pub sdk_name: String,
}

impl Sources {
    /// Reads `plugin.toml` of `plugin_dir` and, unless there is a `src/plugin.c`, `.js` or `.py`, its `Cargo.toml`.
    ///
    /// # Errors
    /// When one is missing or lacks `id`, `kind` or the package's name.
    pub fn find(plugin_dir: &Path) -> Result<Self, DigestError> {
        let plugin = fs::canonicalize(plugin_dir).map_err(|source| DigestError::Read { path: plugin_dir.to_owned(), source })?;
        let (manifest, manifest_table) = table(&plugin.join("plugin.toml"))?;
        let (id, kind) =
            (text(&manifest_table, &["id"], &plugin.join("plugin.toml"))?, text(&manifest_table, &["kind"], &plugin.join("plugin.toml"))?);
        if let Some(language) = Language::ALL.into_iter().find(|language| plugin.join(language.source()).exists()) {
            let sdk = language.sdk_folder(&plugin);
            let sdk_name = sdk.as_deref().map(|sdk| language.sdk_name(sdk)).unwrap_or_default();
            return Ok(Sources { plugin, manifest, id, kind, package: None, interpreted: Some(language), sdk, sdk_name });
        }
        if plugin.join(C_SOURCE).exists() {
            let sdk = c_sdk(&plugin);
            let sdk_name = sdk.as_deref().map(c_sdk_name).unwrap_or_default();
            return Ok(Sources { plugin, manifest, id, kind, package: None, interpreted: None, sdk, sdk_name });
        }
        let (_, cargo) = table(&plugin.join("Cargo.toml"))?;
        let sdk_path = cargo
            .get("dependencies")
            .and_then(|all| all.get(SDK))
            .and_then(|sdk| sdk.get("path"))
            .and_then(toml::Value::as_str)
            .map(|path| plugin.join(path));
        let sdk = sdk_path.map(|path| fs::canonicalize(&path).map_err(|source| DigestError::Read { path, source })).transpose()?;
        let sdk_version = match &sdk {
            Some(sdk) => text(&table(&sdk.join("Cargo.toml"))?.1, &["package", "version"], &sdk.join("Cargo.toml"))?,
            None => String::new(),
        };
        Ok(Sources {
            id,
            kind,
            package: Some(text(&cargo, &["package", "name"], &plugin.join("Cargo.toml"))?),
            interpreted: None,
            sdk_name: if sdk.is_some() { format!("{SDK} {sdk_version}") } else { String::new() },
            plugin,
            manifest,
            sdk,
        })
    }

    /// SHA-256, hex, over names and contents of: the plugin's manifests, lock file and `src/`; the SDK's manifest and `src/` without
    /// its test part; the WIT packages of the kind. Of a plugin in C: its manifest, `src/` and the SDK.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn digest(&self) -> Result<String, DigestError> {
        let mut files = Vec::new();
        let lists: &[_] = if self.package.is_some() { &["Cargo.toml", "Cargo.lock", "plugin.toml"] } else { &["plugin.toml"] };
        for name in lists {
            files.push((format!("plugin/{name}"), self.plugin.join(name)));
        }
        collect(&self.plugin.join("src"), "plugin/src", &mut files)?;
        if let (Some(sdk), None) = (&self.sdk, &self.package) {
            collect(sdk, if self.interpreted.is_some() { "sdk" } else { "sdk/c" }, &mut files)?;
        } else if let Some(sdk) = &self.sdk {
            files.push(("sdk/Cargo.toml".to_owned(), sdk.join("Cargo.toml")));
            collect(&sdk.join("src"), "sdk/src", &mut files)?;
            for package in ["types", "host", &*self.kind] {
                collect(&sdk.join("../../wit").join(package), &format!("wit/{package}"), &mut files)?;
            }
        }
        files.retain(|(name, _)| !name.starts_with("sdk/src/testing") && !name.contains("/__pycache__/"));
        files.sort();
        let mut hasher = Sha256::new();
        for (name, path) in files {
            let content = fs::read(&path).map_err(|source| DigestError::Read { path, source })?;
            for part in [name.as_bytes(), &content] {
                hasher.update((part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// The source of a plugin in C.
pub(crate) const C_SOURCE: &str = "src/plugin.c";
const SDK: &str = "cylestio-plugin-sdk";

/// The SDK for C: `sdk/c` in the plugin's folder, else beside the folder of plugins that this one stands in. A plugin with a header of that
/// name of its own needs none.
fn c_sdk(plugin: &Path) -> Option<PathBuf> {
    if plugin.join("src").join(C_HEADER).exists() {
        return None;
    }
    let places = ["sdk/c", "../sdk/c", "../../sdk/c"].into_iter().map(|place| plugin.join(place));
    places.filter_map(|place| fs::canonicalize(place).ok()).find(|place| place.join(C_HEADER).exists())
}

fn c_sdk_name(sdk: &Path) -> String {
    let header = fs::read_to_string(sdk.join(C_HEADER)).unwrap_or_default();
    let version = header.lines().find_map(|line| line.strip_prefix("#define AT_SDK_VERSION ")).unwrap_or_default();
    format!("{SDK}-c {}", version.trim_matches('"'))
}

/// The header of the SDK for C.
const C_HEADER: &str = "agent_telemetry.h";

/// The digest of the sources of the plugin in `plugin_dir`; a built component holds it in its note.
///
/// # Errors
/// When a file cannot be read.
pub fn source_digest(plugin_dir: &Path) -> Result<String, DigestError> {
    Sources::find(plugin_dir)?.digest()
}

fn collect(dir: &Path, name: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), DigestError> {
    let error = |source| DigestError::Read { path: dir.to_owned(), source };
    for entry in fs::read_dir(dir).map_err(error)? {
        let entry = entry.map_err(error)?;
        let entry_name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(error)?.is_dir() {
            collect(&entry.path(), &entry_name, files)?;
        } else {
            files.push((entry_name, entry.path()));
        }
    }
    Ok(())
}

fn table(path: &Path) -> Result<(String, toml::Table), DigestError> {
    let text = fs::read_to_string(path).map_err(|source| DigestError::Read { path: path.to_owned(), source })?;
    let table =
        text.parse().map_err(|error: toml::de::Error| DigestError::Content { path: path.to_owned(), problem: error.to_string() })?;
    Ok((text, table))
}

fn text(table: &toml::Table, keys: &[&str], path: &Path) -> Result<String, DigestError> {
    let mut value = keys.first().and_then(|key| table.get(*key));
    for key in keys.iter().skip(1) {
        value = value.and_then(|value| value.get(*key));
    }
    let problem = || DigestError::Content { path: path.to_owned(), problem: format!("`{}` is missing or not a text", keys.join(".")) };
    value.and_then(toml::Value::as_str).map(str::to_owned).ok_or_else(problem)
}
