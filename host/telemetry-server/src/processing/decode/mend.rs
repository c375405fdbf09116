//! JSON as Python writes it, made JSON: `NaN`, `Infinity` and `-Infinity` become `null`, lone surrogates U+FFFD.

use std::ops::Range;

use super::scan::{self, Surrogate};

/// What was mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mend {
    /// `NaN`, `Infinity`, `-Infinity`.
    NotANumber,
    /// Half of a surrogate pair.
    LoneSurrogate,
}

/// Where a text was mended, by places in the text that came out: a bit a byte, so that no number of mends takes more than that.
#[derive(Clone, Debug, Default)]
pub(super) struct Mends {
    numbers: Vec<u64>,
    surrogates: Vec<u64>,
}

impl Mends {
    fn push(&mut self, at: usize, mend: Mend) {
        let words = match mend {
            Mend::NotANumber => &mut self.numbers,
            Mend::LoneSurrogate => &mut self.surrogates,
        };
        if words.len() <= at / 64 {
            words.resize(at / 64 + 1, 0);
        }
        if let Some(word) = words.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    /// Whether `mend` was done within `range`.
    pub(super) fn any(&self, range: &Range<usize>, mend: Mend) -> bool {
        let words = match mend {
            Mend::NotANumber => &self.numbers,
            Mend::LoneSurrogate => &self.surrogates,
        };
        let (first, last) = (range.start / 64, range.end.saturating_sub(1) / 64);
        let within = words.iter().enumerate().take(last + 1).skip(first);
        !range.is_empty()
            && within.into_iter().any(|(index, word)| {
                let from = if index == first { u64::MAX << (range.start % 64) } else { u64::MAX };
                let to = if index == last { u64::MAX >> (63 - (range.end - 1) % 64) } else { u64::MAX };
                word & from & to != 0
            })
    }
}

/// Mends `text`; what is broken in another way stays so.
pub(super) fn mend(text: &str) -> (String, Mends) {
    let mut out = String::with_capacity(text.len() + 16);
    let mut mends = Mends::default();
    let mut rest = text;
    while let Some(at) = rest.find(['"', 'N', 'I', '-']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = ["NaN", "Infinity", "-Infinity"].iter().find_map(|token| from.strip_prefix(token)) {
            mends.push(out.len(), Mend::NotANumber);
            out.push_str("null");
            rest = after;
            continue;
        }
        let inner = from.get(1..).unwrap_or_default();
        let taken = if from.starts_with('"') { 1 + inner.len() - scan::after_string(inner.as_bytes()).len() } else { 1 };
        let (token, after) = from.split_at_checked(taken).unwrap_or((from, ""));
        mend_string(token, &mut out, &mut mends);
        rest = after;
    }
    out.push_str(rest);
    (out, mends)
}

fn mend_string(token: &str, out: &mut String, mends: &mut Mends) {
    let mut rest = token;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let (length, lone) = match scan::surrogate(from.as_bytes()) {
            Surrogate::None => (2, false),
            Surrogate::Pair => (12, false),
            Surrogate::Lone => (6, true),
        };
        let (escape, after) = from.split_at_checked(length).unwrap_or((from, ""));
        if lone {
            mends.push(out.len(), Mend::LoneSurrogate);
        }
        out.push_str(if lone { "\\ufffd" } else { escape });
        rest = after;
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_counts_for_its_own_range_only() {
        let (text, mends) = mend(&"[NaN,1],".repeat(200_000));
        assert!(text.starts_with("[null,1],[null"));
        for (range, mended) in
            [(0..5, true), (0..1, false), (1..2, true), (2..10, false), (5..9, false), (9_000_009..9_000_018, false), (7..7, false)]
        {
            assert_eq!(mends.any(&range, Mend::NotANumber), mended, "{range:?}");
        }
        assert!((0..text.len()).step_by(9).all(|at| mends.any(&(at..at + 8), Mend::NotANumber)));
        assert!(!mends.any(&(0..text.len()), Mend::LoneSurrogate));
    }
}
