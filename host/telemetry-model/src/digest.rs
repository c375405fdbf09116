//! Keyed digests: the same text has the same digest under one database's key, and nobody without the key can test a guess.

use std::fmt;

/// 128 bits of a keyed BLAKE3 hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// The first eight bytes, for compact chains of digests.
    pub fn short(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The key of one database, 32 random bytes made when it was.
#[derive(Clone)]
pub struct DigestKey([u8; 32]);

impl DigestKey {
    /// Takes the key's bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        DigestKey(bytes)
    }

    /// The keyed digest of `bytes`.
    pub fn digest(&self, bytes: &[u8]) -> Digest {
        let mut out = [0; 16];
        // The whole hash begins with the same bytes as the digest of pieces.
        out.iter_mut().zip(blake3::keyed_hash(&self.0, bytes).as_bytes()).for_each(|(to, from)| *to = *from);
        Digest(out)
    }

    /// A key of its own for what `purpose` names.
    pub fn derive(&self, purpose: &str) -> DigestKey {
        DigestKey(*blake3::keyed_hash(&self.0, purpose.as_bytes()).as_bytes())
    }

    /// All 256 bits of the keyed hash of `bytes`.
    pub fn wide(&self, bytes: &[u8]) -> [u8; 32] {
        *blake3::keyed_hash(&self.0, bytes).as_bytes()
    }

    /// The keyed digest of the concatenation of `parts`.
    pub fn digest_parts(&self, parts: &[&[u8]]) -> Digest {
        let mut hasher = self.hasher();
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finish()
    }

    /// Digests what comes piece by piece.
    pub fn hasher(&self) -> DigestHasher {
        DigestHasher(blake3::Hasher::new_keyed(&self.0))
    }
}

/// A digest in the making: the same as [`DigestKey::digest`] of all pieces together.
#[derive(Clone)]
pub struct DigestHasher(blake3::Hasher);

impl DigestHasher {
    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all pieces.
    pub fn finish(&self) -> Digest {
        let mut out = [0; 16];
        self.0.finalize_xof().fill(&mut out);
        Digest(out)
    }
}

/// Digests of the last few short texts under one key: rows of a batch often say the same.
#[derive(Debug, Default)]
pub struct Memo {
    known: Vec<(Vec<u8>, Digest)>,
    next: usize,
}

impl Memo {
    /// Texts that are remembered, and their bytes.
    const TEXTS: usize = 8;
    const BYTES: usize = 128;

    /// As [`DigestKey::digest`]; `key` must be the same each time.
    pub fn digest(&mut self, key: &DigestKey, text: &[u8]) -> Digest {
        if text.len() > Self::BYTES {
            return key.digest(text);
        }
        if let Some((_, digest)) = self.known.iter().find(|(known, _)| known == text) {
            return *digest;
        }
        let digest = key.digest(text);
        match self.known.get_mut(self.next) {
            Some((known, of_known)) => {
                known.clear();
                known.extend_from_slice(text);
                *of_known = digest;
            }
            None => self.known.push((text.to_vec(), digest)),
        }
        self.next = (self.next + 1) % Self::TEXTS;
        digest
    }
}

impl fmt::Debug for DigestHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestHasher(..)")
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_piece_and_many_give_the_same_digest() {
        let key = DigestKey::new([7; 32]);
        for text in ["", "a", "abcdefgh"] {
            let (start, end) = text.split_at(text.len() / 2);
            assert_eq!(key.digest(text.as_bytes()), key.digest_parts(&[start.as_bytes(), end.as_bytes()]));
        }
        let mut memo = Memo::default();
        for number in (0..40).chain([39, 38, 3]) {
            let text = format!("{number}{}", "x".repeat(number * 5));
            assert_eq!(memo.digest(&key, text.as_bytes()), key.digest(text.as_bytes()));
        }
        assert_eq!(key.wide(b"x")[..16], key.digest(b"x").0);
        assert_ne!(key.derive("a").digest(b"x"), key.derive("b").digest(b"x"));
    }
}
