//! A keyed hash of texts, fast enough to look at every byte that comes in. In memory only: its keys are this process's.
//!
//! Blocks of 1 KiB go through NH (as in UMAC: sums of products of key and message words, so that two texts chosen without the key
//! collide with a probability of 2^-64), the blocks' sums and the length through SipHash with two keys.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Words of a block.
const WORDS: usize = 128;
const BLOCK: usize = WORDS * 8;

/// The keys of one process.
pub(crate) struct Keys {
    words: Box<[u64]>,
    ends: [RandomState; 2],
}

impl Keys {
    /// Fresh keys.
    pub(crate) fn random() -> Self {
        let seed = RandomState::new();
        Keys { words: (0..WORDS).map(|word| seed.hash_one(word)).collect(), ends: [RandomState::new(), RandomState::new()] }
    }

    /// 128 bits over `parts`, each taken apart from the others.
    pub(crate) fn hash(&self, parts: [&[u8]; 2], tag: u8) -> u128 {
        let [mut low, mut high] = [0, 1].map(|end: usize| self.ends.get(end).map(BuildHasher::build_hasher).unwrap_or_default());
        let mut feed = |bytes: &[u8]| {
            low.write(bytes);
            high.write(bytes);
        };
        for part in parts {
            for block in part.chunks(BLOCK) {
                feed(&self.block(block).to_le_bytes());
            }
            feed(&(part.len() as u64).to_le_bytes());
        }
        feed(&[tag]);
        u128::from(low.finish()) << 64 | u128::from(high.finish())
    }

    /// NH of one block, short ones filled up with zeros: the length is hashed beside.
    fn block(&self, block: &[u8]) -> u128 {
        let (pairs, rest) = block.as_chunks::<16>();
        let (keys, _) = self.words.as_chunks::<2>();
        let sum = pairs.iter().zip(keys).fold(0_u128, |sum, (pair, key)| sum.wrapping_add(product(*pair, *key)));
        if rest.is_empty() {
            return sum;
        }
        let mut last = [0; 16];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        keys.get(pairs.len()).map_or(sum, |key| sum.wrapping_add(product(last, *key)))
    }
}

#[inline]
fn product(pair: [u8; 16], [first, second]: [u64; 2]) -> u128 {
    let both = u128::from_le_bytes(pair);
    let (low, high) = (both as u64, (both >> 64) as u64);
    u128::from(low.wrapping_add(first)) * u128::from(high.wrapping_add(second))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn same_texts_are_same_and_others_differ() {
        let keys = Keys::random();
        let mut seen = HashSet::new();
        for size in [0, 1, 7, 8, 15, 16, 17, 1023, 1024, 1025, 5000] {
            for byte in [0_u8, 1, 255] {
                let text = vec![byte; size];
                let hash = keys.hash([&text, b"f"], 0);
                assert_eq!(hash, keys.hash([&text.clone(), b"f"], 0));
                // Nothing but its length tells empty texts apart.
                assert!(seen.insert(hash) || size == 0, "{size} {byte}");
            }
        }
        let all =
            [keys.hash([b"ab", b"c"], 0), keys.hash([b"a", b"bc"], 0), keys.hash([b"ab", b"c"], 1), Keys::random().hash([b"ab", b"c"], 0)];
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 4);
    }
}
