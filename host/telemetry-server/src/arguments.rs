//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use telemetry_server::config::{FlagValue, Sources};

use crate::commands::audit::AuditAction;
use crate::commands::mask::MaskAction;
use crate::commands::plugin::PluginAction;

/// A self-hosted server for telemetry of AI agents.
#[derive(Debug, Parser)]
#[command(name = "cylestio-server", version, about = "A self-hosted server for telemetry of AI agents")]
pub struct Arguments {
    /// Name or address to listen on
    #[arg(long, global = true)]
    host: Option<String>,
    /// TCP port; 0 takes a free one
    #[arg(long, global = true)]
    port: Option<String>,
    /// The SQLite file
    #[arg(long, global = true, value_name = "FILE")]
    db_path: Option<String>,
    /// The drop-in folder of plugins
    #[arg(long, global = true, value_name = "FOLDER")]
    plugins: Option<String>,
    /// What plugins may see
    #[arg(long, global = true, value_name = "FILE")]
    grants: Option<String>,
    /// Configuration in TOML or YAML
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// off, error, warn, info, debug, trace
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Looks at the configuration
    #[command(subcommand)]
    Config(ConfigAction),
    /// Masks what is stored
    #[command(subcommand)]
    Mask(MaskAction),
    /// Makes, looks at and prepares plugins
    #[command(subcommand)]
    Plugin(PluginAction),
    /// Proves what plugins were handed
    #[command(subcommand)]
    Audit(AuditAction),
}

/// Looks at the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// Prints what is in force and where it came from
    Show,
    /// Lists everything wrong
    Check,
}

impl Arguments {
    /// The sources of the configuration; variables that are not UTF-8 cannot be ours.
    pub fn sources(&self, environment: impl Iterator<Item = (OsString, OsString)>) -> Sources {
        let flag = |key, flag, value: &Option<String>| value.clone().map(|value| FlagValue { key, flag, value });
        let flags = [
            flag("server.host", "--host", &self.host),
            flag("server.port", "--port", &self.port),
            flag("database.path", "--db-path", &self.db_path),
            flag("plugins.path", "--plugins", &self.plugins),
            flag("plugins.grants_file", "--grants", &self.grants),
            flag("logging.level", "--log-level", &self.log_level),
        ];
        Sources {
            file: self.config.clone(),
            environment: environment.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect(),
            flags: flags.into_iter().flatten().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_reaches_its_key() {
        let line = "cylestio-server --host h --port 1 --db-path d --plugins p --grants g --config c.toml --log-level debug config show";
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        let environment = [("A", "b")].map(|(name, value)| (name.into(), value.into()));
        let sources = arguments.sources(environment.into_iter());
        let given: Vec<_> = sources.flags.iter().map(|flag| (flag.key, flag.flag, flag.value.as_str())).collect();
        let expected = [
            ("server.host", "--host", "h"),
            ("server.port", "--port", "1"),
            ("database.path", "--db-path", "d"),
            ("plugins.path", "--plugins", "p"),
            ("plugins.grants_file", "--grants", "g"),
            ("logging.level", "--log-level", "debug"),
        ];
        assert_eq!(given, expected);
        assert_eq!(sources.file, Some("c.toml".into()));
        assert_eq!(sources.environment, [("A".to_owned(), "b".to_owned())]);
        assert!(matches!(arguments.action, Some(Action::Config(ConfigAction::Show))));
    }
}
