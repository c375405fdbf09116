//! `plugin bench`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use telemetry_devkit::CompileCache;

/// Measures the plugin in `folder`.
pub(super) fn run(folder: &Path, json: bool, cache: &CompileCache) -> anyhow::Result<ExitCode> {
    let bill = telemetry_devkit::bench::bench(folder, cache, &telemetry_plugins::thread_cpu_ns);
    let bill = bill.with_context(|| format!("measuring `{}`", folder.display()))?;
    let mut out = std::io::stdout().lock();
    let printed = if json { writeln!(out, "{:#}", bill.to_json()) } else { writeln!(out, "{bill}") };
    printed.context("printing")?;
    Ok(ExitCode::SUCCESS)
}
