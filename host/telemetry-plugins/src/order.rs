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

/// Places of `enrichers` so that each comes after those whose keys it reads; and those that wait for each other. `settled` tells
/// whom a circle does not touch while a newcomer closes it: then the newcomers alone are refused.
pub(crate) fn order(enrichers: &[&Manifest], settled: impl Fn(usize) -> bool) -> (Vec<usize>, BTreeMap<usize, LoadError>) {
    let mut stuck = BTreeMap::new();
    loop {
        let running: Vec<usize> = (0..enrichers.len()).filter(|at| !stuck.contains_key(at)).collect();
        let waits = waits(enrichers, &running);
        let (ordered, waiting) = sort(&running, &waits);
        let circle = circle(waiting, &waits);
        if circle.is_empty() {
            return (ordered, stuck);
        }
        let newcomers: Vec<usize> = circle.iter().copied().filter(|at| !settled(*at)).collect();
        let names: Vec<_> = circle.iter().filter_map(|at| enrichers.get(*at)).map(|manifest| format!("`{}`", manifest.id)).collect();
        let problem = format!("{} read what the others write, in a circle", names.join(" and "));
        let refused: Vec<usize> = if newcomers.is_empty() { circle.into_iter().collect() } else { newcomers };
        stuck.extend(refused.into_iter().map(|at| (at, LoadError::Conflict(problem.clone()))));
    }
}

/// For each of `running` whose keys it reads.
fn waits(enrichers: &[&Manifest], running: &[usize]) -> BTreeMap<usize, BTreeSet<usize>> {
    let manifests = || running.iter().filter_map(|at| Some((*at, *enrichers.get(*at)?)));
    let owners: BTreeMap<&str, usize> =
        manifests().flat_map(|(at, manifest)| manifest.writes.iter().map(move |write| (&*write.key, at))).collect();
    let of = |(at, manifest): (usize, &Manifest)| {
        let read = manifest.reads.iter().filter_map(|read| match &read.field {
            Field::Attribute(key) => owners.get(&**key).copied(),
            Field::Fixed(..) => None,
        });
        (at, read.filter(|owner| *owner != at).collect())
    };
    manifests().map(of).collect()
}

/// Each after all that it waits for; and who is left waiting.
fn sort(running: &[usize], waits: &BTreeMap<usize, BTreeSet<usize>>) -> (Vec<usize>, BTreeSet<usize>) {
    let mut waiting: BTreeSet<usize> = running.iter().copied().collect();
    let mut ordered = Vec::with_capacity(running.len());
    let free = |at: &usize, waiting: &BTreeSet<usize>| waits.get(at).is_none_or(|before| before.is_disjoint(waiting));
    while let Some(next) = waiting.iter().copied().find(|at| free(at, &waiting)) {
        waiting.remove(&next);
        ordered.push(next);
    }
    (ordered, waiting)
}

/// Of those left waiting the ones that others of them wait for: who only reads from a circle is not of it.
fn circle(mut waiting: BTreeSet<usize>, waits: &BTreeMap<usize, BTreeSet<usize>>) -> BTreeSet<usize> {
    let awaited =
        |at: usize, waiting: &BTreeSet<usize>| waiting.iter().any(|other| waits.get(other).is_some_and(|before| before.contains(&at)));
    while let Some(last) = waiting.iter().copied().find(|at| !awaited(*at, &waiting)) {
        waiting.remove(&last);
    }
    waiting
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
        let (ordered, stuck) = order(&[&last, &first, &middle], |_| false);
        assert_eq!((ordered, stuck.len()), (vec![1, 2, 0], 0));
    }

    #[test]
    fn a_circle_is_refused_with_both_names() {
        let (one, two, free) = (enricher("one", "b", "a"), enricher("two", "a", "b"), enricher("free", "x", "c"));
        let (ordered, stuck) = order(&[&one, &two, &free], |_| false);
        assert_eq!(ordered, [2]);
        assert_eq!(stuck[&0].to_string(), "conflict: `one` and `two` read what the others write, in a circle");
    }

    #[test]
    fn a_newcomer_that_closes_a_circle_is_refused_alone() {
        let (one, two, after) = (enricher("one", "b", "a"), enricher("two", "a", "b"), enricher("after", "a", "c"));
        let (ordered, stuck) = order(&[&one, &two, &after], |at| at != 1);
        assert_eq!((ordered, stuck.keys().copied().collect::<Vec<_>>()), (vec![0, 2], vec![1]));
        let (ordered, stuck) = order(&[&one, &two, &after], |_| true);
        assert_eq!((ordered, stuck.keys().copied().collect::<Vec<_>>()), (vec![2], vec![0, 1]));
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
