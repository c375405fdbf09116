//! Puts the sources together and names everything that is wrong at once.

use std::fmt;

use figment::value::{Dict, Tag, Value};
use figment::{Figment, Provider};

use super::check::check;
use super::secret::Secret;
use super::sources::{Single, environment, file};
use super::words::{choices, nearest, reason};
use super::{Config, Sources};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// `server.port`.
    pub key: String,
    /// For people.
    pub reason: String,
    /// `file cylestio.toml`, `variable CYLESTIO_SERVER__PORT`, `flag --port`, `default`.
    pub origin: String,
}

/// Everything that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(pub Vec<Issue>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "the configuration has {count} problem{}", if count == 1 { "" } else { "s" })?;
        self.0.iter().try_for_each(|issue| write!(f, "\n  {}: {} ({})", issue.key, issue.reason, issue.origin))
    }
}

/// A checked configuration that remembers where each value came from.
#[derive(Debug)]
pub struct Loaded {
    /// What is in force.
    pub config: Config,
    pub(super) figment: Figment,
}

/// Maps with keys of the operator's choosing.
const FREE: [&str; 3] = ["plugins.grants", "plugins.config", "plugins.tables"];

/// Values that are never shown.
pub(super) const SECRETS: [&str; 1] = ["server.read_token"];

/// Joins defaults, file, environment and flags.
///
/// # Errors
/// Every problem there is, sorted by key.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let mut loading = Loading { figment: defaults(), issues: Vec::new() };
    if let Some(path) = &sources.file {
        match file(path) {
            Ok(values) => loading.merge(values),
            Err(reason) => loading.add(&path.display().to_string(), reason, "flag --config"),
        }
    }
    for (variable, key, text) in environment(&sources.environment) {
        let value = typed(&key, text);
        loading.merge(Single { key, origin: format!("variable {variable}"), value });
    }
    for flag in &sources.flags {
        let value = typed(flag.key, &flag.value);
        loading.merge(Single { key: flag.key.to_owned(), origin: format!("flag {}", flag.flag), value });
    }
    loading.finish(&sources.environment)
}

struct Loading {
    figment: Figment,
    issues: Vec<Issue>,
}

impl Loading {
    fn add(&mut self, key: &str, reason: impl Into<String>, origin: &str) {
        self.issues.push(Issue { key: key.to_owned(), reason: reason.into(), origin: origin.to_owned() });
    }

    /// Takes from a source what is known and of the right type; the rest becomes issues.
    fn merge(&mut self, source: impl Provider) {
        let origin = source.metadata().name.into_owned();
        let mut given = source.data().map(|mut data| data.remove(&figment::Profile::Default).unwrap_or_default()).unwrap_or_default();
        let known = whole(&defaults());
        self.sift("", &mut given, &known, &origin);
        let figment = std::mem::take(&mut self.figment);
        self.figment = figment.merge(Sifted { origin, dict: given });
    }

    /// Removes unknown keys and values of the wrong type from `given`.
    fn sift(&mut self, path: &str, given: &mut Dict, known: &Dict, origin: &str) {
        let keys: Vec<String> = given.keys().cloned().collect();
        for key in keys {
            let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let keep = match (known.get(&key), given.get_mut(&key)) {
                (Some(Value::Dict(_, inner)), Some(Value::Dict(_, value))) if !FREE.contains(&&*full) => {
                    self.sift(&full, value, inner, origin);
                    true
                }
                (Some(_), Some(value)) => match fits(&full, value) {
                    Ok(()) => true,
                    Err((place, reason)) => {
                        self.add(&place, reason, origin);
                        false
                    }
                },
                _ => {
                    self.add(&full, unknown(&key, path, known), origin);
                    false
                }
            };
            if !keep {
                given.remove(&key);
            }
        }
    }

    fn finish(mut self, variables: &[(String, String)]) -> Result<Loaded, ConfigError> {
        let mut config = match self.figment.extract::<Config>() {
            Ok(config) => self.with_secrets(config),
            Err(errors) => {
                errors.into_iter().for_each(|error| self.add(&error.path.join("."), reason(&error.kind, None), "all sources"));
                Config::default()
            }
        };
        let mut findings = check(&config);
        for (key, path) in config.derive_paths(variables) {
            let value = Value::from(path.to_string_lossy().into_owned());
            self.figment = std::mem::take(&mut self.figment).merge(Single { key: key.to_owned(), origin: "default".to_owned(), value });
        }
        if let Err(reason) = config.plugins.operators_grants() {
            findings.add("plugins.grants_file", reason);
        }
        if let Err(reason) = config.plugins.operators_tables() {
            findings.add("plugins.tables", reason);
        }
        if let Err(reason) = config.plugins.switches() {
            findings.add("plugins.switches_file", reason);
        }
        for (key, reason) in findings.0 {
            let origin = origin_of(&self.figment, &key);
            self.issues.push(Issue { key, reason, origin });
        }
        if self.issues.is_empty() {
            return Ok(Loaded { config, figment: self.figment });
        }
        self.issues.sort_by(|a, b| a.key.cmp(&b.key));
        Err(ConfigError(self.issues))
    }

    /// Reads the secrets that are given as files.
    fn with_secrets(&mut self, mut config: Config) -> Config {
        let Some(path) = config.server.read_token_file.clone() else { return config };
        let origin = origin_of(&self.figment, "server.read_token_file");
        if config.server.read_token.is_some() {
            self.add("server.read_token_file", "contradicts server.read_token: keep one of the two", &origin);
            return config;
        }
        match Secret::read(&path) {
            Ok(secret) => config.server.read_token = Some(secret),
            Err(reason) => self.add("server.read_token_file", reason, &origin),
        }
        config
    }
}

/// What is left of a source.
struct Sifted {
    origin: String,
    dict: Dict,
}

impl Provider for Sifted {
    fn metadata(&self) -> figment::Metadata {
        figment::Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<figment::value::Map<figment::Profile, Dict>, figment::Error> {
        Ok(figment::Profile::Default.collect(self.dict.clone()))
    }
}

fn defaults() -> Figment {
    Figment::from(Sifted { origin: "default".into(), dict: default_dict() })
}

fn default_dict() -> Dict {
    Value::serialize(Config::default()).ok().and_then(Value::into_dict).unwrap_or_default()
}

fn whole(figment: &Figment) -> Dict {
    figment.extract::<Dict>().unwrap_or_default()
}

/// Whether `value` can stand under `key`; else which part of it cannot, and why not.
fn fits(key: &str, value: &Value) -> Result<(), (String, String)> {
    let Some(error) = misfit(key, value) else { return Ok(()) };
    if SECRETS.contains(&key) {
        return Err((key.to_owned(), "must be text".to_owned()));
    }
    let place = error.path.join(".");
    let place = if place.is_empty() { key.to_owned() } else { place };
    // A key that takes words names them when it is given one that is none of them.
    let words = misfit(key, &Value::from("")).and_then(|error| choices(&error.kind));
    Err((place, reason(&error.kind, words)))
}

fn misfit(key: &str, value: &Value) -> Option<figment::Error> {
    let single = Single { key: key.to_owned(), origin: String::new(), value: value.clone() };
    defaults().merge(single).extract::<Config>().err()
}

/// Text of the environment or a flag as the type its key wants: as JSON would read it, else as text, else as a list at commas.
fn typed(key: &str, text: &str) -> Value {
    let list = || Value::from(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>());
    let parsed = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let candidates = [parsed, Value::from(text), list()];
    let first = candidates.iter().position(|value| fits(key, value).is_ok()).unwrap_or(0);
    candidates.into_iter().nth(first).unwrap_or_else(|| Value::String(Tag::Default, text.to_owned()))
}

fn unknown(key: &str, path: &str, known: &Dict) -> String {
    let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
    match nearest(key, known.keys().map(String::as_str)) {
        Some(name) => format!("unknown key; did you mean `{prefix}{name}`?"),
        None => format!("unknown key; there are {}", known.keys().map(|name| format!("{prefix}{name}")).collect::<Vec<_>>().join(", ")),
    }
}

/// The name of the source that set `key`.
pub(super) fn origin_of(figment: &Figment, key: &str) -> String {
    figment.find_metadata(key).map_or_else(|| "default".to_owned(), |metadata| metadata.name.to_string())
}
