//! `plugin inspect`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

/// Shows the component in `file`.
pub(super) fn run(file: &Path, json: bool, max_file: u64) -> anyhow::Result<ExitCode> {
    let portrait = telemetry_devkit::portrait(file, max_file).with_context(|| format!("looking at `{}`", file.display()))?;
    let mut out = std::io::stdout().lock();
    let printed = if json { writeln!(out, "{:#}", portrait.to_json()) } else { writeln!(out, "{portrait}") };
    printed.context("printing")?;
    Ok(ExitCode::SUCCESS)
}
