//! A folder for as long as something is tried.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use telemetry_model::Timestamp;

/// An empty folder that goes with this value.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new(now: Timestamp) -> anyhow::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("cylestio-run-{}-{}-{count}", std::process::id(), now.0));
        std::fs::create_dir(&path).with_context(|| format!("making `{}`", path.display()))?;
        Ok(Place(path))
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A database in it.
    pub(super) fn database(&self) -> PathBuf {
        self.0.join("run.db")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is left is in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
