//! As much JSON as settings need: one member of a valid object, one string.

/// The text of the value under `name` in the object `text`, which the host has checked.
pub(crate) fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = text.trim_start().strip_prefix('{')?.trim_start();
    while rest.starts_with('"') {
        let key = value(rest)?;
        let after = rest[key.len()..].trim_start().strip_prefix(':')?.trim_start();
        let found = value(after)?;
        if unescape(key).as_deref() == Some(name) {
            return Some(found);
        }
        rest = after[found.len()..].trim_start().strip_prefix(',')?.trim_start();
    }
    None
}

/// The value at the beginning of `text`.
fn value(text: &str) -> Option<&str> {
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if quoted {
            quoted = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            if !quoted && depth == 0 {
                return text.get(..=at);
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return text.get(..at),
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return text.get(..=at);
                }
            }
            b',' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 => return text.get(..at),
            _ => {}
        }
    }
    (depth == 0 && !quoted).then_some(text)
}

/// The text of a JSON string; a lone surrogate becomes U+FFFD.
pub(crate) fn unescape(raw: &str) -> Option<String> {
    let mut chars = raw.strip_prefix('"')?.strip_suffix('"')?.chars();
    let mut out = String::new();
    while let Some(next) = chars.next() {
        if next != '\\' {
            out.push(next);
            continue;
        }
        match chars.next()? {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'u' => {
                let mut unit = four(&mut chars)?;
                if (0xd800..0xdc00).contains(&unit) && chars.as_str().starts_with("\\u") {
                    let mut ahead = chars.clone();
                    ahead.nth(1);
                    if let Some(low @ 0xdc00..0xe000) = four(&mut ahead) {
                        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                        chars = ahead;
                    }
                }
                out.push(char::from_u32(unit).unwrap_or('\u{fffd}'));
            }
            other => out.push(other),
        }
    }
    Some(out)
}

fn four(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit * 16 + chars.next()?.to_digit(16)?;
    }
    Some(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_members() {
        let text = r#" {"a": 1, "b\n" : "x\"y\u00e9\ud83d\ude00", "c":{"a":[2,{"x":"}"}]} ,"d":true}"#;
        assert_eq!(member(text, "a"), Some("1"));
        assert_eq!(member(text, "b\n").and_then(unescape).as_deref(), Some("x\"y\u{e9}\u{1f600}"));
        assert_eq!(member(text, "c"), Some(r#"{"a":[2,{"x":"}"}]}"#));
        assert_eq!(member(text, "d"), Some("true"));
        assert_eq!(member(text, "e"), None);
        assert_eq!(member("{}", "a"), None);
        assert_eq!(member("", "a"), None);
    }
}
