//! A bounded cache: when it is full the entries that were not asked for since it last was are dropped.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};

use telemetry_model::Digest;

/// Two generations of entries.
pub(crate) struct Cache<K, V, S = std::hash::RandomState> {
    young: HashMap<K, V, S>,
    old: HashMap<K, V, S>,
    capacity: usize,
}

impl<K: Eq + Hash, V: Copy, S: BuildHasher + Default> Cache<K, V, S> {
    /// Holds at most twice `capacity` entries.
    pub(crate) fn new(capacity: usize) -> Self {
        Cache { young: HashMap::default(), old: HashMap::default(), capacity }
    }

    pub(crate) fn get<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        if let Some(value) = self.young.get(key) {
            return Some(*value);
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.insert(key, value);
        Some(value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.capacity {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    /// Forgets everything: after a rollback nothing is known to be stored.
    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

/// Keyed digests are their own hash.
#[derive(Default)]
pub(crate) struct DigestState;

impl BuildHasher for DigestState {
    type Hasher = DigestHasher;
    fn build_hasher(&self) -> DigestHasher {
        DigestHasher(0)
    }
}

/// Takes the first eight bytes it is given of a digest.
pub(crate) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        if let Some(chunk) = bytes.first_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*chunk);
        }
    }
}

/// A cache of ids by digest.
pub(crate) type DigestCache = Cache<Digest, i64, DigestState>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_asked_for() {
        let mut cache: Cache<Box<str>, i64> = Cache::new(2);
        for (id, key) in ["a", "b", "c"].into_iter().enumerate() {
            cache.insert(key.into(), id as i64);
            assert_eq!(cache.get("a"), Some(0));
        }
        cache.insert("d".into(), 3);
        cache.insert("e".into(), 4);
        assert_eq!(cache.get("d"), Some(3));
        assert_eq!(cache.get("b"), None);
    }
}
