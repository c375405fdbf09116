//! Whether a server with these settings would load a file, asked the way a server's start asks.

use std::fmt;
use std::path::Path;

use telemetry_plugins::{Catalog, CatalogError, Origin, PluginSettings, PluginState, PluginStatus};

/// What a start would do with a file.
#[derive(Debug)]
pub struct Opinion {
    /// As `GET /v1/plugins` would show it.
    pub status: PluginStatus,
}

/// Loads `file` beside the shipped plugins and those of the drop-in folder, as a start with `settings` would if it lay there.
///
/// # Errors
/// Only when there can be no engine; a file that does not load is an opinion.
pub fn check(file: &Path, mut settings: PluginSettings) -> Result<Opinion, CatalogError> {
    settings.candidate = Some(file.to_owned());
    let catalog = Catalog::open(settings)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_it = |status: &PluginStatus| status.origin == Origin::File(name.clone());
    match catalog.statuses().into_iter().find(is_it) {
        Some(status) => Ok(Opinion { status }),
        None => Err(CatalogError::Engine(format!("`{}` was not looked at", file.display()))),
    }
}

impl Opinion {
    /// Whether it would serve.
    pub fn would_load(&self) -> bool {
        self.status.state == PluginState::Serving
    }
}

impl fmt::Display for Opinion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = &self.status;
        if let (Some(kind), Some(version)) = (status.kind, &status.version) {
            writeln!(f, "{} {version}: {}", status.id, kind.as_str())?;
        }
        for (what, columns) in [("reads", &status.reads), ("writes", &status.writes)] {
            for column in columns {
                writeln!(f, "  {what:<7} {} ({}, {})", column.name, column.ty, column.class)?;
            }
        }
        for (what, asked) in [("lookup", &status.capabilities.lookup), ("wasi", &status.capabilities.wasi)] {
            for name in asked {
                writeln!(f, "  {what:<7} {name}")?;
            }
        }
        match (status.state, &status.error) {
            (PluginState::Serving, _) => write!(f, "would load"),
            (PluginState::SwitchedOff, _) => write!(f, "would not load: it is switched off (`plugins.disabled`)"),
            (_, error) => write!(f, "would not load: {}", error.as_deref().unwrap_or("unknown")),
        }
    }
}
