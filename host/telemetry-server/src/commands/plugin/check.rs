//! `plugin check`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use telemetry_server::config::Config;

/// Exits 0 when a start would load `file`, else 1 with the reason and the lines that would grant what it asks.
pub(super) fn run(file: &Path, config: &Config) -> anyhow::Result<ExitCode> {
    let opinion = telemetry_devkit::check(file, super::settings(config)?)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{opinion}").context("printing")?;
    if let Some(lines) = &opinion.status.grant {
        let place = config.plugins.grants_file.as_ref().map_or_else(|| "grants.toml".to_owned(), |path| path.display().to_string());
        writeln!(out, "\nThese lines in `{place}` would allow it:\n\n{lines}").context("printing")?;
    }
    Ok(if opinion.would_load() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
