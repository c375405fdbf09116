//! The vocabulary of the access journal: who was handed which rows. It holds hashes and references, never values.

mod handed;
mod lookups;
mod rows;
mod subject;

use crate::digest::{Digest, DigestKey, Memo};
pub use handed::{Handed, HandedParts, HandedRow, RelationAccess};
pub use lookups::LookedUp;
pub use rows::{IdRuns, Marks, mark};
pub use subject::Subject;

/// The keys of the journal, derived from that of the database.
#[derive(Clone, Debug)]
pub struct JournalKeys {
    /// Of hashes over row hashes, and over those of outputs.
    pub aggregate: DigestKey,
    /// Of what a plugin wrote for a row.
    pub output: DigestKey,
    /// Of the chain of entries.
    pub chain: DigestKey,
    /// Of subjects.
    pub subject: DigestKey,
}

impl JournalKeys {
    /// Derives them.
    pub fn new(key: &DigestKey) -> Self {
        let derive = |purpose: &str| key.derive(&format!("journal {purpose}"));
        JournalKeys { aggregate: derive("aggregate"), output: derive("output"), chain: derive("chain"), subject: derive("subject") }
    }

    /// The hash over hashes in order; a row without one counts as zeros.
    pub fn over(&self, hashes: impl Iterator<Item = Option<Digest>>) -> Digest {
        let bytes: Vec<u8> = hashes.flat_map(|hash| hash.map_or([0; 16], |hash| hash.0)).collect();
        self.aggregate.digest(&bytes)
    }

    /// The hash of what a plugin wrote for one row, in parts (keys and values in its order). `None` for nothing.
    pub fn output<'a>(&self, parts: impl Iterator<Item = &'a str>) -> Option<Digest> {
        self.output_of_many(parts, &mut Memo::default())
    }

    /// The same for one of many rows; `memo` is for outputs under these keys only.
    pub fn output_of_many<'a>(&self, parts: impl Iterator<Item = &'a str>, memo: &mut Memo) -> Option<Digest> {
        let mut text = Vec::new();
        for part in parts {
            text.extend_from_slice(&(part.len() as u64).to_le_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        (!text.is_empty()).then(|| memo.digest(&self.output, &text))
    }
}
