//! Opening a catalog: find, inspect, sort out conflicts, decide grants, load in parallel.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::cache::Cache;
use crate::engine::Host;
use crate::grants::{DerivedClasses, decide, written_classes};
use crate::load::{Inspected, LoadError, inspect, read};
use crate::manifest::{Manifest, PluginKind};
use crate::order::{conflicts, order};
use crate::plugin::Plugin;
use crate::settings::PluginSettings;
use crate::shipped::{OFF_BY_DEFAULT, SHIPPED};
use crate::status::{Entry, EntryState, Origin};

/// Something that may become a plugin.
struct Candidate {
    origin: Origin,
    name: String,
    bytes: Vec<u8>,
    step: Step,
}

enum Step {
    Inspected(Box<Inspected>),
    /// What is left of it, to be shown.
    Ended(Option<Box<Manifest>>, Option<String>, EntryState),
}

/// The cache of compiled components; without one they are compiled at each start.
pub(crate) fn cache(settings: &PluginSettings, host: &Host) -> Option<Cache> {
    let folder = settings.cache_path.as_ref()?;
    let state = settings.state_path.clone().unwrap_or_else(|| beside(folder));
    match Cache::open(folder, &state, &host.engine) {
        Ok(cache) => Some(cache),
        Err(error) => {
            tracing::warn!(cache.path = %folder.display(), error = %error, "component cache not usable, compiling at each start");
            None
        }
    }
}

fn beside(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push("-state");
    folder.with_file_name(name)
}

/// Every plugin there is, in the order: shipped, then files by name; enrichers among themselves in the order in which they run.
pub(crate) fn load_all(host: &Arc<Host>, cache: Option<&Cache>, settings: &PluginSettings) -> (Vec<Entry>, DerivedClasses) {
    let mut candidates = find(settings);
    switch_off(&mut candidates, settings);
    refuse(&mut candidates, conflicts);
    let derived = arrange(&mut candidates, settings);
    for candidate in &mut candidates {
        let Step::Inspected(inspected) = &candidate.step else { continue };
        let grant = settings.grants.of(&inspected.manifest.id);
        if let Err(refusal) = decide(&inspected.manifest, grant, &derived, &settings.policy, &inspected.digest) {
            candidate.end(EntryState::Refused(refusal.into()));
        }
    }
    (load(host, cache, settings, candidates), derived)
}

fn find(settings: &PluginSettings) -> Vec<Candidate> {
    let mut found = Vec::new();
    if !settings.without_shipped {
        found.extend(SHIPPED.iter().map(|shipped| Candidate::new(Origin::Shipped, shipped.id.to_owned(), Ok(shipped.wasm.to_vec()))));
    }
    let mut paths = settings.path.as_deref().map(files).unwrap_or_default();
    let dropped = |path: &PathBuf| Candidate::from_file(path, settings.limits.max_file);
    let Some(candidate) = &settings.candidate else {
        found.extend(paths.iter().map(dropped));
        return found;
    };
    paths.retain(|path| path.file_name() != candidate.file_name());
    let candidate = dropped(candidate);
    let is_other = |other: &Candidate| match (other.manifest(), candidate.manifest()) {
        (Some(other), Some(candidate)) => other.id != candidate.id,
        _ => true,
    };
    found.extend(paths.iter().map(dropped).filter(is_other));
    found.push(candidate);
    found
}

/// The top-level `*.wasm` of the drop-in folder, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            tracing::warn!(plugins.path = %folder.display(), error = %error, "drop-in folder not readable");
            return Vec::new();
        }
    };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|extension| extension == "wasm")).collect();
    paths.sort();
    paths
}

impl Candidate {
    fn from_file(path: &Path, max_file: u64) -> Self {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Candidate::new(Origin::File(file), name, read::file(path, max_file))
    }

    fn new(origin: Origin, name: String, bytes: Result<Vec<u8>, LoadError>) -> Self {
        let refused = |error| Step::Ended(None, None, EntryState::Refused(error));
        match bytes {
            Err(error) => Candidate { origin, name, bytes: Vec::new(), step: refused(error) },
            Ok(bytes) => {
                let step = inspect(&bytes).map_or_else(refused, |inspected| Step::Inspected(Box::new(inspected)));
                Candidate { origin, name, bytes, step }
            }
        }
    }

    fn end(&mut self, state: EntryState) {
        let ended = Step::Ended(None, None, EntryState::SwitchedOff);
        self.step = match std::mem::replace(&mut self.step, ended) {
            Step::Inspected(inspected) => Step::Ended(Some(Box::new(inspected.manifest)), Some(inspected.digest), state),
            Step::Ended(manifest, digest, _) => Step::Ended(manifest, digest, state),
        };
    }

    fn manifest(&self) -> Option<&Manifest> {
        match &self.step {
            Step::Inspected(inspected) => Some(&inspected.manifest),
            Step::Ended(..) => None,
        }
    }
}

/// What the operator switched off; and shipped plugins whose place a file takes, or must not take.
fn switch_off(candidates: &mut Vec<Candidate>, settings: &PluginSettings) {
    let in_file = |candidate: &&Candidate| candidate.origin != Origin::Shipped;
    let dropped: Vec<Box<str>> = candidates.iter().filter(in_file).filter_map(|c| Some(c.manifest()?.id.clone())).collect();
    candidates.retain(|candidate| {
        let replaced = settings.replaced.contains(&candidate.name) && dropped.iter().any(|id| **id == *candidate.name);
        candidate.origin != Origin::Shipped || !replaced
    });
    let shipped: Vec<&str> = SHIPPED.iter().map(|shipped| shipped.id).filter(|_| !settings.without_shipped).collect();
    for candidate in candidates {
        let Some(id) = candidate.manifest().map(|manifest| manifest.id.clone()) else { continue };
        let taken = candidate.origin != Origin::Shipped && shipped.contains(&&*id) && !settings.replaced.contains(&*id);
        if taken {
            let problem = format!("`{id}` is the id of a shipped plugin; name it under `plugins.replaced` to let this file take its place");
            candidate.end(EntryState::Refused(LoadError::Conflict(problem)));
        } else if settings.off.contains(&*id) || (candidate.origin == Origin::Shipped && is_off_by_default(&id, settings)) {
            candidate.end(EntryState::SwitchedOff);
        }
    }
}

fn is_off_by_default(id: &str, settings: &PluginSettings) -> bool {
    OFF_BY_DEFAULT.contains(&id) && !settings.on.contains(id)
}

/// Ends the candidates that `judge` finds fault with, by their place among those still in the running.
fn refuse(candidates: &mut [Candidate], judge: impl FnOnce(&[&Manifest]) -> BTreeMap<usize, LoadError>) {
    let places: Vec<usize> = (0..candidates.len()).filter(|at| candidates.get(*at).is_some_and(|c| c.manifest().is_some())).collect();
    let manifests: Vec<&Manifest> = candidates.iter().filter_map(Candidate::manifest).collect();
    for (at, error) in judge(&manifests) {
        if let Some(candidate) = places.get(at).and_then(|place| candidates.get_mut(*place)) {
            candidate.end(EntryState::Refused(error));
        }
    }
}

/// Sorts enrichers behind those they read from, refuses circles, and tells the class of each key they write.
fn arrange(candidates: &mut Vec<Candidate>, settings: &PluginSettings) -> DerivedClasses {
    let is_enricher = |candidate: &Candidate| candidate.manifest().is_some_and(|manifest| manifest.kind == PluginKind::Enricher);
    let (mut enrichers, mut others): (Vec<_>, Vec<_>) = std::mem::take(candidates).into_iter().partition(is_enricher);
    let manifests: Vec<&Manifest> = enrichers.iter().filter_map(Candidate::manifest).collect();
    let (ordered, stuck) = order(&manifests);
    for (at, error) in stuck {
        if let Some(candidate) = enrichers.get_mut(at) {
            candidate.end(EntryState::Refused(error));
        }
    }
    let mut derived = DerivedClasses::new();
    for at in &ordered {
        if let Some(manifest) = enrichers.get(*at).and_then(Candidate::manifest) {
            let written = written_classes(manifest, settings.grants.of(&manifest.id), &derived);
            derived.extend(written);
        }
    }
    let rank = |at: usize| ordered.iter().position(|place| *place == at).unwrap_or(usize::MAX);
    let mut ranked: Vec<_> = enrichers.into_iter().enumerate().map(|(at, candidate)| (rank(at), candidate)).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    others.extend(ranked.into_iter().map(|(_, candidate)| candidate));
    *candidates = others;
    derived
}

/// The last steps of all candidates, on as many threads as there are cores.
fn load(host: &Arc<Host>, cache: Option<&Cache>, settings: &PluginSettings, candidates: Vec<Candidate>) -> Vec<Entry> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(candidates.len());
    let mut done: Vec<Option<Entry>> = candidates.iter().map(|_| None).collect();
    let queue = Mutex::new(candidates.into_iter().zip(done.iter_mut()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((candidate, slot)) = next else { break };
                    *slot = Some(load_one(host, cache, settings, candidate));
                }
            });
        }
    });
    drop(queue);
    done.into_iter().flatten().collect()
}

fn load_one(host: &Arc<Host>, cache: Option<&Cache>, settings: &PluginSettings, candidate: Candidate) -> Entry {
    let Candidate { origin, name, bytes, step } = candidate;
    let (manifest, digest, state) = match step {
        Step::Ended(manifest, digest, state) => (manifest, digest, state),
        Step::Inspected(inspected) => {
            let (manifest, digest) = (Box::new(inspected.manifest.clone()), inspected.digest.clone());
            let state = match Plugin::load(host, cache, settings, *inspected, &bytes) {
                Ok(plugin) => EntryState::Serving(Arc::new(plugin)),
                Err(error) => EntryState::Refused(error),
            };
            (Some(manifest), Some(digest), state)
        }
    };
    Entry { origin, name, manifest, digest, state }
}
