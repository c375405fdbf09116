//! `plugin run`.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use telemetry_server::config::Config;
use telemetry_server::offline::{self, OfflineRun};

/// Runs `file` over the events of `input`, or of the configured database.
pub(super) fn run(
    file: &Path,
    input: Option<&Path>,
    group_by: Option<&str>,
    parameters: &[String],
    config: &Config,
) -> anyhow::Result<ExitCode> {
    let mut query: Vec<(String, String)> = group_by.map(|fields| ("group_by".to_owned(), fields.to_owned())).into_iter().collect();
    query.extend(super::pairs(parameters)?);
    let run = OfflineRun { file: file.to_owned(), input: input.map(Path::to_owned), query };
    let mut out = BufWriter::new(io::stdout().lock());
    match offline::run(config, &run, &mut out).and_then(|()| out.flush().context("printing")) {
        // Whoever reads has read enough.
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) => {}
        done => done?,
    }
    Ok(ExitCode::SUCCESS)
}
