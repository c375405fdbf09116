//! Which plugins ran on an event, and which of them wrote what.

use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;

use super::Snapshot;
use super::events::StoredEvent;
use crate::error::StoreError;

/// One version of one plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredPlugin {
    /// The manifest's id.
    pub plugin_id: String,
    /// The manifest's version.
    pub version: String,
    /// SHA-256 of the component file, hex.
    pub digest: String,
    /// SHA-256 over digest, configuration and granted fields, hex.
    pub derivation: String,
}

/// Where what is stored of an event comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// The plugins that ran on it.
    pub runs: Vec<StoredRun>,
    /// The attributes that a plugin wrote; every other one is the client's.
    pub attributes: Vec<Writer>,
}

/// That a plugin ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredRun {
    /// Which.
    #[serde(flatten)]
    pub plugin: StoredPlugin,
    /// `ok`, `trap`, `deadline`, `memory`, `declined` or `breaker-open`.
    pub outcome: String,
}

/// Who wrote an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Writer {
    /// The attribute.
    pub key: String,
    /// The plugin.
    #[serde(flatten)]
    pub plugin: StoredPlugin,
}

impl Snapshot {
    /// The provenance of an event read from this snapshot.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn provenance(&self, event: &StoredEvent) -> Result<Provenance, StoreError> {
        self.read("read provenance", |connection| provenance(connection, event.runs, &event.writers))
    }
}

/// Of `run_sets.id` and the keys with `plugin_versions.id`.
pub(super) fn provenance(connection: &Connection, runs: Option<i64>, writers: &[(String, i64)]) -> rusqlite::Result<Provenance> {
    let mut provenance = Provenance::default();
    if let Some(runs) = runs {
        let text: Option<String> =
            connection.prepare_cached("select runs from run_sets where id = ?1")?.query_row([runs], |row| row.get(0)).optional()?;
        let runs: Vec<(i64, String)> = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        for (plugin, outcome) in runs {
            let Some(plugin) = plugin_version(connection, plugin)? else { continue };
            provenance.runs.push(StoredRun { plugin, outcome });
        }
    }
    for (key, plugin) in writers {
        let Some(plugin) = plugin_version(connection, *plugin)? else { continue };
        provenance.attributes.push(Writer { key: key.clone(), plugin });
    }
    Ok(provenance)
}

fn plugin_version(connection: &Connection, id: i64) -> rusqlite::Result<Option<StoredPlugin>> {
    let sql = "select plugin_id, version, digest, derivation from plugin_versions where id = ?1";
    let found = connection.prepare_cached(sql)?.query_row([id], |row| {
        Ok(StoredPlugin { plugin_id: row.get(0)?, version: row.get(1)?, digest: row.get(2)?, derivation: row.get(3)? })
    });
    found.optional()
}
