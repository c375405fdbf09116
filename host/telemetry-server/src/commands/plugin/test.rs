//! `plugin test`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use telemetry_devkit::CompileCache;

/// Exits 1 when a case is not met.
pub(super) fn run(folder: &Path, cache: &CompileCache) -> anyhow::Result<ExitCode> {
    let verdict = telemetry_devkit::verify(folder, cache).with_context(|| format!("testing `{}`", folder.display()))?;
    writeln!(std::io::stdout(), "{verdict}").context("printing")?;
    Ok(if verdict.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
