//! A keyed hash of texts, fast enough to look at every byte that comes in. In memory only: its keys are this process's.
//!
//! Blocks of 1 KiB go through NH (as in UMAC: sums of products of key and message words, so that two texts chosen without the key
//! collide with a probability of 2^-64). The sums of a longer text go through SipHash with two keys; what is left of each text, its
//! length and the tags through NH again, with other keys.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Words of a block.
const WORDS: usize = 128;
const BLOCK: usize = WORDS * 8;
/// Texts of one hash, at most.
const PARTS: usize = 4;
/// Words of the last step: sum and length of each text, the tags.
const LAST: usize = PARTS * 3 + 2;
/// Odd: multiplying by it loses nothing.
const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// The keys of one process.
pub(crate) struct Keys {
    words: Box<[u64]>,
    last: [u64; LAST],
    ends: [RandomState; 2],
}

impl Keys {
    /// Fresh keys.
    pub(crate) fn random() -> Self {
        let seed = RandomState::new();
        let mut last = [0; LAST];
        last.iter_mut().zip(WORDS..).for_each(|(word, number)| *word = seed.hash_one(number));
        Keys { words: (0..WORDS).map(|word| seed.hash_one(word)).collect(), last, ends: [RandomState::new(), RandomState::new()] }
    }

    /// 128 bits over at most four `parts`, each taken apart from the others.
    #[inline]
    pub(crate) fn hash<const N: usize>(&self, parts: [&[u8]; N], tag: u32) -> u128 {
        const { assert!(N <= PARTS, "a text more than there are keys") };
        let mut words = [0_u64; LAST];
        for (place, part) in words.chunks_exact_mut(3).zip(parts) {
            if let [low, high, length] = place {
                let sum = if part.len() <= BLOCK { self.block(part) } else { self.long(part) };
                (*low, *high, *length) = (sum as u64, (sum >> 64) as u64, part.len() as u64);
            }
        }
        let [.., count, tags] = &mut words;
        (*count, *tags) = (N as u64, u64::from(tag));
        let (words, _) = words.as_chunks::<2>();
        let (keys, _) = self.last.as_chunks::<2>();
        let pairs = words.iter().zip(keys);
        let sum =
            pairs.fold(0_u128, |sum, ([a, b], [c, d])| sum.wrapping_add(u128::from(a.wrapping_add(*c)) * u128::from(b.wrapping_add(*d))));
        // One to one, so that any bits of it tell texts apart as well as all do.
        let sum = (sum ^ sum >> 67).wrapping_mul(SPREAD);
        sum ^ sum >> 59
    }

    #[cold]
    fn long(&self, text: &[u8]) -> u128 {
        let [mut low, mut high] = [0, 1].map(|end: usize| self.ends.get(end).map(BuildHasher::build_hasher).unwrap_or_default());
        for block in text.chunks(BLOCK) {
            let sum = self.block(block).to_le_bytes();
            low.write(&sum);
            high.write(&sum);
        }
        u128::from(low.finish()) << 64 | u128::from(high.finish())
    }

    /// NH of one block, short ones filled up with zeros: the length is hashed beside.
    #[inline]
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
        let all = [
            keys.hash([b"ab", b"c"], 0),
            keys.hash([b"a", b"bc"], 0),
            keys.hash([b"ab", b"c"], 1),
            keys.hash([b"ab", b"c", b""], 0),
            keys.hash([b"abc"], 0),
            Keys::random().hash([b"ab", b"c"], 0),
        ];
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }

    #[test]
    fn every_bit_tells_texts_apart() {
        let keys = Keys::random();
        let hashes: Vec<u128> = (0..4_000).map(|number| keys.hash([format!("{number:032}").as_bytes(), b"event.trace_id"], 2)).collect();
        for bit in 0..128 {
            let set = hashes.iter().filter(|hash| *hash >> bit & 1 == 1).count();
            assert!((1_600..2_400).contains(&set), "bit {bit} is set in {set} of {}", hashes.len());
        }
    }
}
