//! What `GET /v1/plugins` shows of each plugin, loaded or not.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use serde::Serialize;
use telemetry_model::Class;

use crate::candidate::{Look, Stamp};
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
    /// It is large and being compiled apart; then it serves.
    Compiling,
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
    /// Why it does not; of one that serves: why the newer file in its place does not.
    pub error: Option<String>,
    /// The newer file, while this version serves in its place.
    pub next: Option<NextVersion>,
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

/// A file that does not serve, in whose place the version before it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NextVersion {
    /// refused or compiling.
    pub state: PluginState,
    /// SHA-256 of the file, hex; absent when it cannot be read.
    pub digest: Option<String>,
    /// Its manifest's version.
    pub version: Option<String>,
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

/// A place that a plugin may stand in, and what stands there.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) origin: Origin,
    pub(crate) name: String,
    pub(crate) stamp: Option<Stamp>,
    /// What stands there, whether it serves or not.
    pub(crate) look: Result<Look, Arc<LoadError>>,
    pub(crate) state: EntryState,
    /// Why that does not serve, where the version before goes on.
    pub(crate) held: Option<EntryState>,
}

#[derive(Clone)]
pub(crate) enum EntryState {
    Serving(Arc<Plugin>),
    SwitchedOff,
    Compiling,
    Refused(Arc<LoadError>),
}

impl std::fmt::Debug for EntryState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EntryState::Serving(_) => f.write_str("Serving"),
            EntryState::SwitchedOff => f.write_str("SwitchedOff"),
            EntryState::Compiling => f.write_str("Compiling"),
            EntryState::Refused(error) => f.debug_tuple("Refused").field(error).finish(),
        }
    }
}

impl EntryState {
    fn word(&self) -> PluginState {
        match self {
            EntryState::Serving(plugin) if plugin.breaker().is_open(Instant::now()) => PluginState::BreakerOpen,
            EntryState::Serving(_) => PluginState::Serving,
            EntryState::SwitchedOff => PluginState::SwitchedOff,
            EntryState::Compiling => PluginState::Compiling,
            EntryState::Refused(_) => PluginState::Refused,
        }
    }
}

impl Entry {
    /// Whether it came with the server to mask.
    pub(crate) fn is_shipped_masker(&self) -> bool {
        self.origin == Origin::Shipped && self.look().is_some_and(|look| look.manifest.kind == PluginKind::Masker)
    }

    /// What serves there, or else what stands there.
    pub(crate) fn look(&self) -> Option<Look> {
        match &self.state {
            EntryState::Serving(plugin) => Some(plugin.look()),
            _ => self.look.as_ref().ok().cloned(),
        }
    }

    /// The manifest's id; without a readable manifest the file's name.
    pub(crate) fn id(&self) -> String {
        self.look().map_or_else(|| self.name.clone(), |look| look.manifest.id.to_string())
    }

    /// Why what stands there does not serve.
    pub(crate) fn error(&self) -> Option<&Arc<LoadError>> {
        match (&self.state, &self.held) {
            (EntryState::Refused(error), _) | (_, Some(EntryState::Refused(error))) => Some(error),
            _ => None,
        }
    }

    pub(crate) fn status(&self, derived: &DerivedClasses) -> PluginStatus {
        let look = self.look();
        let manifest = look.as_ref().map(|look| &*look.manifest);
        let error = self.error();
        let mut status = PluginStatus {
            id: self.id(),
            origin: self.origin.clone(),
            version: manifest.map(|manifest| manifest.version.to_string()),
            kind: manifest.map(|manifest| manifest.kind),
            description: manifest.map(|manifest| manifest.description.to_string()),
            license: manifest.and_then(|manifest| manifest.license.as_deref()).map(str::to_owned),
            state: self.state.word(),
            error: error.map(ToString::to_string),
            next: self.next(),
            grant: error.and_then(|error| error.grant()).map(str::to_owned),
            digest: look.as_ref().map(|look| look.digest.to_string()),
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
        if let EntryState::Serving(plugin) = &self.state {
            serving(&mut status, plugin);
        }
        status
    }

    fn next(&self) -> Option<NextVersion> {
        let held = self.held.as_ref()?;
        let look = self.look.as_ref().ok();
        Some(NextVersion {
            state: held.word(),
            digest: look.map(|look| look.digest.to_string()),
            version: look.map(|look| look.manifest.version.to_string()),
        })
    }
}

fn serving(status: &mut PluginStatus, plugin: &Plugin) {
    let opened = plugin.breaker().opened();
    status.derivation = Some(plugin.version.derivation.to_string());
    status.limits = Some(plugin.limits);
    let shared = &plugin.callee.shared;
    let peak = shared.peak_memory.load(Ordering::Relaxed);
    status.counters = Some(plugin.counters.values(opened, &shared.lookups, peak));
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
