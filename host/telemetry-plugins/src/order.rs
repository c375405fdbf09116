//! Who owns which derived key, and in which order enrichers run.

use std::collections::{BTreeMap, BTreeSet};

use telemetry_model::Field;

use crate::load::LoadError;
use crate::manifest::{Manifest, PluginKind};

/// The keys that enrichers write.
pub(crate) fn derived_keys<'a>(manifests: impl Iterator<Item = &'a Manifest>) -> BTreeSet<Box<str>> {
    let enrichers = manifests.filter(|manifest| manifest.kind == PluginKind::Enricher);
    enrichers.flat_map(|manifest| manifest.writes.iter().map(|write| write.key.clone())).collect()
}

/// For each manifest (by place) why it cannot stand beside those before it: an id or a key that one of them has.
pub(crate) fn conflicts(manifests: &[&Manifest]) -> BTreeMap<usize, LoadError> {
    let mut ids: BTreeSet<&str> = BTreeSet::new();
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for (at, manifest) in manifests.iter().enumerate() {
        if ids.contains(&*manifest.id) {
            found.insert(at, LoadError::Conflict(format!("another plugin has the id `{}`", manifest.id)));
            continue;
        }
        if manifest.kind == PluginKind::Enricher {
            if let Some((key, owner)) = manifest.writes.iter().find_map(|write| Some((&write.key, owners.get(&*write.key)?))) {
                let problem = format!("`{}` and `{owner}` both write `{key}`", manifest.id);
                found.insert(at, LoadError::Conflict(problem));
                continue;
            }
            owners.extend(manifest.writes.iter().map(|write| (&*write.key, &*manifest.id)));
        }
        ids.insert(&manifest.id);
    }
    found
}

/// Places of `enrichers` so that each comes after those whose keys it reads; and those that wait for each other.
pub(crate) fn order(enrichers: &[&Manifest]) -> (Vec<usize>, BTreeMap<usize, LoadError>) {
    let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, manifest) in enrichers.iter().enumerate() {
        owners.extend(manifest.writes.iter().map(|write| (&*write.key, at)));
    }
    let waits = |at: usize, manifest: &Manifest| -> BTreeSet<usize> {
        let read = manifest.reads.iter().filter_map(|read| match &read.field {
            Field::Attribute(key) => owners.get(&**key).copied(),
            Field::Fixed(..) => None,
        });
        read.filter(|owner| *owner != at).collect()
    };
    let mut waiting: BTreeMap<usize, BTreeSet<usize>> =
        enrichers.iter().enumerate().map(|(at, manifest)| (at, waits(at, manifest))).collect();
    let mut ordered = Vec::with_capacity(enrichers.len());
    while let Some(next) = waiting.iter().find(|(_, before)| before.iter().all(|at| !waiting.contains_key(at))).map(|(at, _)| *at) {
        waiting.remove(&next);
        ordered.push(next);
    }
    let names: Vec<_> = waiting.keys().filter_map(|at| enrichers.get(*at)).map(|manifest| format!("`{}`", manifest.id)).collect();
    let names = names.join(" and ");
    let stuck = waiting.keys().map(|at| (*at, LoadError::Conflict(format!("{names} read what the others write, in a circle"))));
    (ordered, stuck.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enricher(id: &str, reads: &str, writes: &str) -> Manifest {
        let text = format!(
            "id = \"{id}\"\nversion = \"1\"\nkind = \"enricher\"\n[[reads]]\nfield = \"attributes[\\\"{reads}\\\"]\"\ntype = \"text\"\n[[writes]]\nkey = \"{writes}\"\ntype = \"text\""
        );
        Manifest::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn readers_come_after_writers() {
        let (last, first, middle) = (enricher("l", "b", "c"), enricher("f", "x", "a"), enricher("m", "a", "b"));
        let (ordered, stuck) = order(&[&last, &first, &middle]);
        assert_eq!((ordered, stuck.len()), (vec![1, 2, 0], 0));
    }

    #[test]
    fn a_circle_is_refused_with_both_names() {
        let (one, two, free) = (enricher("one", "b", "a"), enricher("two", "a", "b"), enricher("free", "x", "c"));
        let (ordered, stuck) = order(&[&one, &two, &free]);
        assert_eq!(ordered, [2]);
        assert_eq!(stuck[&0].to_string(), "conflict: `one` and `two` read what the others write, in a circle");
    }

    #[test]
    fn two_writers_of_a_key_are_refused_with_both_names() {
        let (one, two, same) = (enricher("one", "x", "a"), enricher("two", "y", "a"), enricher("one", "x", "z"));
        let found = conflicts(&[&one, &two, &same]);
        assert_eq!(found[&1].to_string(), "conflict: `two` and `one` both write `a`");
        assert_eq!(found[&2].to_string(), "conflict: another plugin has the id `one`");
        assert!(!found.contains_key(&0));
    }
}
