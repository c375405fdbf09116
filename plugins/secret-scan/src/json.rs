//! The strings of JSON text as a masker sees them: each by itself, without its escapes.

/// Calls `take` with every string of `json`, unescaped, and with what stands between them.
pub fn parts(json: &[u8], mut take: impl FnMut(&[u8])) {
    let mut unescaped = Vec::new();
    let mut rest = json;
    while let Some(quote) = rest.iter().position(|byte| *byte == b'"') {
        let (between, string) = rest.split_at(quote);
        take(between);
        let string = string.get(1..).unwrap_or_default();
        let plain = string.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(string.len());
        if string.get(plain) != Some(&b'\\') {
            take(string.get(..plain).unwrap_or_default());
            rest = string.get(plain + 1..).unwrap_or_default();
            continue;
        }
        unescaped.clear();
        rest = unescape(string, &mut unescaped);
        take(&unescaped);
    }
    take(rest);
}

/// Undoes the escapes up to the closing quote; gives what follows it.
fn unescape<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    loop {
        let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len());
        out.extend_from_slice(rest.get(..plain).unwrap_or_default());
        let [b'\\', escape, after @ ..] = rest.get(plain..).unwrap_or_default() else {
            return rest.get(plain + 1..).unwrap_or_default();
        };
        rest = after;
        match escape {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'u' => rest = unicode(after, out),
            other => out.push(*other),
        }
    }
}

fn unicode<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some(first) = unit(rest) else { return rest };
    let (point, length) = match (first, rest.get(4..).and_then(|low| unit(low.strip_prefix(b"\\u")?))) {
        (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => (0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00), 10),
        _ => (first, 4),
    };
    let character = char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    rest.get(length..).unwrap_or_default()
}

fn unit(text: &[u8]) -> Option<u32> {
    let digits = text.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_come_unescaped_and_one_by_one() {
        let mut found = Vec::new();
        parts(r#"{"a\n":["x","\u0073k\ud83d\ude00\"",4]}"#.as_bytes(), |part| found.push(String::from_utf8_lossy(part).into_owned()));
        assert_eq!(found, ["{", "a\n", ":[", "x", ",", "sk\u{1f600}\"", ",4]}"]);
        parts(b"4111", |part| assert_eq!(part, b"4111"));
    }
}
