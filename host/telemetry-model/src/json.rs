//! Checked JSON text, kept exactly as it was sent.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// The type of a JSON value, by its first byte and, for a number, by its spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonKind {
    /// A string.
    String,
    /// A number without fraction or exponent, of any length.
    Integer,
    /// A number with a fraction or an exponent.
    Real,
    /// `true` or `false`.
    Boolean,
    /// `null`.
    Null,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl JsonKind {
    /// The word that `attributes.value_type` uses.
    pub fn as_str(self) -> &'static str {
        match self {
            JsonKind::String => "string",
            JsonKind::Integer => "integer",
            JsonKind::Real => "real",
            JsonKind::Boolean => "boolean",
            JsonKind::Null => "null",
            JsonKind::Array => "array",
            JsonKind::Object => "object",
        }
    }
}

/// One JSON value as text: valid, without surrounding white space, otherwise byte for byte what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JsonText(Box<str>);

impl JsonText {
    /// Checks `text`.
    ///
    /// # Errors
    /// When `text` is not one JSON value.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<Box<RawValue>>(text).map(JsonText::from)
    }

    /// A JSON string holding `text`.
    pub fn string(text: &str) -> Self {
        let mut quoted = String::with_capacity(text.len() + 2);
        JsonText::write_string(text, &mut quoted);
        JsonText(quoted.into())
    }

    /// Appends a JSON string holding `text` to `out`.
    pub fn write_string(text: &str, out: &mut String) {
        if text.bytes().fold(false, |found, byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\')) {
            out.push_str(&serde_json::Value::from(text).to_string());
            return;
        }
        out.push('"');
        out.push_str(text);
        out.push('"');
    }

    /// A JSON integer.
    pub fn integer(value: i64) -> Self {
        JsonText(value.to_string().into())
    }

    /// A JSON number, or null when `value` is not finite.
    pub fn real(value: f64) -> Self {
        JsonText(serde_json::Value::from(value).to_string().into())
    }

    /// `true` or `false`.
    pub fn boolean(value: bool) -> Self {
        JsonText(value.to_string().into())
    }

    /// `null`.
    pub fn null() -> Self {
        JsonText("null".into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The type of the value.
    pub fn kind(&self) -> JsonKind {
        kind_of(&self.0)
    }

    /// Whether the value is `null`.
    pub fn is_null(&self) -> bool {
        &*self.0 == "null"
    }

    /// The unescaped text of a string; borrowed when nothing is escaped.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
            return Some(Cow::Borrowed(inner));
        }
        serde_json::from_str::<String>(&self.0).ok().map(Cow::Owned)
    }

    /// The value of an integer that fits 64 bits.
    pub fn as_integer(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// The value of a number as a double; `None` when it is not a number or beyond a double's range.
    pub fn as_real(&self) -> Option<f64> {
        matches!(self.kind(), JsonKind::Integer | JsonKind::Real)
            .then(|| self.0.parse::<f64>().ok())
            .flatten()
            .filter(|value| value.is_finite())
    }

    /// The value of a boolean.
    pub fn as_boolean(&self) -> Option<bool> {
        self.0.parse().ok()
    }

    /// The value as a tree. Numbers beyond 64 bits become doubles, those beyond a double null.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(&self.0).unwrap_or(serde_json::Value::Null)
    }

    /// The text itself.
    pub fn into_inner(self) -> Box<str> {
        self.0
    }
}

/// What stands between the quotes of a JSON string, without its escapes. Where `inner` is no such text, what cannot be understood is
/// kept as it is; a lone surrogate becomes U+FFFD.
pub fn unescape(inner: &str) -> String {
    let mut out = Vec::with_capacity(inner.len());
    unescape_into(inner, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The same, appended to `out`: always UTF-8.
pub fn unescape_into(inner: &str, out: &mut Vec<u8>) {
    let mut rest = inner.as_bytes();
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (before, from) = rest.split_at(at);
        out.extend_from_slice(before);
        let (character, length) = escape(from);
        match character {
            Some(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            None => out.push(b'\\'),
        }
        rest = from.get(length..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// The character of the escape that `text` begins with, and how many bytes it takes; `None` when it is no escape of JSON.
pub fn escape(text: &[u8]) -> (Option<char>, usize) {
    let simple = |character: char| (Some(character), 2);
    match text.get(1) {
        Some(b'n') => simple('\n'),
        Some(b't') => simple('\t'),
        Some(b'r') => simple('\r'),
        Some(b'b') => simple('\u{8}'),
        Some(b'f') => simple('\u{c}'),
        Some(byte @ (b'"' | b'\\' | b'/')) => simple(char::from(*byte)),
        Some(b'u') => match (unit(text), text.get(6..).and_then(unit)) {
            (Some(high @ 0xd800..=0xdbff), Some(low @ 0xdc00..=0xdfff)) => {
                (char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)), 12)
            }
            (Some(unit), _) => (Some(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)), 6),
            (None, _) => (None, 1),
        },
        _ => (None, 1),
    }
}

/// The UTF-16 unit of `\uXXXX`.
fn unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

/// The type of a value of valid JSON text.
pub fn kind_of(text: &str) -> JsonKind {
    match text.as_bytes().first() {
        Some(b'"') => JsonKind::String,
        Some(b'{') => JsonKind::Object,
        Some(b'[') => JsonKind::Array,
        Some(b't' | b'f') => JsonKind::Boolean,
        Some(b'n') | None => JsonKind::Null,
        Some(_) if text.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) => JsonKind::Real,
        Some(_) => JsonKind::Integer,
    }
}

/// Whether JSON text (or what is like it) has so many objects, lists or items that a tree of its values would take many times its
/// bytes: such text is compared as it stands.
pub fn is_wide(text: &str) -> bool {
    /// A map of a tree takes up to 700 bytes.
    const CONTAINERS: usize = 32_768;
    /// A value takes 32 bytes.
    const ITEMS: usize = 1_000_000;
    let bytes = text.as_bytes();
    // Few bytes hold few of either.
    (bytes.len() > CONTAINERS && memchr::memchr3_iter(b'{', b'[', b'(', bytes).take(CONTAINERS + 1).count() > CONTAINERS)
        || (bytes.len() > ITEMS && memchr::memchr_iter(b',', bytes).take(ITEMS + 1).count() > ITEMS)
}

impl From<Box<RawValue>> for JsonText {
    fn from(raw: Box<RawValue>) -> Self {
        JsonText(raw.into())
    }
}

impl From<&RawValue> for JsonText {
    fn from(raw: &RawValue) -> Self {
        JsonText(raw.get().into())
    }
}

impl From<&serde_json::Value> for JsonText {
    fn from(value: &serde_json::Value) -> Self {
        JsonText(value.to_string().into())
    }
}

impl serde::Serialize for JsonText {
    /// As the JSON value itself (only to JSON; elsewhere as serde_json's raw value).
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(&self.0) {
            Ok(raw) => raw.serialize(serializer),
            Err(error) => Err(serde::ser::Error::custom(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unescapes_as_a_parser_does() {
        for inner in
            ["", "plain", r#"a\"b\\c\/d"#, r"\n\t\r\b\f", r"\u0000x\u00e9\u20ac", r"\ud83d\ude00\ud83d\ude00", "\u{e9}\\n\u{1f600}"]
        {
            assert_eq!(unescape(inner), serde_json::from_str::<String>(&format!("\"{inner}\"")).unwrap(), "{inner}");
        }
        for (odd, kept) in [("\\", "\\"), (r"\x", r"\x"), (r"\u00g0", r"\u00g0"), (r"\ud800x", "\u{fffd}x"), (r"\u12", r"\u12")] {
            assert_eq!(unescape(odd), kept);
        }
    }

    #[test]
    fn knows_text_of_which_a_tree_is_too_large() {
        assert!(!is_wide(&"x".repeat(2_000_000)) && !is_wide(&"{}".repeat(32_768)) && !is_wide(&"0,".repeat(1_000_000)));
        assert!(is_wide(&"{}".repeat(32_769)) && is_wide(&"0,".repeat(1_000_001)));
    }

    #[test]
    fn keeps_spelling_and_tells_types() {
        for (text, kind) in [
            ("1e400", JsonKind::Real),
            ("-0.0", JsonKind::Real),
            ("123456789012345678901234567890", JsonKind::Integer),
            (r#""x\u0000y""#, JsonKind::String),
            ("[1, 2]", JsonKind::Array),
            ("null", JsonKind::Null),
        ] {
            let json = JsonText::parse(text).unwrap();
            assert_eq!((json.as_str(), json.kind()), (text, kind));
        }
        assert_eq!(JsonText::parse(r#""x\u0000y""#).unwrap().as_text().unwrap(), "x\0y");
        assert_eq!(JsonText::parse("1e400").unwrap().as_real(), None);
        assert_eq!(JsonText::parse("123456789012345678901234567890").unwrap().as_integer(), None);
        assert!(JsonText::parse("[1").is_err());
    }
}
