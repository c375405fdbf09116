//! `[plugins]`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use telemetry_plugins::{
    FailureAction, FileTable, Grant, Grants, Limits, Lock, LookupTable, MODEL_PRICES, PluginSettings, PriceOverrides, PriceTable, Tables,
};

use super::check::Findings;
use crate::live::switches::{self, Switches};

/// Which plugins may load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Every field is granted, still no WASI; loopback only.
    Open,
    /// Metadata is granted; content, lookups and WASI want a grant.
    Metadata,
    /// As `Metadata`, and only components that the lock file names.
    Locked,
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

/// A read-only table for plugins that are granted it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableConfig {
    /// The file, CSV, JSON or TOML as its name says.
    pub path: PathBuf,
    /// The column, or the field of listed rows, that is the key.
    #[serde(default = "key")]
    pub key: String,
}

fn key() -> String {
    "key".to_owned()
}

/// Plugins, shipped and dropped in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginsConfig {
    /// The drop-in folder; absent = `plugins` beside the database.
    pub path: Option<PathBuf>,
    /// The operator's grants; absent = `grants.toml` beside the database.
    pub grants_file: Option<PathBuf>,
    /// What was switched on and off over HTTP; absent = `switches.toml` beside the database.
    pub switches_file: Option<PathBuf>,
    /// Whether the folder and these files are watched.
    pub watch: bool,
    /// Which components load under the policy `locked`; absent = `plugins.lock` beside the database.
    pub lock_file: Option<PathBuf>,
    /// Where compiled plugins are kept; absent = the user's cache folder.
    pub cache_path: Option<PathBuf>,
    /// Where the key stands that authenticates them; absent = the user's state folder.
    pub state_path: Option<PathBuf>,
    /// Which plugins may load.
    pub policy: Policy,
    /// What becomes of an event whose validator failed on it.
    pub validator_failure: ValidatorFailure,
    /// Plugins that are switched off, shipped or not.
    pub disabled: Vec<String>,
    /// Shipped plugins that are off unless they stand here.
    pub enabled: Vec<String>,
    /// Shipped plugins whose place a file of the drop-in folder takes.
    pub replaced: Vec<String>,
    /// MiB of the largest component file.
    pub max_file_mib: u32,
    /// MiB of memory of the process that compiles a dropped-in file.
    pub compile_memory_mib: u32,
    /// Seconds of CPU time of it.
    pub compile_seconds: u32,
    /// MiB of memory of a validator or an enricher.
    pub ingest_memory_mib: u32,
    /// MiB of memory of a metric.
    pub metric_memory_mib: u32,
    /// Milliseconds of CPU time of a call at ingest, before rows and bytes are added.
    pub ingest_deadline_ms: u64,
    /// Milliseconds of CPU time of a metric in one query.
    pub metric_deadline_ms: u64,
    /// Seconds that a plugin whose calls keep failing is left out.
    pub breaker_open_s: u32,
    /// Seconds of wall time of a report, the wait for a thread included.
    pub report_timeout_s: u64,
    /// Threads that compute reports.
    pub metric_threads: u32,
    /// Reports that may wait for one of them.
    pub metric_queue: u32,
    /// Whether what plugins are handed is noted in the access journal.
    pub journal: bool,
    /// A file outside of the database that keeps the end of the journal's chain; absent = none.
    pub journal_head_path: Option<PathBuf>,
    /// What shipped plugins are granted, by id.
    pub grants: BTreeMap<String, Grant>,
    /// Tables that `lookup` can be granted on, by name.
    pub tables: BTreeMap<String, TableConfig>,
    /// Prices of the operator's, which win over the bundled ones.
    pub prices: Option<PathBuf>,
    /// Configuration of single plugins, by id.
    pub config: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
}

impl Default for PluginsConfig {
    fn default() -> Self {
        PluginsConfig {
            path: None,
            grants_file: None,
            switches_file: None,
            watch: true,
            lock_file: None,
            cache_path: None,
            state_path: None,
            policy: Policy::Metadata,
            validator_failure: ValidatorFailure::Flag,
            disabled: Vec::new(),
            enabled: Vec::new(),
            replaced: Vec::new(),
            max_file_mib: 32,
            compile_memory_mib: 2048,
            compile_seconds: 120,
            ingest_memory_mib: 64,
            metric_memory_mib: 256,
            ingest_deadline_ms: 5,
            metric_deadline_ms: 5000,
            breaker_open_s: 30,
            report_timeout_s: 60,
            metric_threads: 1,
            metric_queue: 64,
            journal: true,
            journal_head_path: None,
            grants: SHIPPED_GRANTS.clone(),
            tables: BTreeMap::new(),
            prices: None,
            config: BTreeMap::new(),
        }
    }
}

/// The grants of `config/default.toml`; a test reads that they are there.
static SHIPPED_GRANTS: LazyLock<BTreeMap<String, Grant>> = LazyLock::new(|| {
    #[derive(Default, Deserialize)]
    struct File {
        plugins: Section,
    }
    #[derive(Default, Deserialize)]
    struct Section {
        #[serde(default)]
        grants: BTreeMap<String, Grant>,
    }
    toml::from_str::<File>(super::DEFAULT_TOML).unwrap_or_default().plugins.grants
});

impl PluginsConfig {
    /// What the component host is opened with: shipped plugins' grants from the configuration, the operator's from their file.
    ///
    /// # Errors
    /// A sentence when the file of grants, or of what is switched, is there and cannot be used, a table cannot be read, or the policy is `locked` and the lock file
    /// cannot.
    pub fn settings(&self) -> Result<PluginSettings, String> {
        let policy = match self.policy {
            Policy::Locked => telemetry_plugins::Policy::Locked(self.locked()?.0),
            _ => self.unlocked_policy(),
        };
        Ok(PluginSettings { policy, ..self.unlocked_settings()? })
    }

    /// As [`PluginsConfig::settings`], as if the policy `locked` were `metadata`: what may be put into the lock file.
    ///
    /// # Errors
    /// A sentence when the file of grants is there and cannot be used, or a table cannot be read.
    pub fn unlocked_settings(&self) -> Result<PluginSettings, String> {
        let mut grants = Grants(self.grants.clone());
        grants.extend(self.operators_grants()?);
        let mut switches = self.switches()?;
        switches.off.extend(self.disabled.iter().cloned());
        switches.on.extend(self.enabled.iter().cloned());
        let mib = |mib: u32| (mib as usize) << 20;
        Ok(PluginSettings {
            policy: self.unlocked_policy(),
            path: self.path.clone(),
            candidate: None,
            grants,
            cache_path: self.cache_path.clone(),
            state_path: self.state_path.clone(),
            off: switches.off,
            on: switches.on,
            replaced: self.replaced.iter().cloned().collect(),
            without_shipped: false,
            config: self.config.clone(),
            validator_failure: match self.validator_failure {
                ValidatorFailure::Flag => FailureAction::Flag,
                ValidatorFailure::Quarantine => FailureAction::Quarantine,
            },
            limits: Limits {
                max_file: u64::from(self.max_file_mib) << 20,
                ingest_memory: mib(self.ingest_memory_mib),
                metric_memory: mib(self.metric_memory_mib),
                ingest_deadline_ms: self.ingest_deadline_ms,
                metric_deadline_ms: self.metric_deadline_ms,
                breaker_open_s: u64::from(self.breaker_open_s),
                ..Limits::default()
            },
            tables: self.operators_tables()?,
            compiler: None,
            environment: BTreeMap::new(),
            journal_key: None,
        })
    }

    fn unlocked_policy(&self) -> telemetry_plugins::Policy {
        match self.policy {
            Policy::Open => telemetry_plugins::Policy::Open,
            Policy::Metadata | Policy::Locked => telemetry_plugins::Policy::Metadata,
        }
    }

    fn locked(&self) -> Result<Lock, String> {
        let path = self.lock_file.as_deref().ok_or("`plugins.policy` is `locked`, and no lock file is named")?;
        let told = |problem: String| format!("`{}` {problem}", path.display());
        match std::fs::read_to_string(path) {
            Ok(text) => Lock::parse(&text).map_err(|error| told(format!("cannot be used: {error}"))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(told("is not there, and `plugins.policy` is `locked`; write it with: cylestio-server plugin lock".to_owned()))
            }
            Err(error) => Err(told(format!("cannot be read: {error}"))),
        }
    }

    /// The file of grants; without one, or when it is not there, nothing.
    pub(super) fn operators_grants(&self) -> Result<Grants, String> {
        let Some(path) = &self.grants_file else { return Ok(Grants::default()) };
        match std::fs::read_to_string(path) {
            Ok(text) => Grants::parse(&text).map_err(|error| format!("`{}`: {error}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Grants::default()),
            Err(error) => Err(format!("`{}` cannot be read: {error}", path.display())),
        }
    }

    /// The tables, read whole, and the host's own of prices.
    pub(super) fn operators_tables(&self) -> Result<Tables, String> {
        let read = |(name, table): (&String, &TableConfig)| match FileTable::read(&table.path, &table.key) {
            Ok(read) => Ok((name.clone(), Arc::new(read) as Arc<dyn LookupTable>)),
            Err(error) => Err(format!("the table `{name}`: `{}` {error}", table.path.display())),
        };
        let mut tables = self.tables.iter().map(read).collect::<Result<BTreeMap<_, _>, _>>()?;
        if tables.contains_key(MODEL_PRICES) {
            return Err(format!(
                "the table `{MODEL_PRICES}` is the server's own; prices of yours stand in the file that plugins.prices names"
            ));
        }
        let overrides = match &self.prices {
            None => PriceOverrides::default(),
            Some(path) => PriceOverrides::read(path).map_err(|error| format!("plugins.prices: `{}` {error}", path.display()))?,
        };
        tables.insert(MODEL_PRICES.to_owned(), Arc::new(PriceTable::new(overrides)));
        Ok(Tables(tables))
    }

    /// What was switched over HTTP; without the file, nothing.
    pub(super) fn switches(&self) -> Result<Switches, String> {
        self.switches_file.as_deref().map_or(Ok(Switches::default()), switches::read)
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        if self.path.as_ref().is_some_and(|path| path.is_file()) {
            findings.add("plugins.path", "is a file, not a folder");
        }
        if self.grants_file.as_ref().is_some_and(|path| !path.is_file()) {
            findings.add("plugins.grants_file", "is not there");
        }
        findings.range("plugins.max_file_mib", self.max_file_mib, 1, 1024);
        findings.range("plugins.compile_memory_mib", self.compile_memory_mib, 64, 65_536);
        findings.range("plugins.compile_seconds", self.compile_seconds, 1, 3600);
        findings.range("plugins.ingest_memory_mib", self.ingest_memory_mib, 1, 256);
        findings.range("plugins.metric_memory_mib", self.metric_memory_mib, 1, 256);
        findings.range("plugins.ingest_deadline_ms", self.ingest_deadline_ms, 1, 60_000);
        findings.range("plugins.metric_deadline_ms", self.metric_deadline_ms, 1, 3_600_000);
        findings.range("plugins.breaker_open_s", self.breaker_open_s, 1, 86_400);
        findings.range("plugins.report_timeout_s", self.report_timeout_s, 1, 86_400);
        findings.range("plugins.metric_threads", self.metric_threads, 1, 64);
        findings.range("plugins.metric_queue", self.metric_queue, 1, 10_000);
        if let (Some(cache), Some(folder)) = (&self.cache_path, &self.path)
            && cache.starts_with(folder)
        {
            findings.add("plugins.cache_path", "must not be under the drop-in folder");
        }
    }
}
