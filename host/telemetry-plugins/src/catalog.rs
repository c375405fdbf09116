//! All plugins of a server: what serves, what does not and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use telemetry_model::{Class, Relation, Rows};

use crate::engine::Host;
use crate::enrich::{Enricher, Enrichment, enrich};
use crate::grants::{DerivedClasses, class_of};
use crate::load::LoadError;
use crate::manifest::{Manifest, PluginKind};
use crate::mask::{Maskers, Masking};
use crate::metric::Metric;
use crate::open::cache;
use crate::order::derived_keys;
use crate::plugin::Plugin;
use crate::settings::{FailureAction, Limits, PluginSettings};
use crate::settle::{Workshop, settle};
use crate::status::{Entry, EntryState, Origin, PluginStatus};
use crate::validate::{Validation, validate};

/// Why there is no catalog. A bad plugin is never why.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The engine cannot be made on this machine.
    #[error("make the plugin engine: {0}")]
    Engine(String),
}

/// Why a metric does not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricUnavailable {
    /// There is no metric of that id.
    #[error("there is no metric `{0}`")]
    Unknown(String),
    /// The operator switched it off.
    #[error("metric `{0}` is switched off")]
    SwitchedOff(String),
    /// It is large and not compiled yet.
    #[error("metric `{0}` is being compiled")]
    Compiling(String),
    /// It did not load.
    #[error("metric `{id}` did not load: {reason}")]
    Refused {
        /// Which.
        id: String,
        /// Why.
        reason: String,
    },
}

/// The loaded plugins. Calls are blocking.
pub struct Catalog {
    entries: Vec<Entry>,
    maskers: Maskers,
    validators: Vec<Arc<Plugin>>,
    enrichers: Vec<Enricher>,
    row_enrichers: Vec<Enricher>,
    metrics: BTreeMap<Box<str>, Arc<Metric>>,
    derived: DerivedClasses,
    limits: Limits,
    action: FailureAction,
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog").field("entries", &self.entries).finish_non_exhaustive()
    }
}

impl Catalog {
    /// Loads the shipped plugins and the drop-in folder. What does not load shows in [`Catalog::statuses`].
    ///
    /// # Errors
    /// Only when there can be no engine.
    pub fn open(settings: PluginSettings) -> Result<Self, CatalogError> {
        let host = Arc::new(Host::new().map_err(|error| CatalogError::Engine(format!("{error:#}")))?);
        let cache = cache(&settings, &host).map(Arc::new);
        Ok(Self::settled(&Workshop::new(host, cache, None), &settings, None))
    }

    /// What `settings` and the folder give now; what did not change is taken of `before`.
    pub(crate) fn settled(workshop: &Workshop, settings: &PluginSettings, before: Option<&Catalog>) -> Self {
        let (entries, derived) = settle(workshop, settings, before.map_or(&[], |catalog| &catalog.entries));
        let mut catalog = Catalog {
            entries,
            maskers: Maskers::default(),
            validators: Vec::new(),
            enrichers: Vec::new(),
            row_enrichers: Vec::new(),
            metrics: BTreeMap::new(),
            derived,
            limits: settings.limits,
            action: settings.validator_failure,
        };
        catalog.sort(before);
        catalog.find_missing_maskers(settings);
        catalog
    }

    /// Whether something is compiled apart.
    pub(crate) fn is_compiling(&self) -> bool {
        let compiling = |state: &EntryState| matches!(state, EntryState::Compiling);
        self.entries.iter().any(|entry| compiling(&entry.state) || entry.held.as_ref().is_some_and(compiling))
    }

    /// The digest of the file of this name, while it is compiled apart.
    pub(crate) fn compiling(&self, file: &str) -> Option<Arc<str>> {
        let entry = self.entries.iter().find(|entry| matches!(&entry.origin, Origin::File(name) if name == file))?;
        let digest = entry.look.as_ref().ok().map(|look| Arc::clone(&look.digest));
        if matches!(entry.state, EntryState::Compiling) { digest } else { None }
    }

    /// Whether there are maskers, able to run or not.
    pub fn has_maskers(&self) -> bool {
        !self.maskers.is_empty()
    }

    /// Strings that take fewer bytes in JSON need not be shown to the maskers.
    pub fn min_leaf_bytes(&self) -> usize {
        self.maskers.min_bytes()
    }

    /// Whether a masker asks for pointers.
    pub fn wants_pointers(&self) -> bool {
        self.maskers.wants_pointers()
    }

    /// Sets the maskers to work on rows, of which `sources` says who sent each.
    pub fn mask<'a>(&'a self, sources: &'a [u64]) -> Masking<'a> {
        self.maskers.start(&self.limits, sources)
    }

    /// Maskers that are on and cannot run: id and why.
    pub fn failing_maskers(&self) -> Vec<(String, String)> {
        self.maskers.failing()
    }

    /// Whether a call for events may wait and so hold its thread: some plugin was granted WASI.
    pub fn may_wait(&self) -> bool {
        let enrichers = self.enrichers.iter().map(|enricher| &enricher.plugin);
        self.validators.iter().chain(enrichers).any(|plugin| plugin.may_wait()) || self.maskers.may_wait()
    }

    /// Asks every validator about every row.
    pub fn validate(&self, rows: &dyn Rows) -> Validation {
        validate(&self.validators, &self.limits, self.action, rows)
    }

    /// Asks the validator `id`, and no other, about every row.
    pub fn validate_with(&self, id: &str, rows: &dyn Rows) -> Validation {
        let chosen: Vec<_> = self.validators.iter().filter(|plugin| *plugin.manifest.id == *id).cloned().collect();
        validate(&chosen, &self.limits, self.action, rows)
    }

    /// Lets every enricher over events add to every row.
    pub fn enrich(&self, rows: &dyn Rows) -> Enrichment {
        enrich(&self.enrichers.iter().collect::<Vec<_>>(), &self.limits, rows)
    }

    /// Every enricher, in the order in which they run.
    pub(crate) fn enrichers(&self) -> impl Iterator<Item = &Enricher> {
        self.enrichers.iter().chain(&self.row_enrichers)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The metric `id`.
    ///
    /// # Errors
    /// [`MetricUnavailable`], which says why.
    pub fn metric(&self, id: &str) -> Result<Arc<Metric>, MetricUnavailable> {
        if let Some(metric) = self.metrics.get(id) {
            return Ok(Arc::clone(metric));
        }
        let is_it = |entry: &&Entry| {
            let metric = |manifest: &Manifest| &*manifest.id == id && manifest.kind == PluginKind::Metric;
            entry.look().is_some_and(|look| metric(&look.manifest)) || entry.name == id
        };
        match self.entries.iter().find(is_it).map(|entry| &entry.state) {
            Some(EntryState::SwitchedOff) => Err(MetricUnavailable::SwitchedOff(id.to_owned())),
            Some(EntryState::Refused(error)) => Err(MetricUnavailable::Refused { id: id.to_owned(), reason: error.to_string() }),
            Some(EntryState::Compiling) => Err(MetricUnavailable::Compiling(id.to_owned())),
            Some(EntryState::Serving(_)) | None => Err(MetricUnavailable::Unknown(id.to_owned())),
        }
    }

    /// All metrics that serve, by id.
    pub fn metrics(&self) -> Vec<Arc<Metric>> {
        self.metrics.values().cloned().collect()
    }

    /// Every plugin, loaded or not.
    pub fn statuses(&self) -> Vec<PluginStatus> {
        self.entries.iter().map(|entry| entry.status(&self.derived)).collect()
    }

    /// Why each plugin, or newer file of one, that was refused was.
    pub fn refused(&self) -> impl Iterator<Item = (String, &LoadError)> {
        self.entries.iter().filter_map(|entry| Some((entry.id(), &**entry.error()?)))
    }

    /// The parts of a serving plugin's calls, for benchmarks.
    #[doc(hidden)]
    pub fn parts(&self, id: &str) -> Option<crate::parts::Parts<'_>> {
        self.entries.iter().find_map(|entry| match &entry.state {
            EntryState::Serving(plugin) if &*plugin.manifest.id == id => Some(crate::parts::Parts(plugin)),
            _ => None,
        })
    }

    /// Puts what serves where calls look for it. Entries of enrichers stand in the order in which they run.
    fn sort(&mut self, before: Option<&Catalog>) {
        let serving = self.entries.iter().filter_map(|entry| match &entry.state {
            EntryState::Serving(plugin) => Some(Arc::clone(plugin)),
            _ => None,
        });
        let serving: Vec<_> = serving.collect();
        let keys = derived_keys(serving.iter().map(|plugin| &*plugin.manifest));
        for plugin in serving {
            match plugin.manifest.kind {
                PluginKind::Validator => self.validators.push(plugin),
                PluginKind::Enricher => {
                    let own: Vec<_> = plugin.manifest.writes.iter().map(|write| write.key.clone()).collect();
                    let reads_derived = plugin.manifest.reads.iter().any(|read| match &read.field {
                        telemetry_model::Field::Attribute(key) => keys.contains(key) && !own.contains(key),
                        telemetry_model::Field::Fixed(..) => false,
                    });
                    let inline = plugin.manifest.source == Relation::Events;
                    let enrichers = if inline { &mut self.enrichers } else { &mut self.row_enrichers };
                    enrichers.push(Enricher::new(plugin, reads_derived));
                }
                PluginKind::Metric => {
                    let class = plugin.manifest.reads.iter().map(|read| class_of(&read.field, &self.derived)).max();
                    let id = plugin.manifest.id.clone();
                    self.metrics.insert(id, Arc::new(Metric::new(plugin, class.unwrap_or(Class::Metadata))));
                }
                PluginKind::Masker => self.maskers.push(plugin, before.map(|before| &before.maskers)),
            }
        }
    }

    /// Maskers that are on but were refused or are not compiled yet: a shipped one, and one that the operator granted `mask`.
    fn find_missing_maskers(&mut self, settings: &PluginSettings) {
        for entry in &self.entries {
            let reason = match &entry.state {
                EntryState::Refused(error) => error.to_string(),
                EntryState::Compiling => "it is being compiled".to_owned(),
                EntryState::Serving(_) | EntryState::SwitchedOff => continue,
            };
            let id = entry.id();
            let is_masker = entry.look().is_none_or(|look| look.manifest.kind == PluginKind::Masker);
            let is_granted = settings.grants.of(&id).is_some_and(|grant| grant.mask);
            let stands_in =
                self.entries.iter().any(|other| matches!(&other.state, EntryState::Serving(plugin) if *plugin.manifest.id == *id));
            if is_masker && (is_granted || entry.is_shipped_masker()) && !stands_in {
                self.maskers.push_down(&id, reason);
            }
        }
    }
}
