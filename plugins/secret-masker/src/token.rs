//! Runs of the characters that keys are made of.

use crate::set::Set;

/// The letters, digits, `_` and `-` of base64url.
pub static TOKEN: Set = Set::of(&[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z'), (b'_', b'_'), (b'-', b'-')]);
/// Those of base64.
pub static BASE64: Set = Set::of(&[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z'), (b'+', b'+'), (b'/', b'/'), (b'=', b'=')]);
/// Those of what follows `Bearer `.
pub static BEARER: Set =
    Set::of(&[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z'), (b'+', b'+'), (b'-', b'/'), (b'=', b'='), (b'_', b'_'), (b'~', b'~')]);

/// The end of the token that goes on at `start`.
pub fn token(text: &[u8], start: usize) -> usize {
    TOKEN.end(text, start)
}

/// The same, but no more than `most` bytes are looked at.
pub fn short_token(text: &[u8], start: usize, most: usize) -> usize {
    TOKEN.end(within(text, start, most), start)
}

/// `text` up to `most` bytes behind `start`.
pub fn within(text: &[u8], start: usize, most: usize) -> &[u8] {
    text.get(..start.saturating_add(most)).unwrap_or(text)
}

/// The run that was found last: asked for again from within, its end is known. So a text of one run is not looked through for each place
/// in it.
#[derive(Default)]
pub struct Run {
    start: usize,
    end: usize,
}

impl Run {
    /// The end of the run that goes on at `start`, which `find` finds; always the same kind of run for one text.
    pub fn end(&mut self, start: usize, find: impl FnOnce(usize) -> usize) -> usize {
        if !(self.start..self.end).contains(&start) {
            *self = Run { start, end: find(start) };
        }
        self.end
    }
}

/// Whether a token can begin at `start`: nothing before it belongs to the same one. So no byte is looked at for more than a few tokens,
/// however the text is made.
pub fn edge(text: &[u8], start: usize) -> bool {
    let Some(before) = start.checked_sub(1).and_then(|before| text.get(before)) else { return true };
    if !TOKEN.holds(*before) {
        return true;
    }
    matches!(before, b'n' | b't' | b'r' | b'b' | b'f') && is_escaped(text, start - 1)
        || before.is_ascii_hexdigit() && start >= 6 && text[start - 5] == b'u' && is_escaped(text, start - 5)
}

/// Whether an odd number of backslashes stands before `at`.
#[inline]
pub fn is_escaped(text: &[u8], at: usize) -> bool {
    if at.checked_sub(1).is_none_or(|before| text[before] != b'\\') {
        return false;
    }
    text[..at].iter().rev().take(64).take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// Whether the text was cut off at `at`: it ends there, or goes on with dots.
pub fn is_cut(text: &[u8], at: usize) -> bool {
    let rest = text.get(at..).unwrap_or_default();
    rest.is_empty() || rest.starts_with(b"...") || rest.starts_with("\u{2026}".as_bytes())
}

/// What a byte counts for in [`mixed`]: a digit, a small letter, a capital, each in bits of its own.
static WEIGHTS: [u32; 256] = {
    let mut weights = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        let at = byte as u8;
        weights[byte] = at.is_ascii_digit() as u32 | (at.is_ascii_lowercase() as u32) << 10 | (at.is_ascii_uppercase() as u32) << 20;
        byte += 1;
    }
    weights
};

/// Random text has letters and digits, or as good as no digit and letters of both cases in about equal parts; a word, a placeholder of
/// one character, a name in CamelCase or a CSS class has not.
pub fn mixed(key: &[u8]) -> bool {
    let (mut digits, mut lower, mut upper) = (0, 0, 0);
    for part in key.chunks(64) {
        #[cfg(test)]
        crate::set::LOOKED_AT.set(crate::set::LOOKED_AT.get() + part.len());
        let sum: u32 = part.iter().map(|byte| WEIGHTS[*byte as usize]).sum();
        digits += sum & 1023;
        lower += sum >> 10 & 1023;
        upper += sum >> 20;
        if digits >= 2 && lower + upper >= 2 {
            return true;
        }
    }
    let letters = u64::from(lower) + u64::from(upper);
    letters >= 16 && u64::from(upper) * 4 >= letters && u64::from(lower) * 4 >= letters
}
