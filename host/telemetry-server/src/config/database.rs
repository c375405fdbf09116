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
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        DatabaseConfig { path: "./cylestio.db".into(), pool_size: 4, busy_timeout_ms: 5000, max_group: 1000, queue_mib: 64 }
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
    }
}
