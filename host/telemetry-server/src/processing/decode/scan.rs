//! Cheap looks at JSON text before it is parsed.

/// Whether `text` nests deeper than `limit`. Text with few brackets is settled by counting them; only the rest is walked.
pub(super) fn is_deeper_than(limit: usize, text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr::memchr2_iter(b'{', b'[', bytes).take(limit + 1).count() > limit && depth_exceeds(limit, bytes)
}

fn depth_exceeds(limit: usize, bytes: &[u8]) -> bool {
    let mut depth = 0usize;
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => rest = after_string(after),
            _ => {}
        }
    }
    false
}

/// What follows the string whose opening quote was just taken.
pub(super) fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        let escaped = rest.get(at) == Some(&b'\\');
        rest = rest.get(at + 1 + usize::from(escaped)..).unwrap_or_default();
        if !escaped {
            return rest;
        }
    }
    &[]
}

/// Whether `text` has an escaped surrogate without its other half. Only strings of JSON have backslashes, so no more is parsed.
pub(super) fn has_lone_surrogate(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let Some(at) = memchr::memchr(b'\\', rest) {
        rest = rest.get(at..).unwrap_or_default();
        match surrogate(rest) {
            Surrogate::None => rest = rest.get(2..).unwrap_or_default(),
            Surrogate::Pair => rest = rest.get(12..).unwrap_or_default(),
            Surrogate::Lone => return true,
        }
    }
    false
}

/// What an escape begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surrogate {
    /// Something else.
    None,
    /// Twelve bytes that make one character.
    Pair,
    /// Six bytes that make none.
    Lone,
}

/// Looks at text that begins with a backslash.
pub(super) fn surrogate(bytes: &[u8]) -> Surrogate {
    match unit(bytes) {
        Some(0xd800..=0xdbff) => match bytes.get(6..).and_then(unit) {
            Some(0xdc00..=0xdfff) => Surrogate::Pair,
            _ => Surrogate::Lone,
        },
        Some(0xdc00..=0xdfff) => Surrogate::Lone,
        _ => Surrogate::None,
    }
}

/// The UTF-16 unit of `\uXXXX`.
fn unit(bytes: &[u8]) -> Option<u16> {
    let hex = bytes.strip_prefix(b"\\u")?.get(..4)?;
    hex.iter().all(u8::is_ascii_hexdigit).then_some(())?;
    u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
}
