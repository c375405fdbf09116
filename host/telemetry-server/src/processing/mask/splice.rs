//! Putting replacements into JSON text: what a masker left alone stays byte for byte as it was sent.

use telemetry_model::json::escape;
use telemetry_model::{DigestKey, JsonText};
use telemetry_plugins::{Leaf, LeafPart, Span};

/// Appends the raw text of `leaf` with `spans` replaced. In keys, ids and names six digits of a keyed hash of the original follow, so that
/// different ones stay different.
pub(super) fn splice(leaf: &Leaf<'_>, spans: &[Span], key: &DigestKey, out: &mut String) {
    let mut cursor = Cursor { raw: leaf.raw, is_escaped: leaf.is_escaped, at: 0, text: 0 };
    let mut copied = 0;
    for span in spans {
        let start = cursor.seek(span.start as usize);
        let end = cursor.seek(span.end as usize);
        out.push_str(leaf.raw.get(copied..start).unwrap_or_default());
        push(&span.replacement, out);
        copied = end;
    }
    out.push_str(leaf.raw.get(copied..).unwrap_or_default());
    if leaf.part != LeafPart::Value {
        push_mark(leaf, key, out);
    }
}

/// Appends what tells the leaf from others.
pub(super) fn push_mark(leaf: &Leaf<'_>, key: &DigestKey, out: &mut String) {
    let digest = key.digest(leaf.text().as_bytes()).to_string();
    out.push('-');
    out.push_str(digest.get(..6).unwrap_or_default());
}

/// Appends `text` as it stands between the quotes of a JSON string.
pub(super) fn push(text: &str, out: &mut String) {
    let json = JsonText::string(text);
    out.push_str(json.as_str().strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default());
}

/// Finds places of the unescaped text in the raw one, rising.
struct Cursor<'a> {
    raw: &'a str,
    is_escaped: bool,
    at: usize,
    text: usize,
}

impl Cursor<'_> {
    fn seek(&mut self, target: usize) -> usize {
        if !self.is_escaped {
            return target.min(self.raw.len());
        }
        while self.text < target {
            let rest = self.raw.as_bytes().get(self.at..).unwrap_or_default();
            let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len()).min(target - self.text);
            self.at += plain;
            self.text += plain;
            if self.text == target || rest.is_empty() {
                break;
            }
            let (character, length) = escape(rest.get(plain..).unwrap_or_default());
            self.at += length;
            self.text += character.map_or(1, char::len_utf8);
        }
        self.at.min(self.raw.len())
    }
}

#[cfg(test)]
mod tests {
    use telemetry_plugins::LeafField;

    use super::*;

    fn spliced(raw: &str, part: LeafPart, spans: &[(u32, u32, &str)]) -> String {
        let leaf = Leaf { row: 0, field: LeafField::Fixed("event"), part, raw, is_escaped: raw.contains('\\'), pointer: None };
        let spans: Vec<_> = spans.iter().map(|(start, end, text)| Span { start: *start, end: *end, replacement: (*text).into() }).collect();
        let mut out = String::new();
        splice(&leaf, &spans, &DigestKey::new([7; 32]), &mut out);
        out
    }

    #[test]
    fn leaves_the_rest_as_it_was_spelled() {
        assert_eq!(spliced("abcdef", LeafPart::Value, &[(0, 1, "X"), (4, 6, "")]), "Xbcd");
        assert_eq!(
            spliced(r"\u0061\n\/key\ud83d\ude00 \u00e9z", LeafPart::Value, &[(3, 6, "[\"]")]),
            r#"\u0061\n\/[\"]\ud83d\ude00 \u00e9z"#
        );
        assert_eq!(spliced(r"\u0061\u0062\u0063", LeafPart::Value, &[(1, 2, "-")]), r"\u0061-\u0063");
    }

    #[test]
    fn different_keys_stay_different() {
        let one = spliced("key-1", LeafPart::Key, &[(0, 5, "[x]")]);
        assert_ne!(one, spliced("key-2", LeafPart::Key, &[(0, 5, "[x]")]));
        assert_eq!(one, spliced(r"k\u0065y-1", LeafPart::Id, &[(0, 5, "[x]")]));
        assert!(one.starts_with("[x]-") && one.len() == 10);
    }
}
