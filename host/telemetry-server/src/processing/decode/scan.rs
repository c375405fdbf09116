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

/// Whether a number in `text`, which is valid JSON, is beyond 64 bits or a double.
pub(super) fn has_number_beyond(text: &str) -> bool {
    /// No integer of fewer bytes is beyond 64 bits, and no real without an exponent is beyond a double.
    const SHORT: usize = 18;
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'-' | b'0'..=b'9')) {
        rest = rest.get(at..).unwrap_or_default();
        if let Some(inner) = rest.strip_prefix(b"\"") {
            rest = after_string(inner);
            continue;
        }
        let end = rest.iter().position(|byte| !matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')).unwrap_or(rest.len());
        let (number, after) = rest.split_at_checked(end).unwrap_or((rest, b""));
        let has_exponent = memchr::memchr2(b'e', b'E', number).is_some();
        if (has_exponent || number.len() > SHORT) && is_beyond(number, has_exponent) {
            return true;
        }
        rest = after;
    }
    false
}

fn is_beyond(number: &[u8], has_exponent: bool) -> bool {
    let Ok(text) = std::str::from_utf8(number) else { return false };
    match has_exponent || number.contains(&b'.') {
        true => text.parse::<f64>().is_ok_and(f64::is_infinite),
        false => text.parse::<i64>().is_err(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_beyond_are_found_at_any_level_and_not_in_strings() {
        for (text, beyond) in [
            ("[1,-2.5,{\"a\":1e308,\"1e400\":\"1e400 99999999999999999999\"}]", false),
            ("{\"a\":[1e400]}", true),
            ("[-1E+309]", true),
            ("[9223372036854775807,-9223372036854775808,0.1234567890123456789]", false),
            ("[9223372036854775808]", true),
            ("[\"\\\"\",123456789012345678901234567890]", true),
            ("[]", false),
        ] {
            assert_eq!(has_number_beyond(text), beyond, "{text}");
        }
    }
}
