//! `plugin build`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use telemetry_devkit::BuildSettings;
use telemetry_plugins::{Catalog, PluginSettings};

/// Builds each folder's plugin and keeps its compiled form. Without a configuration that can be used, only the cache is left out.
pub(super) fn run(folders: &[PathBuf], settings: &dyn Fn() -> anyhow::Result<PluginSettings>) -> anyhow::Result<ExitCode> {
    let toolchain = BuildSettings::from_environment(std::env::vars_os());
    let cached = settings();
    for folder in folders {
        let built = telemetry_devkit::build(folder, &toolchain).with_context(|| format!("building `{}`", folder.display()))?;
        writeln!(std::io::stdout(), "{} ({} bytes)", built.path.display(), built.component.len()).context("printing")?;
        match &cached {
            Ok(settings) => Catalog::keep_compiled(settings, &built.component)
                .with_context(|| format!("`{}` was built, but no server would load it", built.path.display()))?,
            Err(error) => writeln!(std::io::stderr(), "note: not compiled ahead: {error:#}").context("printing")?,
        }
    }
    Ok(ExitCode::SUCCESS)
}
