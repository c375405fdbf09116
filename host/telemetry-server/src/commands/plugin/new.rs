//! `plugin new`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use telemetry_plugins::PluginKind;

/// Makes the project `name` in the current folder.
pub(super) fn run(name: &str, kind: PluginKind, language: &str) -> anyhow::Result<ExitCode> {
    let folder = telemetry_devkit::project::create(Path::new(""), name, kind, language).context("making a project")?;
    let folder = folder.display();
    let told = writeln!(
        std::io::stdout(),
        "made `{folder}`: its README tells what is where. Next:\n\n  cd {folder}\n  cylestio-server plugin build\n  cylestio-server plugin test"
    );
    told.context("printing")?;
    Ok(ExitCode::SUCCESS)
}
