//! Documents taken apart: the JSON text of each value with a number where a reference stands, and back again.

use serde_json::Value;

use crate::content::push_escaped;

/// Lists of ids, and of pieces and references.
pub(super) struct Document {
    lists: Vec<List>,
    /// One list by itself, not a list of lists.
    is_flat: bool,
}

struct List {
    /// What comes before the value: ids of keys and plugin versions.
    ids: Vec<i64>,
    parts: Vec<Part>,
}

enum Part {
    Piece(String),
    Reference(i64),
}

/// What stands in a value's text for a reference: a value as well, and of one byte.
const PLACE: char = '0';

impl Document {
    /// Reads a document whose lists begin with `ids` ids; with 0 it is one list.
    pub(super) fn parse(text: &str, ids: usize) -> Option<Self> {
        let outer: Vec<Value> = serde_json::from_str(text).ok()?;
        if ids == 0 {
            return Some(Document { lists: vec![List { ids: Vec::new(), parts: parts(outer)? }], is_flat: true });
        }
        let list = |value: Value| {
            let Value::Array(mut list) = value else { return None };
            let rest = list.split_off(ids.min(list.len()));
            Some(List { ids: list.iter().map(Value::as_i64).collect::<Option<_>>()?, parts: parts(rest)? })
        };
        Some(Document { lists: outer.into_iter().map(list).collect::<Option<_>>()?, is_flat: false })
    }

    /// The JSON text of each value.
    pub(super) fn texts(&self) -> impl Iterator<Item = String> {
        self.lists.iter().map(|list| {
            let part = |part: &Part| match part {
                Part::Piece(text) => text.clone(),
                Part::Reference(_) => PLACE.to_string(),
            };
            list.parts.iter().map(part).collect()
        })
    }

    /// The document with other texts where there are some; `None` when they differ in more than their strings.
    pub(super) fn with(mut self, changed: &[Option<String>]) -> Option<String> {
        for (list, changed) in self.lists.iter_mut().zip(changed) {
            if let Some(text) = changed {
                list.replace(text)?;
            }
        }
        let mut out = String::from("[");
        for (at, list) in self.lists.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            list.write(!self.is_flat, &mut out);
        }
        out.push(']');
        Some(out)
    }
}

fn parts(values: Vec<Value>) -> Option<Vec<Part>> {
    let part = |value| match value {
        Value::String(text) => Some(Part::Piece(text)),
        Value::Number(id) => id.as_i64().map(Part::Reference),
        _ => None,
    };
    values.into_iter().map(part).collect()
}

impl List {
    /// Cuts `text` where the parts were cut: outside strings both are the same.
    fn replace(&mut self, text: &str) -> Option<()> {
        let mut rest = text;
        for part in &mut self.parts {
            match part {
                Part::Reference(_) => rest = rest.strip_prefix(PLACE)?,
                Part::Piece(piece) => {
                    let length = same(piece.as_bytes(), rest.as_bytes())?;
                    let (own, others) = rest.split_at_checked(length)?;
                    *piece = own.to_owned();
                    rest = others;
                }
            }
        }
        rest.is_empty().then_some(())
    }

    fn write(&self, in_brackets: bool, out: &mut String) {
        if in_brackets {
            out.push('[');
        }
        let mut is_first = true;
        let mut comma = |out: &mut String| {
            if !std::mem::take(&mut is_first) {
                out.push(',');
            }
        };
        for id in &self.ids {
            comma(out);
            out.push_str(&id.to_string());
        }
        for part in &self.parts {
            comma(out);
            match part {
                Part::Reference(id) => out.push_str(&id.to_string()),
                Part::Piece(text) => {
                    out.push('"');
                    push_escaped(out, text);
                    out.push('"');
                }
            }
        }
        if in_brackets {
            out.push(']');
        }
    }
}

/// How many bytes of `new` are `old` with other strings.
fn same(old: &[u8], new: &[u8]) -> Option<usize> {
    let (mut at, mut to) = (0, 0);
    while let Some(byte) = old.get(at) {
        if new.get(to) != Some(byte) {
            return None;
        }
        if *byte == b'"' {
            at = behind_string(old, at)?;
            to = behind_string(new, to)?;
        } else {
            at += 1;
            to += 1;
        }
    }
    Some(to)
}

/// Behind the closing quote of the string that opens at `at`.
fn behind_string(text: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text.get(found) == Some(&b'"') {
            return Some(found + 1);
        }
        at = found + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_strings_and_keeps_references_and_spelling() {
        let text = r#"[[7,"{\"a\" : ",12,",\"b\\\"\":[\"x\",1.0,",13,"]}"],[8,"\"y\""]]"#;
        let document = Document::parse(text, 1).unwrap();
        let texts: Vec<String> = document.texts().collect();
        assert_eq!(texts, [r#"{"a" : 0,"b\"":["x",1.0,0]}"#, r#""y""#]);
        let changed = [Some(texts[0].replace("x", "[\\\"m]").replace("\"a\"", "\"aa\"")), None];
        assert_eq!(document.with(&changed).unwrap(), r#"[[7,"{\"aa\" : ",12,",\"b\\\"\":[\"[\\\"m]\",1.0,",13,"]}"],[8,"\"y\""]]"#);
        assert_eq!(Document::parse(text, 1).unwrap().with(&[None, None]).unwrap(), text);
        for broken in [r#"{"a" : 0,"b\"":["x",1.0,1]}"#, r#"{"a" : 0,"b\"":["x",1.0,0]"#, r#"[0]"#] {
            assert!(Document::parse(text, 1).unwrap().with(&[Some(broken.into()), None]).is_none(), "{broken}");
        }
        let flat = r#"["[",3,",\"k\"]"]"#;
        assert_eq!(Document::parse(flat, 0).unwrap().with(&[Some(r#"[0,"masked"]"#.into())]).unwrap(), r#"["[",3,",\"masked\"]"]"#);
        assert!(Document::parse("{}", 0).is_none() && Document::parse("[[true]]", 1).is_none());
    }
}
