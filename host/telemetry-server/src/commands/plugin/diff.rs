//! `plugin diff`.

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use telemetry_model::Timestamp;
use telemetry_model::query::Window;
use telemetry_server::config::Config;
use telemetry_server::history::{Asked, Named};
use telemetry_server::offline;

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
    /// Of a metric: the groups of its report, fields with commas between
    #[arg(long, value_name = "FIELDS")]
    group_by: Option<String>,
    /// Of a metric: a parameter of its report, as interval=1h, a filter, one of its own; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// Changes to be listed at most; all are counted
    #[arg(long, default_value_t = 1_000)]
    limit: usize,
    /// `table`, or `json`: one object
    #[arg(long, default_value = "table", value_parser = ["table", "json"])]
    format: String,
}

/// Compares the two over the stored rows of the configured database.
pub(super) fn run(arguments: &DiffArguments, config: &Config) -> anyhow::Result<ExitCode> {
    let asked = arguments.asked()?;
    let (old, new) = (Named::parse(&arguments.old), Named::parse(&arguments.new));
    let mut progress = Progress::new("rows compared");
    let diff = offline::diff(config, &old, &new, &asked, &mut |rows| progress.tell(rows))?;
    progress.end();
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = if arguments.format == "json" {
        serde_json::to_writer_pretty(&mut out, &diff).map_err(io::Error::from).and_then(|()| writeln!(out))
    } else {
        write!(out, "{diff}")
    };
    printed.and_then(|()| out.flush()).context("printing")?;
    Ok(ExitCode::SUCCESS)
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
