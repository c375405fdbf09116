//! What the operator sets. Plain values: the server maps its configuration onto them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::compiler::Compiler;
use crate::grants::Grants;

/// Everything that [`crate::Catalog::open`] needs.
#[derive(Clone, Debug, Default)]
pub struct PluginSettings {
    /// Who may load.
    pub policy: Policy,
    /// The drop-in folder: its top-level `*.wasm` and `*.toml` files are loaded. `None`, or a folder that is not there: no file is.
    pub path: Option<PathBuf>,
    /// One file more, taken as though it lay in the drop-in folder in the place of the file there that has its name or its id.
    pub candidate: Option<PathBuf>,
    /// What is granted to whom, shipped plugins included.
    pub grants: Grants,
    /// The folder of compiled components; `None` compiles at each start.
    pub cache_path: Option<PathBuf>,
    /// The folder of the key that authenticates them; `None`: beside `cache_path`, named like it with `-state` behind.
    pub state_path: Option<PathBuf>,
    /// Ids of plugins that are switched off, shipped or not.
    pub off: BTreeSet<String>,
    /// Ids of shipped plugins that are off unless they stand here.
    pub on: BTreeSet<String>,
    /// Ids of shipped plugins whose place a dropped-in file takes.
    pub replaced: BTreeSet<String>,
    /// Leaves the shipped plugins out altogether.
    pub without_shipped: bool,
    /// Configuration by plugin id, as in the manifest's schema.
    pub config: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
    /// What happens to an event that no validator could check.
    pub validator_failure: FailureAction,
    /// Ceilings of what plugins may use.
    pub limits: Limits,
    /// Tables that `lookup` can be granted on.
    pub tables: Tables,
    /// The server's environment, of which single variables can be granted.
    pub environment: BTreeMap<String, String>,
    /// Compiles dropped-in components apart; `None`: they are compiled where they are loaded. Only [`crate::Registry`] heeds it.
    pub compiler: Option<Compiler>,
    /// The key of the database's digests, under which what plugins are handed is noted; `None` notes nothing.
    pub journal_key: Option<telemetry_model::DigestKey>,
}

/// Who may load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Every field is granted; still no WASI, no tables, no warm instances.
    Open,
    /// Plugins that read metadata only load; everything else needs a grant.
    #[default]
    Metadata,
    /// As `Metadata`, and only these: SHA-256 in hex by plugin id.
    Locked(BTreeMap<String, String>),
}

/// What happens to an event on which a validator failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailureAction {
    /// Stored, flagged `unvalidated:<plugin>`.
    #[default]
    Flag,
    /// Quarantined.
    Quarantine,
}

/// Ceilings of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest component file, bytes.
    pub max_file: u64,
    /// Linear memory of validators and enrichers, bytes; at most 256 MiB.
    pub ingest_memory: usize,
    /// Linear memory of metrics, bytes; at most 256 MiB.
    pub metric_memory: usize,
    /// CPU time of a batch in ingest before rows and bytes are added, milliseconds.
    pub ingest_deadline_ms: u64,
    /// CPU time of a metric in one query, milliseconds.
    pub metric_deadline_ms: u64,
    /// Wall time of one call of a plugin that was granted WASI, and so may wait, milliseconds.
    pub wasi_wall_ms: u64,
    /// What a validator or enricher may return, bytes.
    pub ingest_output: usize,
    /// What a metric may return, bytes.
    pub metric_output: usize,
    /// Rows of one call.
    pub batch_rows: usize,
    /// Bytes of one call's columns; a single row may have more.
    pub batch_bytes: usize,
    /// Log lines of one call; the rest is counted and dropped.
    pub log_lines: u32,
    /// Lines that a plugin's ring keeps.
    pub log_ring: usize,
    /// How long a plugin whose calls keep failing is left out, seconds; 0: never, each row is tried whatever came before.
    pub breaker_open_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_file: 32 << 20,
            ingest_memory: 64 << 20,
            metric_memory: 256 << 20,
            ingest_deadline_ms: 5,
            metric_deadline_ms: 5_000,
            wasi_wall_ms: 2_000,
            ingest_output: 8 << 20,
            metric_output: 128 << 20,
            batch_rows: 1_000,
            batch_bytes: 1 << 20,
            log_lines: 64,
            log_ring: 200,
            breaker_open_s: 30,
        }
    }
}

/// A read-only table of the operator's.
pub trait LookupTable: Send + Sync {
    /// The row whose key equals `key`, as a JSON object.
    fn exact(&self, key: &str) -> Option<String>;
    /// The row whose key is the longest prefix of `key`, as a JSON object.
    fn longest_prefix(&self, key: &str) -> Option<String>;
    /// What its answers depend on, in short: a plugin that was granted the table is another one when this changes.
    fn digest(&self) -> &str;
    /// Gets ready to answer; called before calls of a plugin that was granted the table, whose time it shall not use up.
    fn prepare(&self) {}
}

/// Tables by name.
#[derive(Clone, Default)]
pub struct Tables(pub BTreeMap<String, Arc<dyn LookupTable>>);

/// The tables of one plugin, in the order of its manifest.
pub(crate) type NamedTables = Vec<(String, Arc<dyn LookupTable>)>;

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
