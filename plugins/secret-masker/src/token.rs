//! Runs of the characters that keys are made of.

/// The letters, digits, `_` and `-` of base64url.
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Those of base64.
pub fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// The end of the run of `wanted` bytes from `start`.
pub fn long_run(text: &[u8], start: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    start.min(text.len()) + rest.iter().position(|byte| !wanted(*byte)).unwrap_or(rest.len())
}

/// The end of the token that goes on at `start`.
pub fn token(text: &[u8], start: usize) -> usize {
    long_run(text, start, is_token)
}

/// Whether a token can begin at `start`: nothing before it belongs to the same one. So no byte is looked at for more than a few tokens,
/// however the text is made.
pub fn edge(text: &[u8], start: usize) -> bool {
    let Some(before) = start.checked_sub(1).and_then(|before| text.get(before)) else { return true };
    if !is_token(*before) {
        return true;
    }
    matches!(before, b'n' | b't' | b'r' | b'b' | b'f') && is_escaped(text, start - 1)
        || before.is_ascii_hexdigit() && start >= 6 && text[start - 5] == b'u' && is_escaped(text, start - 5)
}

/// Whether an odd number of backslashes stands before `at`.
pub fn is_escaped(text: &[u8], at: usize) -> bool {
    text[..at].iter().rev().take(64).take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// Whether the text was cut off at `at`: it ends there, or goes on with dots.
pub fn is_cut(text: &[u8], at: usize) -> bool {
    let rest = text.get(at..).unwrap_or_default();
    rest.is_empty() || rest.starts_with(b"...") || rest.starts_with("\u{2026}".as_bytes())
}

/// Random text has letters and digits, or as good as no digit and letters of both cases in about equal parts; a word, a placeholder of
/// one character, a name in CamelCase or a CSS class has not.
pub fn mixed(key: &[u8]) -> bool {
    let (mut digits, mut lower, mut upper) = (0, 0, 0);
    for byte in key {
        digits += usize::from(byte.is_ascii_digit());
        lower += usize::from(byte.is_ascii_lowercase());
        upper += usize::from(byte.is_ascii_uppercase());
    }
    let letters = lower + upper;
    let is_both = letters >= 16 && upper * 4 >= letters && lower * 4 >= letters;
    (digits >= 2 && letters >= 2 || is_both) && key.iter().any(|byte| key.first() != Some(byte))
}
