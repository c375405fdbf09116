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

/// Where `text` was mended, by places in the text that came out, rising.
#[derive(Clone, Debug, Default)]
pub(super) struct Mends {
    places: Vec<(usize, Mend)>,
    overflowed: bool,
}

/// More places than this are not told apart: everything counts as mended.
const MAX_PLACES: usize = 100_000;

impl Mends {
    fn push(&mut self, at: usize, mend: Mend) {
        if self.places.len() < MAX_PLACES {
            self.places.push((at, mend));
        } else {
            self.overflowed = true;
        }
    }

    /// Whether `mend` was done within `range`.
    pub(super) fn any(&self, range: &Range<usize>, mend: Mend) -> bool {
        let from = self.places.partition_point(|(at, _)| *at < range.start);
        let mut within = self.places.iter().skip(from).take_while(|(at, _)| *at < range.end);
        self.overflowed || within.any(|(_, kind)| *kind == mend)
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
