//! `[logging]`.

use serde::{Deserialize, Serialize};

use super::check::Findings;

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// What may become a failure.
    Warn,
    /// Start, stop, plugins.
    Info,
    /// Each request.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            LogLevel::Off => "off",
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text for a terminal, JSON otherwise.
    Auto,
    /// Text.
    Text,
    /// A JSON object a line.
    Json,
}

/// The log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggingConfig {
    /// From which level on.
    pub level: LogLevel,
    /// Text or JSON.
    pub format: LogFormat,
    /// `stderr` or a file.
    pub destination: String,
}

impl Default for LoggingConfig {
    fn default() -> Self {
        LoggingConfig { level: LogLevel::Info, format: LogFormat::Auto, destination: "stderr".into() }
    }
}

impl LoggingConfig {
    pub(super) fn check(&self, findings: &mut Findings) {
        if self.destination.is_empty() {
            findings.add("logging.destination", "must be `stderr` or a file");
        }
    }
}
