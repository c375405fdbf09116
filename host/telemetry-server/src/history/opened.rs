//! A plugin that is tried on what is stored: a file, or one that is shipped or served, loaded as a server would load it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use telemetry_model::Relation;
use telemetry_plugins::{Catalog, Origin, PluginKind, PluginSettings, PluginState, PluginStatus, Registry};

use super::{HistoryError, relation};

/// Which plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A file that need not lie in the drop-in folder.
    File(PathBuf),
    /// The id of one that is shipped, or lies in the drop-in folder.
    Id(String),
}

/// A loaded plugin among those it would serve with.
pub struct Opened {
    /// What it is one of.
    pub registry: Arc<Registry>,
    /// What it is.
    pub status: PluginStatus,
}

/// What an answer says of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Version {
    /// The manifest's id.
    pub id: String,
    /// The manifest's version.
    pub version: Option<String>,
    /// SHA-256 of the component, hex.
    pub digest: Option<String>,
    /// SHA-256 over digest, configuration and fields, hex.
    pub derivation: Option<String>,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = self.digest.as_deref().and_then(|digest| digest.get(..8)).unwrap_or("no digest");
        write!(f, "{} {} ({digest})", self.id, self.version.as_deref().unwrap_or_default())
    }
}

impl Named {
    /// A file if there is one of that name or it has an ending; else an id.
    pub fn parse(text: &str) -> Self {
        let path = Path::new(text);
        let is_id = !path.is_file() && path.extension().is_none() && path.components().count() == 1;
        if is_id { Named::Id(text.to_owned()) } else { Named::File(path.to_owned()) }
    }

    fn name(&self) -> String {
        match self {
            Named::File(path) => path.display().to_string(),
            Named::Id(id) => id.clone(),
        }
    }

    /// Its status; of several of one id the one that serves.
    fn find(&self, catalog: &Catalog) -> Option<PluginStatus> {
        match self {
            Named::Id(id) => crate::live::find(catalog, id),
            Named::File(path) => {
                let origin = Origin::File(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
                catalog.statuses().into_iter().find(|status| status.origin == origin)
            }
        }
    }
}

impl Opened {
    /// Loads `named` as a server with `settings` would: on, also where it is switched off; in the place of a shipped plugin of its id; and
    /// in that of the plugin `instead`, if the two cannot serve together. Its breaker never opens.
    ///
    /// # Errors
    /// [`HistoryError`] of loading.
    pub fn open(settings: &PluginSettings, named: &Named, instead: Option<&str>) -> Result<Self, HistoryError> {
        let settings = admitting(settings, named);
        let registry = Registry::open(&settings, || ())?;
        Self::settle(registry, settings, named, instead)
    }

    /// [`Opened::open`] on the engine of a registry that serves: nothing of it shows there.
    ///
    /// # Errors
    /// As there.
    pub fn beside(registry: &Registry, settings: &PluginSettings, named: &Named, instead: Option<&str>) -> Result<Self, HistoryError> {
        let settings = admitting(settings, named);
        Self::settle(registry.beside(&settings), settings, named, instead)
    }

    fn settle(mut registry: Registry, mut settings: PluginSettings, named: &Named, instead: Option<&str>) -> Result<Self, HistoryError> {
        let unknown = || HistoryError::Unknown(named.name());
        let mut status = named.find(&registry.current()).ok_or_else(unknown)?;
        if matches!(status.state, PluginState::SwitchedOff | PluginState::Refused) {
            settings.off.remove(&status.id);
            settings.on.insert(status.id.clone());
            if matches!(named, Named::File(_)) {
                settings.replaced.insert(status.id.clone());
            }
            if let Some(instead) = instead.filter(|id| *id != status.id) {
                settings.off.insert(instead.to_owned());
            }
            registry = registry.beside(&settings);
            status = named.find(&registry.current()).ok_or_else(unknown)?;
        }
        match status.state {
            PluginState::Serving => Ok(Opened { registry: Arc::new(registry), status }),
            _ => {
                let reason = match (status.error, status.state) {
                    (Some(error), _) => error,
                    (None, PluginState::Compiling) => "it is not compiled yet, nor is its compiled form in the component cache".to_owned(),
                    (None, _) => "it does not serve".to_owned(),
                };
                Err(HistoryError::Refused { name: named.name(), reason, grant: status.grant })
            }
        }
    }

    /// The manifest's id.
    pub fn id(&self) -> &str {
        &self.status.id
    }

    /// What it is; one that serves has a kind.
    pub fn kind(&self) -> PluginKind {
        self.status.kind.unwrap_or(PluginKind::Enricher)
    }

    /// Whose rows it takes.
    pub fn source(&self) -> Relation {
        relation(self.status.source)
    }

    /// The plugins it is one of.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.registry.current()
    }

    /// What an answer says of it.
    pub fn version(&self) -> Version {
        let PluginStatus { id, version, digest, derivation, .. } = self.status.clone();
        Version { id, version, digest, derivation }
    }
}

/// `settings` with the file, and without a breaker: each row is tried, whatever came before.
fn admitting(settings: &PluginSettings, named: &Named) -> PluginSettings {
    let mut settings = settings.clone();
    settings.limits.breaker_open_s = 0;
    if let Named::File(path) = named {
        settings.candidate = Some(path.clone());
    }
    settings
}
