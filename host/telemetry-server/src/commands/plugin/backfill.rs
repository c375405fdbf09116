//! `plugin backfill`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};
use telemetry_model::Timestamp;
use telemetry_model::query::Window;
use telemetry_server::config::Config;
use telemetry_server::offline;

use super::super::http::Client;
use super::super::progress::Progress;
use super::diff::time;

/// How often a server is asked for progress.
const MOMENT: Duration = Duration::from_millis(500);

/// Which enricher runs over which rows.
#[derive(Clone, Debug, Args)]
pub struct BackfillArguments {
    /// The id of an enricher that serves
    id: String,
    /// Rows from then on, by their own time; RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// Rows before then
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// Lets a running server do it, by its address; without a value, that of the configuration
    #[arg(long, num_args = 0..=1, default_missing_value = "")]
    url: Option<String>,
    /// The file that holds the token of that server's reads
    #[arg(long, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,
    /// Cancels the plugin's job instead; what it has stored stays
    #[arg(long)]
    cancel: bool,
    /// `table`, or `json`: one object
    #[arg(long, default_value = "table", value_parser = ["table", "json"])]
    format: String,
}

/// Starts the job, or goes on with the one there is, and follows it to its end.
pub(super) fn run(arguments: &BackfillArguments, config: &Config) -> anyhow::Result<ExitCode> {
    let mut progress = Progress::new("rows");
    let mut show = |job: &Value| {
        progress.tell_of(job.get("done").and_then(Value::as_u64).unwrap_or(0), &words_of_progress(job));
    };
    let job = match (&arguments.url, arguments.cancel) {
        (Some(url), false) => follow(&arguments.client(url, config)?, arguments, &mut show)?,
        (Some(url), true) => {
            let jobs = arguments.client(url, config)?.get("DELETE", &format!("/v1/plugins/{}/jobs", arguments.id), None)?;
            jobs.pointer("/items/0").cloned().unwrap_or_default()
        }
        (None, false) => offline::backfill(config, &arguments.id, arguments.window(), &mut show)?,
        (None, true) => offline::cancel(config, &arguments.id)?.unwrap_or_default(),
    };
    progress.end();
    if job.is_null() {
        bail!("`{}` has no job", arguments.id);
    }
    let mut out = std::io::stdout().lock();
    let printed = if arguments.format == "json" { writeln!(out, "{job:#}") } else { write!(out, "{}", words(&job)) };
    printed.context("printing")?;
    let is_done = job.get("state").and_then(Value::as_str) == Some(if arguments.cancel { "cancelled" } else { "done" });
    Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl BackfillArguments {
    fn client(&self, url: &str, config: &Config) -> anyhow::Result<Client> {
        Client::new(url, self.token_file.as_deref(), config)
    }

    fn window(&self) -> Window {
        Window { from: self.from, to: self.to }
    }
}

fn follow(client: &Client, arguments: &BackfillArguments, show: &mut dyn FnMut(&Value)) -> anyhow::Result<Value> {
    let path = format!("/v1/plugins/{}/jobs", arguments.id);
    let asked = client.ask("POST", &path, Some(&json!({ "from_time": arguments.from, "to_time": arguments.to })))?;
    let job = match asked.status {
        200 => asked.json,
        // It has one already, or is no enricher: then there is none that runs.
        409 => {
            let jobs = client.get("GET", &path, None)?;
            let first = jobs.pointer("/items/0").filter(|job| job.get("state").and_then(Value::as_str) == Some("running"));
            first.cloned().with_context(|| client.said(&asked))?
        }
        _ => bail!("{}", client.said(&asked)),
    };
    let number = job.get("id").and_then(Value::as_str).context("the server's answer has no job")?.to_owned();
    loop {
        let job = client.get("GET", &format!("{path}/{number}"), None)?;
        show(&job);
        if job.get("state").and_then(Value::as_str) != Some("running") {
            return Ok(job);
        }
        std::thread::park_timeout(MOMENT);
    }
}

fn number(job: &Value, name: &str) -> u64 {
    job.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn words_of_progress(job: &Value) -> String {
    let figure = |name: &str| job.get(name).and_then(Value::as_f64);
    let rate = figure("rate_per_s").map(|rate| format!(", {rate:.0} a second")).unwrap_or_default();
    let left = figure("remaining_s").map(|left| format!(", {left:.0} s to go")).unwrap_or_default();
    format!("{} of {} rows{rate}{left}", number(job, "done"), number(job, "total"))
}

fn words(job: &Value) -> String {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut out = format!(
        "{} over {}: {}, {} of {} rows\n",
        text(job, "plugin_id"),
        text(job, "source"),
        text(job, "state"),
        number(job, "done"),
        number(job, "total")
    );
    for (name, what) in [
        ("changed", "rows have other values than before"),
        ("unequal", "rows differ from what this very version gave live"),
        ("failed", "rows failed"),
        ("apart", "rows stand apart: it had not run well on them before"),
    ] {
        out += &format!("{:>10}  {what}\n", number(job, name));
    }
    let apart = job.get("apart_rows").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for row in apart.iter().filter(|row| row.get("outcome").is_some_and(Value::is_string)) {
        let reference = row.get("row").cloned().unwrap_or_default();
        out += &format!("            {} {}: {}\n", text(&reference, "relation"), text(&reference, "id"), text(row, "outcome"));
    }
    let never = apart.iter().filter(|row| row.get("outcome").is_none_or(Value::is_null)).count();
    if never > 0 {
        out += &format!(
            "            on {} of these it had never run (--format json names the first 1,000)\n",
            count_of(job, never, apart.len())
        );
    }
    if let Some(reason) = job.get("reason").and_then(Value::as_str) {
        out += &format!("{reason}\n");
    }
    out
}

/// How many rows apart it had never run on: all that are not listed as failed, where the list is whole for those.
fn count_of(job: &Value, never: usize, listed: usize) -> u64 {
    let failed = (listed - never) as u64;
    if failed < 1_000 { number(job, "apart").saturating_sub(failed) } else { never as u64 }
}
