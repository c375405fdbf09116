//! Where in the file an expression's byte stands.

use toml::Spanned;

use super::RuleError;
use crate::manifest::ManifestError;

/// `error` of the expression `rule` with its line and column in `text`.
pub(super) fn error(text: &str, rule: &Spanned<String>, error: &RuleError) -> ManifestError {
    let raw = text.get(rule.span()).unwrap_or_default();
    let (line, column) = place(text, rule.span().start + inside(raw, error.at));
    ManifestError::Rule { line, column, problem: error.problem.clone() }
}

/// Line and column of a byte, from 1; columns are characters.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before.get(start..).unwrap_or_default().chars().count() + 1)
}

/// The byte of the TOML string `raw` that the byte `at` of its value was written as.
fn inside(raw: &str, at: usize) -> usize {
    let quotes = ["\"\"\"", "'''", "\"", "'"];
    let open = quotes.into_iter().find(|quote| raw.starts_with(quote)).unwrap_or_default();
    let mut place = open.len();
    if open.len() == 3 {
        let rest = raw.get(place..).unwrap_or_default();
        place += if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    }
    let mut value = 0;
    while value < at {
        let rest = raw.get(place..).unwrap_or_default();
        let Some(next) = rest.chars().next() else { break };
        if next != '\\' || !open.starts_with('"') {
            place += next.len_utf8();
            value += next.len_utf8();
            continue;
        }
        let hex = |digits: usize| {
            let code = rest.get(2..2 + digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
            (2 + digits, code.and_then(char::from_u32).map_or(1, char::len_utf8))
        };
        let (written, meant) = match rest.as_bytes().get(1) {
            Some(b'x') => hex(2),
            Some(b'u') => hex(4),
            Some(b'U') => hex(8),
            // The end of a line, and what is white behind it, mean nothing.
            Some(b' ' | b'\t' | b'\r' | b'\n') => {
                let after = rest.get(1..).unwrap_or_default();
                (1 + after.len() - after.trim_start().len(), 0)
            }
            _ => (2, 1),
        };
        place += written;
        value += meant;
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_bytes_behind_escapes() {
        for (raw, at, place) in [
            ("\"abc\"", 2, 3),
            ("'a\\b'", 2, 3),
            (r#""\"\u00e9x""#, 3, 9),
            ("'''\nab'''", 1, 5),
            ("\"\"\"a\\\n   b\"\"\"", 1, 4),
            ("\"\"\"a\\\n   bc\"\"\"", 2, 10),
        ] {
            assert_eq!(inside(raw, at), place, "{raw}");
        }
        assert_eq!(super::place("a\nb\u{e9}c", 5), (2, 3));
    }
}
