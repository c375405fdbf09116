//! A plugin's configuration and a report's parameters. Nothing is parsed until it is asked for.

use crate::json;

/// The values of `[config.*]`, and for a metric of `[parameters.*]`; the host fills in defaults.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    config: String,
    parameters: String,
}

impl Settings {
    /// From two JSON objects.
    pub fn new(config: impl Into<String>, parameters: impl Into<String>) -> Self {
        Settings { config: config.into(), parameters: parameters.into() }
    }

    /// The integer under `name`: a parameter, else of the configuration.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.raw(name)?.parse().ok()
    }

    /// The number under `name`.
    pub fn real(&self, name: &str) -> Option<f64> {
        self.raw(name)?.parse::<f64>().ok().filter(|value| value.is_finite())
    }

    /// The text under `name`.
    pub fn text(&self, name: &str) -> Option<String> {
        json::unescape(self.raw(name)?)
    }

    /// The boolean under `name`.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        self.raw(name)?.parse().ok()
    }

    /// The JSON text under `name`.
    pub fn raw(&self, name: &str) -> Option<&str> {
        json::member(&self.parameters, name).or_else(|| json::member(&self.config, name))
    }
}
