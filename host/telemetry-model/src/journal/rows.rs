//! Which rows were handed over, and marks of their hashes, in few bytes.

use crate::digest::Digest;

/// Ids in order as runs of neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdRuns {
    bytes: Vec<u8>,
    run: Option<(i64, u64)>,
    last: i64,
    rows: u64,
}

impl IdRuns {
    /// Adds the next id.
    pub fn push(&mut self, id: i64) {
        self.rows += 1;
        match &mut self.run {
            Some((start, count)) if i128::from(*start) + i128::from(*count) == i128::from(id) => *count += 1,
            _ => {
                self.end_run();
                self.run = Some((id, 1));
            }
        }
    }

    /// How many ids.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// For each run its start (zigzag, from the end of the one before) and its length as variable-length integers.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.end_run();
        self.bytes
    }

    /// The runs behind [`IdRuns::into_bytes`]: first id and count. `None` when the bytes are not such.
    pub fn read(mut bytes: &[u8]) -> Option<Vec<(i64, u64)>> {
        let (mut runs, mut last) = (Vec::new(), 0i64);
        while !bytes.is_empty() {
            let delta = take_varint(&mut bytes)?;
            let count = take_varint(&mut bytes)?;
            let start = last.wrapping_add((delta >> 1) as i64 ^ -((delta & 1) as i64));
            last = start.checked_add(i64::try_from(count).ok()?)?;
            runs.push((start, count));
        }
        Some(runs)
    }

    fn end_run(&mut self) {
        let Some((start, count)) = self.run.take() else { return };
        let delta = start.wrapping_sub(self.last);
        put_varint(&mut self.bytes, ((delta << 1) ^ (delta >> 63)) as u64);
        put_varint(&mut self.bytes, count);
        self.last = start.wrapping_add(count as i64);
    }
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0u64, 0);
    loop {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f).checked_shl(shift)?;
        if first & 0x80 == 0 {
            return Some(value);
        }
        shift += 7;
    }
}

/// Short marks that tell which rows differ: the sum of the first four bytes of the hashes of `per` rows each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    per: u32,
    rows: u64,
    sums: Vec<u32>,
}

/// More marks than this are joined in pairs.
const MAX_MARKS: usize = 256;

impl Default for Marks {
    fn default() -> Self {
        Marks { per: 1, rows: 0, sums: Vec::new() }
    }
}

impl Marks {
    /// Adds the next row.
    pub fn push(&mut self, hash: Digest) {
        let place = (self.rows / u64::from(self.per)) as usize;
        if place >= MAX_MARKS {
            self.sums = self.sums.chunks(2).map(|pair| pair.iter().fold(0u32, |sum, mark| sum.wrapping_add(*mark))).collect();
            self.per = self.per.saturating_mul(2);
            return self.push(hash);
        }
        self.rows += 1;
        match self.sums.get_mut(place) {
            Some(sum) => *sum = sum.wrapping_add(mark(hash)),
            None => self.sums.push(mark(hash)),
        }
    }

    /// Rows of each mark, and the marks.
    pub fn parts(&self) -> (u32, &[u32]) {
        (self.per, &self.sums)
    }

    /// As bytes: rows of a mark, then the marks, little-endian.
    pub fn into_bytes(self) -> Vec<u8> {
        std::iter::once(self.per).chain(self.sums).flat_map(u32::to_le_bytes).collect()
    }

    /// What [`Marks::into_bytes`] gave: rows of a mark, and the marks.
    pub fn read(bytes: &[u8]) -> Option<(u32, Vec<u32>)> {
        let (words, rest) = bytes.as_chunks::<4>();
        let mut words = words.iter().map(|word| u32::from_le_bytes(*word));
        let per = words.next().filter(|per| *per > 0 && rest.is_empty())?;
        Some((per, words.collect()))
    }
}

/// The mark of one row hash.
pub fn mark(hash: Digest) -> u32 {
    let [a, b, c, d, ..] = hash.0;
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_read_back_as_pushed() {
        let ids = [5, 6, 7, 3, 4, -9, i64::MAX - 1, 100, 101];
        let mut runs = IdRuns::default();
        ids.iter().for_each(|id| runs.push(*id));
        assert_eq!(runs.rows(), 9);
        let read = IdRuns::read(&runs.into_bytes()).unwrap();
        assert_eq!(read, [(5, 3), (3, 2), (-9, 1), (i64::MAX - 1, 1), (100, 2)]);
        assert_eq!(IdRuns::read(&[0x80]), None);
        assert_eq!(IdRuns::read(&[]), Some(Vec::new()));
    }

    #[test]
    fn marks_stay_few_and_add_up() {
        let hash = |n: u32| {
            let mut bytes = [7; 16];
            bytes[..4].copy_from_slice(&n.to_le_bytes());
            Digest(bytes)
        };
        let mut marks = Marks::default();
        (0..1000).for_each(|n| marks.push(hash(n)));
        let (per, sums) = Marks::read(&marks.into_bytes()).unwrap();
        assert_eq!((per, sums.len()), (4, 250));
        assert_eq!((sums[0], sums[249]), (1 + 2 + 3, 996 + 997 + 998 + 999));
    }
}
