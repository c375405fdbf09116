//! Private keys as PEM writes them, whole or cut off.

use crate::kind::Kind;
use crate::scan::Secret;
use crate::set::Set;
use crate::token::{BASE64, Run, is_cut, within};

/// A header without so much of a key behind it is only spoken of.
const LEAST: usize = 16;
/// Of a key that was cut off so many characters are worth hiding.
const CUT: usize = 8;

/// What a label is made of, at most so many.
static LABEL: Set = Set::of(&[(b'0', b'9'), (b'A', b'Z'), (b' ', b' ')]);
const LABEL_MOST: usize = 40;
/// All lines `Name: value` together have at most so many bytes.
const HEADERS_MOST: usize = 512;
/// Where such a line ends.
pub static LINE: Set = Set::of(&[(b'\n', b'\n'), (b'\\', b'\\')]);

/// The lines `Name: value` that were gone over last: a text may have many keys' beginnings within them, and each goes on there.
#[derive(Default)]
pub struct Headers {
    line: Run,
    /// The first and the last end of a line.
    ends: (usize, usize),
}

impl Headers {
    /// The end of the line that goes on at `at`, or of a later one up to which there are only such lines. `is_next`: this line follows
    /// the one that was asked for last.
    fn end(&mut self, text: &[u8], at: usize, is_next: bool) -> usize {
        let end = self.line.end(at, |at| LINE.first(text, at));
        let (first, last) = self.ends;
        if !(first..=last).contains(&end) {
            self.ends = (if is_next { first } else { end }, end);
        }
        self.ends.1
    }
}

/// `-----BEGIN .. PRIVATE KEY-----`, the key, and `-----END ..-----` if it is there.
pub fn private_key(text: &[u8], at: usize, headers: &mut Headers) -> Option<Secret> {
    if !text[at..].starts_with(b"-----BEGIN ") || at.checked_sub(1).is_some_and(|before| text[before] == b'-') {
        return None;
    }
    let start = at + 11;
    let label = LABEL.end(within(text, start, LABEL_MOST), start);
    let is_private = [&b"PRIVATE KEY"[..], b"PRIVATE KEY BLOCK"].iter().any(|words| text[start..label].ends_with(words));
    if !is_private || !text[label..].starts_with(b"-----") {
        return None;
    }
    let (body, end) = body(text, label + 5, headers);
    if body < LEAST && !(body >= CUT && is_cut(text, end)) {
        return None;
    }
    let footer = blank(text, end);
    let end = if text[footer..].starts_with(b"-----END ") {
        let label = LABEL.end(within(text, footer + 9, LABEL_MOST), footer + 9);
        if text[label..].starts_with(b"-----") { label + 5 } else { label }
    } else {
        end
    };
    // Its end is the footer's: four of it would say nothing.
    Some(Secret { kind: Kind::PrivateKey, place: at..end, is_long: false })
}

/// How many characters the key has that begins at `start`, and where it ends: lines of base64, parted by white space or by what a string
/// of JSON or of a program has for it, and lines `Name: value` before them.
fn body(text: &[u8], start: usize, headers: &mut Headers) -> (usize, usize) {
    let (mut count, mut end, mut at, mut is_next) = (0, start, start, false);
    loop {
        at = blank(text, at);
        let line = BASE64.end(text, at);
        let escaped = text.get(line) == Some(&b'\\') || text[line..].starts_with(b"-----END") || line == text.len();
        let next = text.get(line).copied().unwrap_or(b'\n');
        if count == 0 && matches!(next, b'-' | b':') && !text[line..].starts_with(b"--") {
            // A header's line.
            at = headers.end(text, line, is_next);
            is_next = true;
            if at - start > HEADERS_MOST {
                return (count, end);
            }
            continue;
        }
        let is_last = count >= LEAST && (escaped || next.is_ascii_whitespace()) || is_cut(text, line);
        if line - at < LEAST && !(is_last && line > at) {
            return (count, end);
        }
        count += line - at;
        end = line;
        at = line;
    }
}

fn blank(text: &[u8], mut at: usize) -> usize {
    loop {
        match text.get(at..).unwrap_or_default() {
            [byte, ..] if byte.is_ascii_whitespace() => at += 1,
            [b'\\', b'n' | b'r' | b't', ..] => at += 2,
            [b'\\', b'\\', b'n' | b'r', ..] => at += 3,
            _ => return at,
        }
    }
}
