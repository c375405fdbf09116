//! The configuration: defaults < file < environment < flags, every value checked, every problem named.

mod check;
mod correlation;
mod database;
mod features;
mod ids;
mod load;
mod logging;
mod plugins;
mod secret;
mod server;
mod show;
mod sources;
#[cfg(test)]
mod tests;
mod words;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use telemetry_store::StoreSettings;

pub use correlation::CorrelationConfig;
pub use database::DatabaseConfig;
pub use features::FeaturesConfig;
pub use load::{ConfigError, Issue, Loaded, load};
pub use logging::{LogFormat, LogLevel, LoggingConfig};
pub use plugins::{PluginsConfig, Policy, TableConfig, ValidatorFailure};
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

    /// What the store is opened with.
    pub fn store_settings(&self) -> StoreSettings {
        let nanoseconds = i64::try_from(self.correlation.silence_s).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
        StoreSettings {
            pool_size: self.database.pool_size,
            busy_timeout_ms: self.database.busy_timeout_ms,
            max_group: self.database.max_group,
            queue_bytes: self.database.queue_mib << 20,
            conversation_silence: nanoseconds,
            indexed_attributes: self.database.indexed_attributes.clone(),
            journal_head_path: self.plugins.journal_head_path.clone(),
            ..StoreSettings::new(&self.database.path)
        }
    }

    /// Gives the paths that are not set their places beside the database and in the user's folders, and tells which it gave.
    pub fn derive_paths(&mut self, environment: &[(String, String)]) -> Vec<(&'static str, PathBuf)> {
        let database = &self.database;
        let folder = |xdg: &str, home: &str| user_folder(environment, xdg, home);
        let places = [
            ("plugins.path", &mut self.plugins.path, database.beside("plugins")),
            ("plugins.grants_file", &mut self.plugins.grants_file, database.beside("grants.toml")),
            ("plugins.switches_file", &mut self.plugins.switches_file, database.beside("switches.toml")),
            ("plugins.lock_file", &mut self.plugins.lock_file, database.beside("plugins.lock")),
            (
                "plugins.cache_path",
                &mut self.plugins.cache_path,
                folder("XDG_CACHE_HOME", ".cache").unwrap_or_else(|| database.beside("cylestio-cache")),
            ),
            (
                "plugins.state_path",
                &mut self.plugins.state_path,
                folder("XDG_STATE_HOME", ".local/state").unwrap_or_else(|| database.beside("cylestio-state")),
            ),
        ];
        let given = places.into_iter().filter(|(_, place, _)| place.is_none());
        given.map(|(key, place, path)| (key, place.insert(path).clone())).collect()
    }
}

/// `cylestio-server` in the user's folder for caches or states; none without a home.
fn user_folder(environment: &[(String, String)], xdg: &str, home: &str) -> Option<PathBuf> {
    let get =
        |wanted: &str| environment.iter().find(|(name, value)| name == wanted && !value.is_empty()).map(|(_, value)| PathBuf::from(value));
    let folder = get(xdg).filter(|path| path.is_absolute()).or_else(|| get("HOME").map(|path| path.join(home)))?;
    Some(folder.join("cylestio-server"))
}
