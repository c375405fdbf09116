//! `cylestio-server audit ..`: whether what plugins were handed can be proved.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::Value;
use telemetry_server::Config;
use telemetry_server::audit::verify;
use telemetry_store::{Head, Store};

use super::http::Client;

/// Whether what plugins were handed can be proved.
#[derive(Debug, Subcommand)]
pub enum AuditAction {
    /// Reads the access journal, makes the rows again from what is stored, and names whatever differs
    Verify {
        /// Asks a running server, e.g. http://127.0.0.1:8000, instead of opening the database; without a value, at the address of the
        /// configuration
        #[arg(long, num_args = 0..=1, default_missing_value = "")]
        url: Option<String>,
        /// The file with the token that the running server's reads want; without it `server.read_token_file` or `server.read_token`
        #[arg(long, value_name = "FILE", requires = "url")]
        token_file: Option<PathBuf>,
        /// The file that keeps the journal's end; without it `plugins.journal_head_path`
        #[arg(long, value_name = "FILE")]
        head: Option<PathBuf>,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Runs `action`; the exit code is 0 when the journal holds.
///
/// # Errors
/// When the database or the server cannot be read.
pub fn run(action: &AuditAction, load: &dyn Fn() -> anyhow::Result<Config>) -> anyhow::Result<ExitCode> {
    let AuditAction::Verify { url, token_file, head, json } = action;
    let config = load()?;
    let audit = match url {
        Some(url) => Client::new(url, token_file.as_deref(), &config)?.get("GET", "/v1/audit/verify", None)?,
        None => offline(&config, head.as_deref())?,
    };
    let mut out = std::io::stdout();
    match json {
        true => writeln!(out, "{audit:#}"),
        false => write!(out, "{}", words(&audit)),
    }
    .context("printing")?;
    Ok(if audit.get("holds") == Some(&Value::Bool(true)) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn offline(config: &Config, head: Option<&Path>) -> anyhow::Result<Value> {
    let path = &config.database.path;
    if !path.is_file() {
        bail!("there is no database `{}`", path.display());
    }
    let head = read_head(head.or(config.plugins.journal_head_path.as_deref()))?;
    let store = Store::open(telemetry_store::StoreSettings { journal_head_path: None, ..config.store_settings() })?;
    let audit = verify(&store.snapshot()?, store.digest_key(), &config.plugins, head)?;
    store.close();
    serde_json::to_value(audit).context("writing the audit as JSON")
}

/// The head in `path`.
fn read_head(path: Option<&Path>) -> anyhow::Result<Option<Head>> {
    let Some(path) = path else { return Ok(None) };
    let text = std::fs::read_to_string(path).with_context(|| format!("reading the journal's head `{}`", path.display()))?;
    let head = text.lines().next_back().and_then(Head::parse);
    head.map(Some).with_context(|| format!("`{}` does not hold the head of a journal", path.display()))
}

fn words(audit: &Value) -> String {
    let text = |value: &Value, name: &str| {
        value.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).unwrap_or_default()
    };
    let list = |name: &str| audit.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut out = format!("{} entries, {} row hashes made again\n", text(audit, "entries"), text(audit, "rows"));
    for unproven in list("not_rebuilt") {
        out += &format!("not made again ({}): {} - {}\n", text(&unproven, "why"), text(&unproven, "count"), text(&unproven, "explanation"));
        for place in unproven.get("places").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            out += &format!("    {place}\n");
        }
    }
    for finding in list("findings") {
        out += &format!("WRONG: {}: {}\n", text(&finding, "place"), text(&finding, "problem"));
    }
    let verdict = if audit.get("holds") == Some(&Value::Bool(true)) { "the journal holds" } else { "the journal does not hold" };
    out + &format!("{verdict}; head: {} {}\n", text(audit, "head_entry"), text(audit, "head"))
}
