//! Where log lines go and how they look: text for a terminal, JSON lines otherwise.

use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{LogFormat, LoggingConfig};

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The file of `logging.destination` cannot be written.
    #[error("opening the log file `{}`: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A subscriber stands already.
    #[error("starting the log: {0}")]
    Installed(String),
}

/// Logs where a panic came from, never what it said: its text may hold what a client sent.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        tracing::error!(panic.location = location, "panicked");
    }));
}

/// Installs the process's log.
///
/// # Errors
/// When the destination cannot be opened or a log was installed before.
pub fn start(config: &LoggingConfig) -> Result<(), LoggingError> {
    match config.destination.as_str() {
        "stderr" => install(config, std::io::stderr, std::io::stderr().is_terminal())?,
        path => {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map_err(|source| LoggingError::Open { path: path.into(), source })?;
            install(config, Mutex::new(file), false)?;
        }
    }
    Ok(())
}

fn install<W>(config: &LoggingConfig, writer: W, terminal: bool) -> Result<(), LoggingError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::new(config.level.as_str());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let text = match config.format {
        LogFormat::Auto => terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let installed = match text {
        true => builder.with_ansi(terminal).try_init(),
        false => builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
    };
    installed.map_err(|error| LoggingError::Installed(error.to_string()))
}
