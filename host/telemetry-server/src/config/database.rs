//! `[database]`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::check::Findings;

/// The SQLite file and how it is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// The file; made when absent.
    pub path: PathBuf,
    /// Connections for reads.
    pub pool_size: u32,
    /// Milliseconds to wait for another process's lock.
    pub busy_timeout_ms: u32,
    /// Events in one transaction at most.
    pub max_group: usize,
    /// MiB of events waiting for the writer at most; more are answered 503.
    pub queue_mib: usize,
    /// Keys of attributes whose values filters seek; filters on any other attribute scan.
    pub indexed_attributes: Vec<String>,
}

/// What people filter by beyond what has a column of its own, in attributes that few events have.
const INDEXED: [&str; 8] = [
    "error.type",
    "framework.type",
    "llm.request.type",
    "llm.response.stop_reason",
    "llm.usage.output_tokens",
    "node.name",
    "tool.status",
    "user.id",
];
/// Each indexed attribute of an event is a further row to write.
const MOST_INDEXED: usize = 64;

impl Default for DatabaseConfig {
    fn default() -> Self {
        DatabaseConfig {
            path: "./cylestio.db".into(),
            pool_size: 4,
            busy_timeout_ms: 5000,
            max_group: 1000,
            queue_mib: 64,
            indexed_attributes: INDEXED.iter().map(|key| (*key).to_owned()).collect(),
        }
    }
}

impl DatabaseConfig {
    /// `name` in the folder of the database.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(name)
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        if self.path.as_os_str().is_empty() {
            findings.add("database.path", "must name a file");
        } else if self.path.is_dir() {
            findings.add("database.path", format!("`{}` is a folder", self.path.display()));
        }
        findings.range("database.pool_size", self.pool_size, 1, 64);
        findings.range("database.busy_timeout_ms", self.busy_timeout_ms, 0, 600_000);
        findings.range("database.max_group", self.max_group, 1, 100_000);
        findings.range("database.queue_mib", self.queue_mib, 1, 4096);
        let keys = &self.indexed_attributes;
        if keys.len() > MOST_INDEXED {
            findings.add("database.indexed_attributes", format!("{} keys; at most {MOST_INDEXED} are indexed", keys.len()));
        }
        for (place, key) in keys.iter().enumerate() {
            if key.is_empty() || key.len() > 256 {
                findings.add("database.indexed_attributes", "a key must have 1 to 256 bytes");
            } else if keys.iter().take(place).any(|earlier| earlier == key) {
                findings.add("database.indexed_attributes", format!("`{key}` stands there twice"));
            }
        }
    }
}
