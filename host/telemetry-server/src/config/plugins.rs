//! `[plugins]`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::check::Findings;

/// Which plugins may load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Every field is granted, still no WASI; loopback only.
    Open,
    /// Metadata is granted; content, lookups and WASI want a grant.
    Metadata,
}

/// What becomes of an event whose validator failed on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValidatorFailure {
    /// Stored, flagged `unvalidated:<plugin>`.
    Flag,
    /// Kept in quarantine.
    Quarantine,
}

/// What one plugin may, as in `grants.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrantConfig {
    /// Content fields it may read.
    pub fields: Vec<String>,
    /// Lookup tables it may ask.
    pub lookup: Vec<String>,
    /// Parts of WASI it is linked against.
    pub wasi: Vec<String>,
    /// Whether its instance may live on between calls.
    pub warm: bool,
    /// Keys it writes that count as metadata although it reads content.
    pub declassify: Vec<String>,
}

/// Plugins, shipped and dropped in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginsConfig {
    /// The drop-in folder; absent = `plugins` beside the database.
    pub path: Option<PathBuf>,
    /// The operator's grants; absent = `grants.toml` beside the database.
    pub grants_file: Option<PathBuf>,
    /// Where compiled plugins are kept; absent = the user's cache folder.
    pub cache_path: Option<PathBuf>,
    /// Where the key stands that authenticates them; absent = the user's state folder.
    pub state_path: Option<PathBuf>,
    /// Which plugins may load.
    pub policy: Policy,
    /// What becomes of an event whose validator failed on it.
    pub validator_failure: ValidatorFailure,
    /// Shipped plugins that are switched off.
    pub disabled: Vec<String>,
    /// Shipped plugins that a file of the drop-in folder may replace.
    pub replaceable: Vec<String>,
    /// What shipped plugins are granted, by id.
    pub grants: BTreeMap<String, GrantConfig>,
    /// Configuration of single plugins, by id.
    pub config: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
}

impl Default for PluginsConfig {
    fn default() -> Self {
        PluginsConfig {
            path: None,
            grants_file: None,
            cache_path: None,
            state_path: None,
            policy: Policy::Metadata,
            validator_failure: ValidatorFailure::Flag,
            disabled: Vec::new(),
            replaceable: Vec::new(),
            grants: SHIPPED_GRANTS.clone(),
            config: BTreeMap::new(),
        }
    }
}

/// The grants of `config/default.toml`; a test reads that they are there.
static SHIPPED_GRANTS: LazyLock<BTreeMap<String, GrantConfig>> = LazyLock::new(|| {
    #[derive(Default, Deserialize)]
    struct File {
        plugins: Section,
    }
    #[derive(Default, Deserialize)]
    struct Section {
        #[serde(default)]
        grants: BTreeMap<String, GrantConfig>,
    }
    toml::from_str::<File>(super::DEFAULT_TOML).unwrap_or_default().plugins.grants
});

impl PluginsConfig {
    pub(super) fn check(&self, findings: &mut Findings) {
        if self.path.as_ref().is_some_and(|path| path.is_file()) {
            findings.add("plugins.path", "is a file, not a folder");
        }
        if self.grants_file.as_ref().is_some_and(|path| !path.is_file()) {
            findings.add("plugins.grants_file", "is not there");
        }
        if let (Some(cache), Some(folder)) = (&self.cache_path, &self.path)
            && cache.starts_with(folder)
        {
            findings.add("plugins.cache_path", "must not be under the drop-in folder");
        }
    }
}
