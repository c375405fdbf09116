//! What `GET /v1/plugins` shows of each plugin, loaded or not.

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use telemetry_model::Class;

use crate::counters::CounterValues;
use crate::grants::{DerivedClasses, class_of};
use crate::load::LoadError;
use crate::manifest::{Capabilities, Manifest, PluginKind};
use crate::plugin::{CallLimits, Plugin};
use crate::ring::LogLine;

/// Whether a plugin serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginState {
    /// It does.
    Serving,
    /// It did not load.
    Refused,
    /// The operator switched it off.
    SwitchedOff,
    /// It is left out for a while.
    BreakerOpen,
}

/// Where a plugin comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Embedded in the server.
    Shipped,
    /// A file of this name in the drop-in folder.
    File(String),
}

/// One plugin. What a refused file does not tell is absent.
#[derive(Clone, Debug, Serialize)]
pub struct PluginStatus {
    /// The manifest's id; without a readable manifest the file's name.
    pub id: String,
    /// Where it comes from.
    pub origin: Origin,
    /// The manifest's version.
    pub version: Option<String>,
    /// What it is.
    pub kind: Option<PluginKind>,
    /// For people.
    pub description: Option<String>,
    /// SPDX.
    pub license: Option<String>,
    /// Whether it serves.
    pub state: PluginState,
    /// Why it does not.
    pub error: Option<String>,
    /// Lines for `grants.toml` that would let it load.
    pub grant: Option<String>,
    /// SHA-256 of the component, hex.
    pub digest: Option<String>,
    /// SHA-256 over digest, configuration and fields, hex.
    pub derivation: Option<String>,
    /// Whose rows it takes.
    pub source: Option<&'static str>,
    /// What it reads.
    pub reads: Vec<ColumnStatus>,
    /// What it writes.
    pub writes: Vec<ColumnStatus>,
    /// What else it asks for.
    pub capabilities: Capabilities,
    /// Limits of its calls.
    pub limits: Option<CallLimits>,
    /// What it did since the start.
    pub counters: Option<CounterValues>,
    /// How the last of its calls that failed did.
    pub last_failure: Option<String>,
    /// Its last log lines, oldest first.
    pub log: Vec<LogLine>,
}

/// A column that is read or written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnStatus {
    /// Field or key.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: &'static str,
    /// metadata or content.
    pub class: &'static str,
}

/// A plugin that does not serve, or serves with what it is.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) origin: Origin,
    pub(crate) name: String,
    pub(crate) manifest: Option<Box<Manifest>>,
    pub(crate) digest: Option<String>,
    pub(crate) state: EntryState,
}

pub(crate) enum EntryState {
    Serving(Arc<Plugin>),
    SwitchedOff,
    Refused(LoadError),
}

impl std::fmt::Debug for EntryState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EntryState::Serving(_) => f.write_str("Serving"),
            EntryState::SwitchedOff => f.write_str("SwitchedOff"),
            EntryState::Refused(error) => f.debug_tuple("Refused").field(error).finish(),
        }
    }
}

impl Entry {
    /// Whether it came with the server to mask.
    pub(crate) fn is_shipped_masker(&self) -> bool {
        self.origin == Origin::Shipped && self.manifest.as_ref().is_some_and(|manifest| manifest.kind == PluginKind::Masker)
    }

    pub(crate) fn status(&self, derived: &DerivedClasses) -> PluginStatus {
        let manifest = self.manifest.as_deref();
        let mut status = PluginStatus {
            id: manifest.map_or_else(|| self.name.clone(), |manifest| manifest.id.to_string()),
            origin: self.origin.clone(),
            version: manifest.map(|manifest| manifest.version.to_string()),
            kind: manifest.map(|manifest| manifest.kind),
            description: manifest.map(|manifest| manifest.description.to_string()),
            license: manifest.and_then(|manifest| manifest.license.as_deref()).map(str::to_owned),
            state: PluginState::Refused,
            error: None,
            grant: None,
            digest: self.digest.clone(),
            derivation: None,
            source: manifest.map(|manifest| manifest.source.as_str()),
            reads: manifest.map(|manifest| reads(manifest, derived)).unwrap_or_default(),
            writes: manifest.map(|manifest| writes(manifest, derived)).unwrap_or_default(),
            capabilities: manifest.map(|manifest| manifest.capabilities.clone()).unwrap_or_default(),
            limits: None,
            counters: None,
            last_failure: None,
            log: Vec::new(),
        };
        match &self.state {
            EntryState::SwitchedOff => status.state = PluginState::SwitchedOff,
            EntryState::Refused(error) => {
                status.error = Some(error.to_string());
                status.grant = error.grant().map(str::to_owned);
            }
            EntryState::Serving(plugin) => serving(&mut status, plugin),
        }
        status
    }
}

fn serving(status: &mut PluginStatus, plugin: &Plugin) {
    let (open, opened) = {
        let breaker = plugin.breaker();
        (breaker.is_open(Instant::now()), breaker.opened())
    };
    status.state = if open { PluginState::BreakerOpen } else { PluginState::Serving };
    status.derivation = Some(plugin.version.derivation.to_string());
    status.limits = Some(plugin.limits);
    status.counters = Some(plugin.counters.values(opened));
    status.last_failure = plugin.counters.last_failure();
    status.log = plugin.ring.lines();
}

fn reads(manifest: &Manifest, derived: &DerivedClasses) -> Vec<ColumnStatus> {
    let column = |read: &crate::manifest::Read| ColumnStatus {
        name: read.field.to_string(),
        ty: read.ty.as_str(),
        class: word(class_of(&read.field, derived)),
    };
    manifest.reads.iter().map(column).collect()
}

fn writes(manifest: &Manifest, derived: &DerivedClasses) -> Vec<ColumnStatus> {
    let highest = manifest.reads.iter().map(|read| class_of(&read.field, derived)).max().unwrap_or(Class::Metadata);
    let class = |key: &str| if manifest.kind == PluginKind::Enricher { derived.get(key).copied().unwrap_or(highest) } else { highest };
    let column = |write: &crate::manifest::Write| ColumnStatus {
        name: write.key.to_string(),
        ty: write.ty.as_str(),
        class: word(class(&write.key)),
    };
    manifest.writes.iter().map(column).collect()
}

fn word(class: Class) -> &'static str {
    match class {
        Class::Metadata => "metadata",
        Class::Content => "content",
    }
}
