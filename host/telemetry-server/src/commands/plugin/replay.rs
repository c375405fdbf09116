//! `plugin replay`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use telemetry_model::Timestamp;
use telemetry_model::query::Window;
use telemetry_server::config::Config;
use telemetry_server::history::{Asked, Named};
use telemetry_server::offline;

use super::super::progress::Progress;
use super::diff::time;

/// What is tried on which rows.
#[derive(Clone, Debug, Args)]
pub struct ReplayArguments {
    /// A file, or the id of a plugin that is shipped or dropped in
    file: String,
    /// Rows from then on, by their own time; RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// Rows before then
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// Of a metric: the groups of its report, fields with commas between
    #[arg(long, value_name = "FIELDS")]
    group_by: Option<String>,
    /// Of a metric: a parameter of its report; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// Rows on which it fails to be listed at most; all are counted
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// `table`, or `json`: one object
    #[arg(long, default_value = "table", value_parser = ["table", "json"])]
    format: String,
}

/// Runs the plugin over the stored rows of the configured database.
pub(super) fn run(arguments: &ReplayArguments, config: &Config) -> anyhow::Result<ExitCode> {
    let mut query: Vec<(String, String)> = arguments.group_by.iter().map(|fields| ("group_by".to_owned(), fields.clone())).collect();
    query.extend(super::pairs(&arguments.parameters)?);
    let asked = Asked { window: Window { from: arguments.from, to: arguments.to }, limit: arguments.limit, query };
    let mut progress = Progress::new("rows tried");
    let replay = offline::replay(config, &Named::parse(&arguments.file), &asked, &mut |rows| progress.tell(rows))?;
    progress.end();
    let mut out = std::io::stdout().lock();
    let printed = match arguments.format.as_str() {
        "json" => writeln!(out, "{:#}", serde_json::to_value(&replay).context("printing")?),
        _ => write!(out, "{replay}"),
    };
    printed.context("printing")?;
    Ok(ExitCode::SUCCESS)
}
