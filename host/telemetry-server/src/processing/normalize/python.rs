//! Reads what Python's `repr` prints for lists, tuples, sets, dictionaries, texts, numbers, `True`, `False` and `None`.

use serde_json::{Map, Number, Value};

/// Deeper is not read.
const MAX_DEPTH: usize = 100;

/// The value that `text` prints; `None` when it is not a literal. Tuples and sets become lists, keys become text, numbers
/// without a JSON form null.
pub(super) fn literal(text: &str) -> Option<Value> {
    let mut parser = Parser { rest: text.trim() };
    let value = parser.value(0)?;
    parser.rest.trim().is_empty().then_some(value)
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.rest = self.rest.trim_start();
        match self.rest.chars().next()? {
            '[' => self.list(']', depth),
            '(' => self.list(')', depth),
            '{' => self.braces(depth),
            '\'' | '"' => self.text().map(Value::String),
            _ => self.word(),
        }
    }

    fn take(&mut self, token: char) -> bool {
        let rest = self.rest.trim_start();
        let taken = rest.strip_prefix(token);
        self.rest = taken.unwrap_or(rest);
        taken.is_some()
    }

    fn list(&mut self, close: char, depth: usize) -> Option<Value> {
        self.rest = self.rest.get(1..)?;
        let mut items = Vec::new();
        while !self.take(close) {
            items.push(self.value(depth + 1)?);
            if !self.take(',') {
                return self.take(close).then_some(Value::Array(items));
            }
        }
        Some(Value::Array(items))
    }

    /// A dictionary, or a set.
    fn braces(&mut self, depth: usize) -> Option<Value> {
        self.rest = self.rest.get(1..)?;
        let (mut members, mut items) = (Map::new(), Vec::new());
        loop {
            if self.take('}') {
                break;
            }
            let key = self.value(depth + 1)?;
            if self.take(':') {
                let value = self.value(depth + 1)?;
                members.insert(key.as_str().map_or_else(|| key.to_string(), str::to_owned), value);
            } else {
                items.push(key);
            }
            if !self.take(',') {
                self.take('}').then_some(())?;
                break;
            }
        }
        match (members.is_empty(), items.is_empty()) {
            (_, true) => Some(Value::Object(members)),
            (true, false) => Some(Value::Array(items)),
            (false, false) => None,
        }
    }

    fn word(&mut self) -> Option<Value> {
        let end = self.rest.find([',', ']', '}', ')', ':', ' ', '\n', '\'', '"']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end)?;
        let is_prefix = matches!(word, "b" | "u" | "r" | "B" | "U" | "R") && rest.starts_with(['\'', '"']);
        self.rest = rest;
        match word {
            _ if is_prefix => self.text().map(Value::String),
            "None" | "nan" | "inf" | "-inf" => Some(Value::Null),
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            number => number
                .parse::<i64>()
                .ok()
                .map(Number::from)
                .or_else(|| number.parse::<u64>().ok().map(Number::from))
                .or_else(|| number.parse::<f64>().ok().and_then(Number::from_f64))
                .map(Value::Number),
        }
    }

    fn text(&mut self) -> Option<String> {
        let quote = self.rest.chars().next()?;
        self.rest = self.rest.get(1..)?;
        let mut out = String::new();
        loop {
            let at = self.rest.find([quote, '\\'])?;
            let (before, from) = self.rest.split_at_checked(at)?;
            out.push_str(before);
            if let Some(after) = from.strip_prefix(quote) {
                self.rest = after;
                return Some(out);
            }
            self.rest = escape(from.get(1..)?, &mut out)?;
        }
    }
}

/// Reads what follows a backslash into `out` and gives the rest.
fn escape<'a>(text: &'a str, out: &mut String) -> Option<&'a str> {
    let first = text.chars().next()?;
    let after = text.get(first.len_utf8()..)?;
    let plain = match first {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'v' => '\u{b}',
        '\\' | '\'' | '"' => first,
        '\n' => return Some(after),
        'x' => return code(after, 2, out),
        'u' => return code(after, 4, out),
        'U' => return code(after, 8, out),
        // Python keeps a backslash that escapes nothing.
        other => {
            out.push('\\');
            other
        }
    };
    out.push(plain);
    Some(after)
}

/// `digits` of hexadecimal; what is no character becomes U+FFFD.
fn code<'a>(text: &'a str, digits: usize, out: &mut String) -> Option<&'a str> {
    let (hex, rest) = text.split_at_checked(digits)?;
    let code = hex.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(hex, 16).ok())??;
    out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
    Some(rest)
}
