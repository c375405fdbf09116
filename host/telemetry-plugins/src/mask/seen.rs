//! Leaves that were scanned before, and what was found: bounded, in memory only, the least recently used forgotten first.

use std::sync::{Arc, Mutex, PoisonError};

use super::Span;

const SHARDS: usize = 16;
/// Sets of a shard, and entries of a set. All in all 131,072 leaves and pairs of leaves, some 4 MB.
const SETS: usize = 1024;
const WAYS: usize = 8;
/// What was found in a leaf with more spans is not kept.
const MAX_SPANS: usize = 64;

/// What is known of a leaf: nothing found, or these.
pub(crate) type Found = Option<Arc<[Span]>>;

/// Leaves by the keyed hash of field, part and text.
pub(crate) struct Seen(Vec<Mutex<Shard>>);

struct Shard {
    sets: Vec<Set>,
    /// What was found, apart from the keys: in most leaves nothing was.
    found: Vec<Found>,
    clock: u32,
}

#[derive(Clone, Default)]
struct Set {
    keys: [u128; WAYS],
    used: [u32; WAYS],
    /// A bit each for entries in which something was found.
    hits: u8,
}

impl Seen {
    pub(crate) fn new() -> Self {
        let shard = || Shard { sets: vec![Set::default(); SETS], found: vec![None; SETS * WAYS], clock: 0 };
        Seen((0..SHARDS).map(|_| Mutex::new(shard())).collect())
    }

    /// What was found in the leaf, if it was scanned and is not forgotten.
    pub(crate) fn get(&self, key: u128) -> Option<Found> {
        let mut shard = self.shard(key)?.lock().unwrap_or_else(PoisonError::into_inner);
        let (set, way, is_hit) = shard.find(key)?;
        Some(if is_hit { shard.found.get(set * WAYS + way).cloned().flatten() } else { None })
    }

    /// Whether it is known that nothing is found.
    pub(crate) fn is_clean(&self, key: u128) -> bool {
        let Some(shard) = self.shard(key) else { return false };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.find(key).is_some_and(|(.., is_hit)| !is_hit)
    }

    /// Keeps what was found.
    pub(crate) fn put(&self, key: u128, found: &Found) {
        if found.as_ref().is_some_and(|spans| spans.len() > MAX_SPANS) {
            return;
        }
        let Some(shard) = self.shard(key) else { return };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.clock = shard.clock.wrapping_add(1);
        let (now, at) = (shard.clock, set_of(key));
        let Some(set) = shard.sets.get_mut(at) else { return };
        let entries = set.keys.iter_mut().zip(&mut set.used).enumerate();
        let oldest = entries.max_by_key(|(_, (known, used))| (**known == key, **known == 0, now.wrapping_sub(**used)));
        let Some((way, (place, used))) = oldest else { return };
        (*place, *used) = (key, now);
        let bit = 1_u8 << way;
        set.hits = if found.is_some() { set.hits | bit } else { set.hits & !bit };
        if let Some(place) = shard.found.get_mut(at * WAYS + way) {
            place.clone_from(found);
        }
    }

    fn shard(&self, key: u128) -> Option<&Mutex<Shard>> {
        self.0.get(key as usize % SHARDS)
    }
}

fn set_of(key: u128) -> usize {
    (key >> 8) as usize % SETS
}

impl Shard {
    /// The set and place of an entry, now used, and whether something was found in it.
    fn find(&mut self, key: u128) -> Option<(usize, usize, bool)> {
        let at = set_of(key);
        let set = self.sets.get_mut(at)?;
        let way = set.keys.iter().position(|known| *known == key)?;
        self.clock = self.clock.wrapping_add(1);
        *set.used.get_mut(way)? = self.clock;
        Some((at, way, set.hits >> way & 1 == 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_least_recently_used_of_a_set() {
        let seen = Seen::new();
        let key = |number: u128| number << 32 | 1;
        assert_eq!(seen.get(key(1)), None);
        (1..=8).for_each(|number| seen.put(key(number), &None));
        assert_eq!(seen.get(key(1)), Some(None));
        let found: Found = Some(Arc::from([Span { start: 0, end: 1, replacement: "x".into() }]));
        seen.put(key(9), &found);
        assert_eq!((seen.get(key(9)), seen.get(key(2)), seen.get(key(1))), (Some(found), None, Some(None)));
    }

    #[test]
    fn never_holds_more_than_it_may() {
        let seen = Seen::new();
        (0..200_000_u128).for_each(|number| seen.put(number * 0x9e37_79b9_7f4a_7c15_f39c_0c1d + 1, &None));
        let places = |shard: &Shard| (shard.sets.len() * WAYS, shard.found.len());
        assert!(seen.0.iter().all(|shard| places(&shard.lock().unwrap()) == (SETS * WAYS, SETS * WAYS)));
    }
}
