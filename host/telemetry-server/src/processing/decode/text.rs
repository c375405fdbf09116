//! Bytes to text: UTF-8 with or without a byte order mark; everything else is named and refused.

use super::refusal::Refusal;

/// Text of a body without its byte order mark.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    pub text: &'a str,
    pub had_mark: bool,
}

/// Reads UTF-8.
///
/// # Errors
/// `empty-body`, `utf-16`, `utf-32`, `invalid-utf-8`.
pub(super) fn read(bytes: &[u8]) -> Result<Text<'_>, Refusal> {
    if let Some(refusal) = wide(bytes) {
        return Err(refusal);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Refusal::malformed("invalid-utf-8", format!("the body is not UTF-8: byte {} is out of place", error.valid_up_to()))
    })?;
    let (text, had_mark) = text.strip_prefix('\u{feff}').map_or((text, false), |rest| (rest, true));
    if text.trim_ascii().is_empty() {
        return Err(Refusal::malformed("empty-body", "the body is empty"));
    }
    Ok(Text { text, had_mark })
}

/// UTF-16 and UTF-32 by their marks, or by where the zero bytes of an ASCII character stand.
fn wide(bytes: &[u8]) -> Option<Refusal> {
    let code = match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, _, ..] | [_, 0, 0, 0, ..] => "utf-32",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => "utf-16",
        _ => return None,
    };
    Some(Refusal::malformed(code, format!("the body is {}, send UTF-8", code.to_uppercase())))
}
