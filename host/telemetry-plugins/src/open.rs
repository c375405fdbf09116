//! Who may serve beside whom: switched off, in conflict, in a circle, not granted. Nothing is compiled here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cache::Cache;
use crate::candidate::{Candidate, Step};
use crate::engine::Host;
use crate::grants::{DerivedClasses, decide, written_classes};
use crate::load::LoadError;
use crate::manifest::{Manifest, PluginKind};
use crate::order::{conflicts, order};
use crate::settings::PluginSettings;
use crate::shipped::{OFF_BY_DEFAULT, SHIPPED};
use crate::status::{EntryState, Origin};

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

/// Decides who may load, and puts enrichers in the order in which they run. What served so far goes before newcomers.
pub(crate) fn judge(candidates: &mut Vec<Candidate>, settings: &PluginSettings) -> DerivedClasses {
    candidates.iter_mut().for_each(Candidate::begin);
    switch_off(candidates, settings);
    refuse(candidates, conflicts);
    let derived = arrange(candidates, settings);
    for candidate in candidates {
        let (Step::Asks, Some(claim)) = (&candidate.step, candidate.claim()) else { continue };
        let grant = settings.grants.of(&claim.manifest.id);
        if let Err(refusal) = decide(&claim.manifest, grant, &derived, &settings.policy, &claim.digest) {
            candidate.end(EntryState::Refused(Arc::new(refusal.into())));
        }
    }
    derived
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
            candidate.end(EntryState::Refused(Arc::new(LoadError::Conflict(problem))));
        } else if settings.off.contains(&*id) || (candidate.origin == Origin::Shipped && is_off_by_default(&id, settings)) {
            candidate.end(EntryState::SwitchedOff);
        }
    }
}

fn is_off_by_default(id: &str, settings: &PluginSettings) -> bool {
    OFF_BY_DEFAULT.contains(&id) && !settings.on.contains(id)
}

/// Ends the candidates that `judge` finds fault with, by their place among those still in the running; those that served so far
/// are put before the others.
fn refuse(candidates: &mut [Candidate], judge: impl FnOnce(&[&Manifest]) -> BTreeMap<usize, LoadError>) {
    let mut places: Vec<(usize, Arc<Manifest>)> =
        candidates.iter().enumerate().filter_map(|(at, candidate)| Some((at, candidate.manifest()?))).collect();
    places.sort_by_key(|(at, _)| candidates.get(*at).is_some_and(|candidate| candidate.origin != Origin::Shipped && !candidate.served()));
    let manifests: Vec<&Manifest> = places.iter().map(|(_, manifest)| &**manifest).collect();
    for (at, error) in judge(&manifests) {
        if let Some(candidate) = places.get(at).and_then(|(place, _)| candidates.get_mut(*place)) {
            candidate.end(EntryState::Refused(Arc::new(error)));
        }
    }
}

/// Sorts enrichers behind those they read from, refuses circles, and tells the class of each key they write.
fn arrange(candidates: &mut Vec<Candidate>, settings: &PluginSettings) -> DerivedClasses {
    let is_enricher = |candidate: &Candidate| candidate.manifest().is_some_and(|manifest| manifest.kind == PluginKind::Enricher);
    let (mut enrichers, mut others): (Vec<_>, Vec<_>) = std::mem::take(candidates).into_iter().partition(is_enricher);
    let manifests: Vec<Arc<Manifest>> = enrichers.iter().filter_map(Candidate::manifest).collect();
    let borrowed: Vec<&Manifest> = manifests.iter().map(|manifest| &**manifest).collect();
    let settled = |at: usize| enrichers.get(at).is_some_and(Candidate::served);
    let (ordered, stuck) = order(&borrowed, settled);
    for (at, error) in stuck {
        if let Some(candidate) = enrichers.get_mut(at) {
            candidate.end(EntryState::Refused(Arc::new(error)));
        }
    }
    let mut derived = DerivedClasses::new();
    for manifest in ordered.iter().filter_map(|at| manifests.get(*at)) {
        let written = written_classes(manifest, settings.grants.of(&manifest.id), &derived);
        derived.extend(written);
    }
    let rank = |at: usize| ordered.iter().position(|place| *place == at).unwrap_or(usize::MAX);
    let mut ranked: Vec<_> = enrichers.into_iter().enumerate().map(|(at, candidate)| (rank(at), candidate)).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    others.extend(ranked.into_iter().map(|(_, candidate)| candidate));
    *candidates = others;
    derived
}
