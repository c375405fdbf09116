//! `plugin lock`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use telemetry_devkit::files;
use telemetry_plugins::{Catalog, Lock, PluginState};
use telemetry_server::config::Config;

/// Writes the ids and digests of all that would serve now into the lock file.
pub(super) fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let settings = config.plugins.unlocked_settings().map_err(anyhow::Error::msg)?;
    let path = config.plugins.lock_file.as_deref().context("there is no place for a lock file")?;
    let mut out = std::io::stdout().lock();
    let mut lock = Lock::default();
    for status in Catalog::open(settings)?.statuses() {
        match (status.state, status.digest) {
            (PluginState::Serving | PluginState::BreakerOpen, Some(digest)) => {
                writeln!(out, "locked    {} {digest}", status.id).context("printing")?;
                lock.0.insert(status.id, digest);
            }
            (PluginState::SwitchedOff, _) => writeln!(out, "left out  {}: switched off", status.id).context("printing")?,
            _ => writeln!(out, "left out  {}: {}", status.id, status.error.unwrap_or_default()).context("printing")?,
        }
    }
    files::replace(path, &lock.to_string()).with_context(|| format!("writing `{}`", path.display()))?;
    writeln!(out, "\n`{}` has {} components; they alone load with plugins.policy = \"locked\"", path.display(), lock.0.len())
        .context("printing")?;
    Ok(ExitCode::SUCCESS)
}
