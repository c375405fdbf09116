//! `plugin grant`.

use std::fs;
use std::io::{self, IsTerminal as _, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use telemetry_devkit::{Opinion, files, grant::with_grant};
use telemetry_plugins::{Grants, PluginSettings};
use telemetry_server::config::Config;

/// Shows what `file` asks, and with consent grants it: the lines go into `grants.toml`. `patterns` stand for the fields.
pub(super) fn run(file: &Path, patterns: &[String], yes: bool, config: &Config) -> anyhow::Result<ExitCode> {
    let settings = super::settings(config)?;
    let path = config.plugins.grants_file.as_deref().context("there is no place for grants")?;
    let opinion = telemetry_devkit::check(file, settings.clone())?;
    let mut out = io::stdout().lock();
    writeln!(out, "{opinion}").context("printing")?;
    let Some(lines) = &opinion.status.grant else {
        return Ok(if opinion.would_load() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    };
    let lines = if patterns.is_empty() { lines.clone() } else { with_patterns(lines, patterns)? };
    let before = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read.with_context(|| format!("reading `{}`", path.display()))?,
    };
    let after = with_grant(&before, &lines).with_context(|| format!("`{}`", path.display()))?;
    let opinion = with_grants(file, settings, &after)?;
    if let Some(missing) = &opinion.status.grant {
        bail!("these patterns do not grant all it asks; it would still need\n\n{missing}");
    }
    writeln!(out, "\nThis grants it, in `{}`:\n\n{lines}", path.display()).context("printing")?;
    if !yes && !consent(&mut out)? {
        bail!("nothing was granted");
    }
    files::replace(path, &after).with_context(|| format!("writing `{}`", path.display()))?;
    writeln!(out, "granted. {}", opinion.to_string().lines().last().unwrap_or_default()).context("printing")?;
    Ok(if opinion.would_load() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a start would say with this text as `grants.toml`.
fn with_grants(file: &Path, mut settings: PluginSettings, text: &str) -> anyhow::Result<Opinion> {
    settings.grants.extend(Grants::parse(text)?);
    Ok(telemetry_devkit::check(file, settings)?)
}

/// `lines` with these fields.
fn with_patterns(lines: &str, patterns: &[String]) -> anyhow::Result<String> {
    let mut grants = Grants::parse(lines)?;
    grants.0.values_mut().for_each(|grant| grant.fields = patterns.to_vec());
    Ok(grants.lines())
}

fn consent(out: &mut impl Write) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("nobody is asked here, since this is no terminal: say --yes to grant it");
    }
    write!(out, "grant it? [y/N] ").and_then(|()| out.flush()).context("printing")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).context("reading the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
