//! `[rule]` as TOML has it.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use toml::Spanned;

/// A table of expressions by key, or a list of checks.
#[derive(Debug)]
pub(crate) enum RawRule {
    /// In the order of the file.
    Keys(Vec<(String, Spanned<String>)>),
    Checks(Vec<RawCheck>),
}

/// One `[[rule]]` of a validator.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCheck {
    pub(super) when: Option<Spanned<String>>,
    pub(super) expect: Option<Spanned<String>>,
    pub(super) field: Option<String>,
    pub(super) code: String,
    pub(super) message: Option<String>,
    #[serde(default)]
    pub(super) severity: Severity,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    #[default]
    Flag,
    Reject,
}

impl<'de> Deserialize<'de> for RawRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RuleVisitor)
    }
}

struct RuleVisitor;

impl<'de> Visitor<'de> for RuleVisitor {
    type Value = RawRule;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of expressions by key, or of a validator tables [[rule]]")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawRule, A::Error> {
        let mut keys = Vec::new();
        while let Some((key, node)) = map.next_entry::<String, Spanned<Node>>()? {
            flatten(key, node, &mut keys);
        }
        keys.sort_by_key(|(_, rule)| rule.span().start);
        if keys.is_empty() { Err(A::Error::custom("[rule] is empty")) } else { Ok(RawRule::Keys(keys)) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawRule, A::Error> {
        let mut checks = Vec::new();
        while let Some(check) = seq.next_element()? {
            checks.push(check);
        }
        if checks.is_empty() { Err(A::Error::custom("there is no [[rule]]")) } else { Ok(RawRule::Checks(checks)) }
    }
}

/// A key with dots makes tables within tables.
enum Node {
    Rule(String),
    Table(Vec<(String, Spanned<Node>)>),
}

fn flatten(key: String, node: Spanned<Node>, keys: &mut Vec<(String, Spanned<String>)>) {
    let span = node.span();
    match node.into_inner() {
        Node::Rule(rule) => keys.push((key, Spanned::new(span, rule))),
        Node::Table(inner) => inner.into_iter().for_each(|(part, node)| flatten(format!("{key}.{part}"), node, keys)),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an expression in quotes")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Rule(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut inner = Vec::new();
        while let Some(entry) = map.next_entry()? {
            inner.push(entry);
        }
        Ok(Node::Table(inner))
    }
}
