//! Leaves that were scanned before, and what was found: bounded, in memory only, the least recently used forgotten first.

use std::sync::{Arc, Mutex, PoisonError};

use super::Span;

const SHARDS: usize = 16;
/// Sets of a shard, and entries of a set. All in all 65,536 leaves, some 3 MB.
const SETS: usize = 512;
const WAYS: usize = 8;
/// What was found in a leaf with more spans is not kept.
const MAX_SPANS: usize = 64;

/// What is known of a leaf: nothing found, or these.
pub(crate) type Found = Option<Arc<[Span]>>;

/// Leaves by the keyed hash of field, part and text.
pub(crate) struct Seen(Vec<Mutex<Shard>>);

struct Shard {
    entries: Vec<Entry>,
    clock: u32,
}

#[derive(Clone, Default)]
struct Entry {
    key: u128,
    used: u32,
    found: Found,
}

impl Seen {
    pub(crate) fn new() -> Self {
        Seen((0..SHARDS).map(|_| Mutex::new(Shard { entries: vec![Entry::default(); SETS * WAYS], clock: 0 })).collect())
    }

    /// What was found in the leaf, if it was scanned and is not forgotten.
    pub(crate) fn get(&self, key: u128) -> Option<Found> {
        let mut shard = self.shard(key)?.lock().unwrap_or_else(PoisonError::into_inner);
        shard.clock = shard.clock.wrapping_add(1);
        let now = shard.clock;
        let entry = shard.set(key).iter_mut().find(|entry| entry.key == key)?;
        entry.used = now;
        Some(entry.found.clone())
    }

    /// Keeps what was found.
    pub(crate) fn put(&self, key: u128, found: &Found) {
        if found.as_ref().is_some_and(|spans| spans.len() > MAX_SPANS) {
            return;
        }
        let Some(shard) = self.shard(key) else { return };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.clock = shard.clock.wrapping_add(1);
        let now = shard.clock;
        let oldest = shard.set(key).iter_mut().max_by_key(|entry| (entry.key == key, entry.key == 0, now.wrapping_sub(entry.used)));
        if let Some(entry) = oldest {
            *entry = Entry { key, used: now, found: found.clone() };
        }
    }

    fn shard(&self, key: u128) -> Option<&Mutex<Shard>> {
        self.0.get(key as usize % SHARDS)
    }
}

impl Shard {
    fn set(&mut self, key: u128) -> &mut [Entry] {
        let at = ((key >> 8) as usize % SETS) * WAYS;
        self.entries.get_mut(at..at + WAYS).unwrap_or_default()
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
        let entries: usize = seen.0.iter().map(|shard| shard.lock().unwrap().entries.len()).sum();
        assert_eq!(entries, SHARDS * SETS * WAYS);
    }
}
