//! Where values come from, each a figment provider that knows its name.

use std::path::{Path, PathBuf};

use figment::providers::{Format, Toml, Yaml};
use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::Config;

/// A flag that was given: the key it sets, the flag's name, its value.
#[derive(Clone, Debug, PartialEq)]
pub struct FlagValue {
    /// `server.port`.
    pub key: &'static str,
    /// `--port`.
    pub flag: &'static str,
    /// As given.
    pub value: String,
}

/// All that the configuration is made of.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file of `--config`.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// The flags that were given.
    pub flags: Vec<FlagValue>,
}

/// One value with the name of its origin.
#[derive(Clone, Debug)]
pub(super) struct Single {
    pub(super) key: String,
    pub(super) origin: String,
    pub(super) value: Value,
}

impl Provider for Single {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let value = figment::util::nest(&self.key, self.value.clone());
        Ok(Profile::Default.collect(value.into_dict().unwrap_or_default()))
    }
}

/// The values of a file.
///
/// # Errors
/// A sentence when it cannot be read or is not TOML or YAML.
pub(super) fn file(path: &Path) -> Result<FileValues, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let dict = match extension {
        "toml" => Toml::from_str::<Dict>(&text).map_err(|error| error.to_string()),
        "yaml" | "yml" if text.trim().is_empty() => Ok(Dict::new()),
        "yaml" | "yml" => Yaml::from_str::<Dict>(&text).map_err(|error| error.to_string()),
        _ => Err("must end in .toml, .yaml or .yml".to_owned()),
    };
    dict.map(|dict| FileValues { origin: format!("file {}", path.display()), dict })
}

/// A parsed file.
#[derive(Clone, Debug)]
pub(super) struct FileValues {
    origin: String,
    dict: Dict,
}

impl Provider for FileValues {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.dict.clone()))
    }
}

/// The variables that are ours: `CYLESTIO_<section>__<KEY>` of a known section, as (variable, key, text). Everything else,
/// the monitor's `CYLESTIO_TELEMETRY_ENDPOINT` among it, is none of the server's business.
pub(super) fn environment(variables: &[(String, String)]) -> Vec<(&str, String, &str)> {
    let mut ours: Vec<_> = variables
        .iter()
        .filter_map(|(name, text)| {
            let (section, key) = name.strip_prefix("CYLESTIO_")?.split_once("__")?;
            let section = section.to_ascii_lowercase();
            let known = Config::SECTIONS.contains(&&*section) && !key.is_empty();
            known.then(|| (name.as_str(), format!("{section}.{}", key.to_ascii_lowercase().replace("__", ".")), text.as_str()))
        })
        .collect();
    ours.sort_unstable();
    ours
}
