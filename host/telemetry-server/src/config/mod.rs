//! The configuration: defaults < file < environment < flags, every value checked, every problem named.

mod check;
mod correlation;
mod database;
mod features;
mod load;
mod logging;
mod plugins;
mod secret;
mod server;
mod show;
mod sources;

use serde::{Deserialize, Serialize};

pub use correlation::CorrelationConfig;
pub use database::DatabaseConfig;
pub use features::FeaturesConfig;
pub use load::{ConfigError, Issue, Loaded, load};
pub use logging::{LogFormat, LogLevel, LoggingConfig};
pub use plugins::{PluginsConfig, Policy, ValidatorFailure};
pub use secret::Secret;
pub use server::ServerConfig;
pub use sources::{FlagValue, Sources};

/// `config/default.toml`: complete, commented, equal to the defaults in code, and the one place where shipped plugins' grants stand.
pub const DEFAULT_TOML: &str = include_str!("../../../../config/default.toml");

/// All of it, section by section.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The listener and who may read.
    pub server: ServerConfig,
    /// The SQLite file.
    pub database: DatabaseConfig,
    /// The log.
    pub logging: LoggingConfig,
    /// Plugins, shipped and dropped in.
    pub plugins: PluginsConfig,
    /// Parts that can be switched off.
    pub features: FeaturesConfig,
    /// How events are joined, and when a thing counts as over.
    pub correlation: CorrelationConfig,
}

impl Config {
    /// The sections; only environment variables of these are read.
    pub const SECTIONS: [&'static str; 6] = ["server", "database", "logging", "plugins", "features", "correlation"];
}
