//! A folder for as long as a command runs.

use std::path::PathBuf;

use anyhow::Context;
use telemetry_model::Timestamp;

/// An empty folder that goes with this value.
pub(super) struct Place(PathBuf);

impl Place {
    pub(super) fn new(now: Timestamp) -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("cylestio-run-{}-{}", std::process::id(), now.0));
        std::fs::create_dir(&path).with_context(|| format!("making `{}`", path.display()))?;
        Ok(Place(path))
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
