//! `cylestio-server audit ..`: whether what plugins were handed can be proved.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Subcommand;
use serde_json::Value;
use telemetry_server::Config;
use telemetry_server::audit::verify;
use telemetry_server::config::Secret;
use telemetry_store::{Head, Store};

/// Whether what plugins were handed can be proved.
#[derive(Debug, Subcommand)]
pub enum AuditAction {
    /// Reads the access journal, makes the rows again from what is stored, and names whatever differs
    Verify {
        /// Asks a running server, e.g. http://127.0.0.1:8000, instead of opening the database
        #[arg(long)]
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
    let audit = match url {
        Some(url) => {
            let token = match token_file {
                Some(path) => Some(Secret::read(path).map_err(|reason| anyhow!("--token-file: {reason}"))?),
                None => load()?.server.read_token,
            };
            ask(url, token.as_ref())?
        }
        None => offline(&load()?, head.as_deref())?,
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

/// `GET /v1/audit/verify` of a server nearby, with the token that its reads want.
fn ask(url: &str, token: Option<&Secret>) -> anyhow::Result<Value> {
    let address = url.trim_end_matches('/').strip_prefix("http://").with_context(|| format!("`{url}` is not an http:// address"))?;
    let mut stream = TcpStream::connect(address).with_context(|| format!("connecting to `{url}`"))?;
    stream.set_read_timeout(Some(Duration::from_secs(3_600)))?;
    let authorization = token.map(|token| format!("authorization: Bearer {}\r\n", token.reveal())).unwrap_or_default();
    let head =
        format!("GET /v1/audit/verify HTTP/1.1\r\nhost: {address}\r\n{authorization}connection: close\r\naccept: application/json\r\n\r\n");
    stream.write_all(head.as_bytes()).with_context(|| format!("asking `{url}`"))?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(|| format!("reading the answer of `{url}`"))?;
    let answer = String::from_utf8(answer).with_context(|| format!("reading the answer of `{url}`"))?;
    let (head, body) = answer.split_once("\r\n\r\n").with_context(|| format!("`{url}` does not answer as HTTP"))?;
    let body = if head.to_ascii_lowercase().contains("transfer-encoding: chunked") { whole(body) } else { body.to_owned() };
    match head.split_whitespace().nth(1) {
        Some("401") => bail!("`{url}` wants the token of its reads: name the file that holds it with --token-file"),
        Some("200") => serde_json::from_str(&body).with_context(|| format!("reading the answer of `{url}`")),
        status => bail!("`{url}` answered {}: {}", status.unwrap_or("nothing"), body.trim()),
    }
}

/// The chunks of a body put together.
fn whole(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let Some(chunk) = usize::from_str_radix(size.trim(), 16).ok().filter(|size| *size > 0).and_then(|size| rest.get(..size)) else {
            break;
        };
        text.push_str(chunk);
        body = rest.get(chunk.len() + 2..).unwrap_or_default();
    }
    text
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
