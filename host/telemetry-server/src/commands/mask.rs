//! `cylestio-server mask ..`: masking what is stored already.

use std::io::Write;

use anyhow::Context;
use clap::Subcommand;
use telemetry_model::Clock as _;
use telemetry_model::time::SystemClock;
use telemetry_plugins::Catalog;
use telemetry_server::config::Config;
use telemetry_server::processing::replay;

/// Masks what is stored.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum MaskAction {
    /// Runs the maskers that are on over every text in the database (`--db-path`); the server must be stopped
    Replay,
}

/// Runs the action and says what was done.
///
/// # Errors
/// When it cannot be done; nothing is changed then.
pub fn run(action: &MaskAction, config: &Config) -> anyhow::Result<()> {
    match action {
        MaskAction::Replay => {
            let path = &config.database.path;
            anyhow::ensure!(path.is_file(), "there is no database `{}`", path.display());
            let catalog = Catalog::open(config.plugins.settings().map_err(anyhow::Error::msg)?)?;
            let done =
                replay(&catalog, &config.store_settings(), SystemClock.now()).context("masking what is stored; nothing was changed")?;
            writeln!(std::io::stdout(), "{} texts read, {} masked", done.read, done.replaced).context("printing")
        }
    }
}
