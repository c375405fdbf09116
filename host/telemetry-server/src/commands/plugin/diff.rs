//! `plugin diff`.

use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use serde_json::{Value, json};
use telemetry_model::Timestamp;
use telemetry_model::query::Window;
use telemetry_server::config::Config;
use telemetry_server::history::{Asked, Named, table};
use telemetry_server::offline;

use super::super::http::Client;
use super::super::progress::Progress;

/// What is compared over which rows.
#[derive(Clone, Debug, Args)]
pub struct DiffArguments {
    /// The old version: a file, or the id of a plugin that is shipped or dropped in
    old: String,
    /// The new version: the same
    new: String,
    /// Rows from then on, by their own time; RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// Rows before then
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// The groups of the report, of a metric or of those that take what an enricher writes: fields with commas between
    #[arg(long, value_name = "FIELDS")]
    group_by: Option<String>,
    /// A parameter of that report, as interval=1h, a filter, one of the metric's own; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// Lets a running server do it, by its address; without a value, that of the configuration
    #[arg(long, num_args = 0..=1, default_missing_value = "")]
    url: Option<String>,
    /// The file that holds the token of that server's reads
    #[arg(long, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,
    /// Changes to be listed at most; all are counted
    #[arg(long, default_value_t = 1_000)]
    limit: usize,
    /// `table`, or `json`: one object
    #[arg(long, default_value = "table", value_parser = ["table", "json"])]
    format: String,
}

/// Compares the two over what a server has stored, or the configured database.
pub(super) fn run(arguments: &DiffArguments, config: &Config) -> anyhow::Result<ExitCode> {
    let asked = arguments.asked()?;
    let (old, new) = (Named::parse(&arguments.old), Named::parse(&arguments.new));
    let diff = match &arguments.url {
        Some(url) => {
            let body = json!({
                "old": sent(&old)?, "new": sent(&new)?, "from_time": arguments.from, "to_time": arguments.to, "query": asked.query,
                "limit": asked.limit,
            });
            Client::new(url, arguments.token_file.as_deref(), config)?.get("POST", "/v1/plugins/diff", Some(&body))?
        }
        None => {
            let mut progress = Progress::new("rows compared");
            let diff = offline::diff(config, &old, &new, &asked, &mut |rows| progress.tell(rows))?;
            progress.end();
            serde_json::to_value(diff).context("writing the diff as JSON")?
        }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = if arguments.format == "json" { writeln!(out, "{diff:#}") } else { write!(out, "{}", table(&diff)) };
    printed.and_then(|()| out.flush()).context("printing")?;
    Ok(ExitCode::SUCCESS)
}

/// One side as a server is sent it.
fn sent(named: &Named) -> anyhow::Result<Value> {
    let path = match named {
        Named::Id(id) => return Ok(json!({ "id": id })),
        Named::File(path) => path,
    };
    let bytes = std::fs::read(path).with_context(|| format!("reading `{}`", path.display()))?;
    match path.extension().is_some_and(|extension| extension == "toml") {
        true => Ok(json!({ "toml": String::from_utf8(bytes).with_context(|| format!("reading `{}`", path.display()))? })),
        false => Ok(json!({ "wasm": BASE64_STANDARD.encode(bytes) })),
    }
}

impl DiffArguments {
    fn asked(&self) -> anyhow::Result<Asked> {
        let mut query: Vec<(String, String)> = self.group_by.iter().map(|fields| ("group_by".to_owned(), fields.clone())).collect();
        query.extend(super::pairs(&self.parameters)?);
        Ok(Asked { window: Window { from: self.from, to: self.to }, limit: self.limit, query })
    }
}

/// A moment of the command line.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).map_err(|error| format!("it is {error}"))
}
