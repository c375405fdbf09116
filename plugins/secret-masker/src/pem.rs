//! Private keys as PEM writes them, whole or cut off.

use crate::kind::Kind;
use crate::scan::Secret;
use crate::token::{is_base64, is_cut, long_run};

/// A header without so much of a key behind it is only spoken of.
const LEAST: usize = 16;
/// Of a key that was cut off so many characters are worth hiding.
const CUT: usize = 8;

/// `-----BEGIN .. PRIVATE KEY-----`, the key, and `-----END ..-----` if it is there.
pub fn private_key(text: &[u8], at: usize) -> Option<Secret> {
    if !text[at..].starts_with(b"-----BEGIN ") || at.checked_sub(1).is_some_and(|before| text[before] == b'-') {
        return None;
    }
    let start = at + 11;
    let is_label = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ';
    let label = long_run(text, start, is_label).min(start + 40);
    let is_private = [&b"PRIVATE KEY"[..], b"PRIVATE KEY BLOCK"].iter().any(|words| text[start..label].ends_with(words));
    if !is_private || !text[label..].starts_with(b"-----") {
        return None;
    }
    let (body, end) = body(text, label + 5);
    if body < LEAST && !(body >= CUT && is_cut(text, end)) {
        return None;
    }
    let footer = blank(text, end);
    let end = if text[footer..].starts_with(b"-----END ") {
        let label = long_run(text, footer + 9, is_label).min(footer + 49);
        if text[label..].starts_with(b"-----") { label + 5 } else { label }
    } else {
        end
    };
    // Its end is the footer's: four of it would say nothing.
    Some(Secret { kind: Kind::PrivateKey, place: at..end, is_long: false })
}

/// How many characters the key has that begins at `start`, and where it ends: lines of base64, parted by white space or by what a string
/// of JSON or of a program has for it, and lines `Name: value` before them.
fn body(text: &[u8], start: usize) -> (usize, usize) {
    let (mut count, mut end, mut at) = (0, start, start);
    loop {
        at = blank(text, at);
        let line = long_run(text, at, is_base64);
        let escaped = text.get(line) == Some(&b'\\') || text[line..].starts_with(b"-----END") || line == text.len();
        let next = text.get(line).copied().unwrap_or(b'\n');
        if count == 0 && matches!(next, b'-' | b':') && !text[line..].starts_with(b"--") {
            // A header's line.
            at = long_run(text, line, |byte| byte != b'\n' && byte != b'\\');
            if at == line || at - start > 512 {
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
