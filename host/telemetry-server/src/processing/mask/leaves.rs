//! Every string of an event, read off its JSON in one pass.
//!
//! The text is valid JSON, so nothing is checked again: a string that a colon follows is a key, brackets tell the depth.

use std::borrow::Cow;

use telemetry_model::json::unescape;
use telemetry_plugins::{Leaf, LeafField, LeafPart};

/// A string and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Found<'t> {
    pub leaf: Leaf<'t>,
    /// Where the leaf's raw text begins in the event's.
    pub at: usize,
    /// Levels of brackets around it.
    pub depth: usize,
}

/// The strings of one event. The names of the envelope's members are the host's own words and left out.
pub(super) struct Leaves<'t> {
    text: &'t str,
    at: usize,
    row: u32,
    depth: usize,
    member: Member<'t>,
    attribute: Option<&'t str>,
    is_id: bool,
    pointer: Option<Vec<Step<'t>>>,
}

/// The member of the envelope that is being read.
#[derive(Clone, Copy)]
enum Member<'t> {
    Fixed(&'static str, LeafPart),
    Attributes,
    Extra(&'t str),
}

/// One step of a JSON pointer.
enum Step<'t> {
    Key(&'t str),
    Index(usize),
}

/// Members of the envelope, the names of their fields, and what they hold.
const MEMBERS: [(&str, &str, LeafPart); 10] = [
    ("schema_version", "event.schema_version", LeafPart::Value),
    ("timestamp", "event.timestamp", LeafPart::Value),
    ("trace_id", "event.trace_id", LeafPart::Id),
    ("span_id", "event.span_id", LeafPart::Id),
    ("parent_span_id", "event.parent_span_id", LeafPart::Id),
    ("name", "event.name", LeafPart::Name),
    ("level", "event.level", LeafPart::Value),
    ("agent_id", "event.agent_id", LeafPart::Id),
    ("channel", "event.channel", LeafPart::Value),
    ("idempotency_key", "event.idempotency_key", LeafPart::Id),
];

/// Attributes that identify something.
const ID_ATTRIBUTES: [&str; 2] = ["session.id", "agent.id"];

impl<'t> Leaves<'t> {
    /// Of the event `text`, which is row `row`; with JSON pointers if asked for.
    pub(super) fn new(text: &'t str, row: u32, pointers: bool) -> Self {
        let member = Member::Fixed("event", LeafPart::Value);
        Leaves { text, at: 0, row, depth: 0, member, attribute: None, is_id: false, pointer: pointers.then(Vec::new) }
    }

    /// Of any JSON text: no part of it is an envelope.
    pub(super) fn anywhere(text: &'t str, row: u32) -> Self {
        /// Deeper than any envelope.
        const INSIDE: usize = 8;
        Leaves { depth: INSIDE, member: Member::Fixed("stored", LeafPart::Value), ..Leaves::new(text, row, false) }
    }

    fn open(&mut self, is_array: bool) {
        self.depth += 1;
        if let Some(steps) = &mut self.pointer {
            steps.push(if is_array { Step::Index(0) } else { Step::Key("") });
        }
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if let Some(steps) = &mut self.pointer {
            steps.pop();
        }
    }

    fn comma(&mut self) {
        if let Some(Step::Index(index)) = self.pointer.as_mut().and_then(|steps| steps.last_mut()) {
            *index += 1;
        }
    }

    /// The string whose opening quote stands at `self.at`; its raw text and whether it has escapes.
    fn string(&mut self) -> (usize, &'t str, bool) {
        let start = self.at + 1;
        let mut end = start;
        let mut is_escaped = false;
        let bytes = self.text.as_bytes();
        while let Some(found) = bytes.get(end..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
            end += found;
            if bytes.get(end) == Some(&b'"') {
                break;
            }
            is_escaped = true;
            end += 2;
        }
        let raw = self.text.get(start..end).unwrap_or_default();
        self.at = start + raw.len() + 1;
        (start, raw, is_escaped)
    }

    fn is_key(&self) -> bool {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
    }

    /// Notes a key; `None` when it is one of the host's words.
    fn key(&mut self, raw: &'t str, is_escaped: bool) -> Option<LeafField<'t>> {
        if let Some(step) = self.pointer.as_mut().and_then(|steps| steps.last_mut()) {
            *step = Step::Key(raw);
        }
        let name = || if is_escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) };
        match (self.depth, self.member) {
            (1, _) => {
                let name = name();
                self.attribute = None;
                self.is_id = false;
                if name == "attributes" {
                    self.member = Member::Attributes;
                    return None;
                }
                let known = MEMBERS.iter().find(|(member, ..)| *member == name);
                self.member = known.map_or(Member::Extra(raw), |(_, field, part)| Member::Fixed(field, *part));
                known.is_none().then_some(LeafField::Fixed("event"))
            }
            (2, Member::Attributes) => {
                self.attribute = Some(raw);
                self.is_id = ID_ATTRIBUTES.contains(&&*name());
                Some(LeafField::Fixed("event.attributes"))
            }
            _ => Some(self.field()),
        }
    }

    fn field(&self) -> LeafField<'t> {
        match (self.member, self.attribute) {
            (Member::Fixed(name, _), _) => LeafField::Fixed(name),
            (Member::Attributes, Some(key)) => LeafField::Attribute(key),
            (Member::Attributes, None) => LeafField::Fixed("event.attributes"),
            (Member::Extra(key), _) => LeafField::Extra(key),
        }
    }

    fn part(&self) -> LeafPart {
        match self.member {
            Member::Fixed(_, part) if self.depth == 1 => part,
            Member::Attributes if self.depth == 2 && self.is_id => LeafPart::Id,
            _ => LeafPart::Value,
        }
    }

    fn pointer(&self) -> Option<Box<str>> {
        let steps = self.pointer.as_ref()?;
        let mut pointer = String::new();
        for step in steps {
            pointer.push('/');
            match step {
                Step::Index(index) => pointer.push_str(&index.to_string()),
                Step::Key(raw) => pointer.push_str(&unescape(raw).replace('~', "~0").replace('/', "~1")),
            }
        }
        Some(pointer.into())
    }
}

impl<'t> Iterator for Leaves<'t> {
    type Item = Found<'t>;

    fn next(&mut self) -> Option<Found<'t>> {
        loop {
            match self.text.as_bytes().get(self.at)? {
                b'{' => self.open(false),
                b'[' => self.open(true),
                b'}' | b']' => self.close(),
                b',' => self.comma(),
                b'"' => {
                    let (at, raw, is_escaped) = self.string();
                    let (field, part) = match self.is_key() {
                        true => match self.key(raw, is_escaped) {
                            Some(field) => (field, LeafPart::Key),
                            None => continue,
                        },
                        false => (self.field(), self.part()),
                    };
                    let leaf = Leaf { row: self.row, field, part, raw, is_escaped, pointer: self.pointer() };
                    return Some(Found { leaf, at, depth: self.depth });
                }
                _ => {}
            }
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<(String, LeafPart, String, String)> {
        let all = Leaves::new(text, 0, true).map(|found| {
            assert_eq!(text.get(found.at..found.at + found.leaf.raw.len()), Some(found.leaf.raw));
            let leaf = found.leaf;
            (leaf.field.name().into_owned(), leaf.part, leaf.text().into_owned(), leaf.pointer.unwrap_or_default().into())
        });
        all.collect()
    }

    fn row(field: &str, part: LeafPart, text: &str, pointer: &str) -> (String, LeafPart, String, String) {
        (field.into(), part, text.into(), pointer.into())
    }

    #[test]
    fn reads_every_string_with_its_place() {
        use LeafPart::{Id, Key, Name, Value};
        let text = r#" {"name" : "llm.x","tr\u0061ce_id":"t","attributes":{"session.id":"s","a\"b":[1,"x\n",{"k~/":"v"}],"n":null}, "own":{"in":"o"}} "#;
        assert_eq!(
            list(text),
            [
                row("event.name", Name, "llm.x", "/name"),
                row("event.trace_id", Id, "t", "/trace_id"),
                row("event.attributes", Key, "session.id", "/attributes/session.id"),
                row(r#"attributes["session.id"]"#, Id, "s", "/attributes/session.id"),
                row("event.attributes", Key, "a\"b", "/attributes/a\"b"),
                row(r#"attributes["a\"b"]"#, Value, "x\n", "/attributes/a\"b/1"),
                row(r#"attributes["a\"b"]"#, Key, "k~/", "/attributes/a\"b/2/k~0~1"),
                row(r#"attributes["a\"b"]"#, Value, "v", "/attributes/a\"b/2/k~0~1"),
                row("event.attributes", Key, "n", "/attributes/n"),
                row("event", Key, "own", "/own"),
                row(r#"extra["own"]"#, Key, "in", "/own/in"),
                row(r#"extra["own"]"#, Value, "o", "/own/in"),
            ]
        );
        assert_eq!(list(r#""alone""#), [row("event", Value, "alone", "")]);
        assert_eq!(list(r#"["a",["b"]]"#), [row("event", Value, "a", "/0"), row("event", Value, "b", "/1/0")]);
        assert!(list("").is_empty() && list("12").is_empty());
    }
}
