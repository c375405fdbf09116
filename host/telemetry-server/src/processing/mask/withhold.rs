//! What is kept of an event that a masker could not see to: its time, ids, name, level, numbers and known metadata.

use std::borrow::Cow;

use telemetry_model::field::Class;
use telemetry_model::{DigestKey, Field, Flag};
use telemetry_plugins::{LeafField, LeafPart};

use super::leaves::{Found, Leaves};
use super::splice::push_mark;

/// A fact is no longer than this, bytes.
const MAX_FACT: usize = 256;

/// Keys of attributes that the host reads although what they hold is content.
const KNOWN_KEYS: &[&str] = &[
    "agent.id",
    "error.message",
    "llm.name",
    "llm.request.data",
    "llm.response.content",
    "llm.response.data",
    "llm.status",
    "security.content_sample",
    "security.description",
    "security.keywords",
    "session.id",
    "tool.args",
    "tool.call.inputs",
    "tool.error",
    "tool.error_type",
    "tool.input",
    "tool.kwargs",
    "tool.params",
    "tool.result",
    "user.id",
];

/// The event's JSON with every text that is no fact withheld, and the flag that says so.
pub(super) fn withhold(text: &str, plugin: &str, key: &DigestKey) -> (String, Flag) {
    let mut out = String::with_capacity(text.len() / 2);
    let (mut copied, mut texts, mut bytes) = (0, 0_usize, 0_usize);
    for found in Leaves::new(text, 0, false) {
        if is_fact(&found) {
            continue;
        }
        out.push_str(text.get(copied..found.at).unwrap_or_default());
        out.push_str("[withheld:");
        out.push_str(plugin);
        out.push(']');
        if found.leaf.part != LeafPart::Value {
            push_mark(&found.leaf, key, &mut out);
        }
        copied = found.at + found.leaf.raw.len();
        texts += 1;
        bytes += found.leaf.raw.len();
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    let message = format!("{texts} texts of {bytes} bytes, digest of the event {}", key.digest(text.as_bytes()));
    (out, Flag { code: Cow::Owned(code(plugin)), field: None, message: message.into() })
}

/// The flag of an event that `plugin` could not mask.
pub(super) fn code(plugin: &str) -> String {
    format!("withheld:{plugin}")
}

fn is_fact(found: &Found<'_>) -> bool {
    let leaf = &found.leaf;
    if leaf.raw.len() > MAX_FACT {
        return false;
    }
    let attribute = |raw: &str| !raw.contains('\\') && Field::Attribute(raw.into()).class() == Class::Metadata;
    match (leaf.part, leaf.field) {
        (LeafPart::Id | LeafPart::Name, _) => true,
        (LeafPart::Key, LeafField::Fixed("event.attributes")) => KNOWN_KEYS.contains(&leaf.raw) || attribute(leaf.raw),
        (LeafPart::Key, _) => false,
        (LeafPart::Value, LeafField::Fixed(name)) => found.depth == 1 && name != "event",
        (LeafPart::Value, LeafField::Attribute(key)) => found.depth == 2 && attribute(key),
        (LeafPart::Value, LeafField::Extra(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_facts_and_nothing_else() {
        let text = r#"{"name":"llm.call.start","timestamp":"2026-11-23T08:00:00Z","trace_id":"t","level":"INFO","mine":"x","attributes":{"session.id":"s","llm.model":"m","llm.request.data":{"messages":[{"role":"user","n":1}]},"some key":true,"llm.usage.input_tokens":7}}"#;
        let (out, flag) = withhold(text, "p", &DigestKey::new([1; 32]));
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        for (member, kept) in [("name", "llm.call.start"), ("timestamp", "2026-11-23T08:00:00Z"), ("trace_id", "t"), ("level", "INFO")] {
            assert_eq!(json[member], kept);
        }
        let attributes = json["attributes"].as_object().unwrap();
        assert_eq!((&attributes["session.id"], &attributes["llm.model"]), (&"s".into(), &"m".into()));
        assert_eq!(attributes["llm.usage.input_tokens"], 7);
        for gone in ["user", "role", "some key", "mine", "\"x\"", "messages"] {
            assert!(!out.contains(gone), "{gone}: {out}");
        }
        assert_eq!((&*flag.code, attributes.len()), ("withheld:p", 5));
        assert!(flag.message.starts_with("7 texts of "), "{}", flag.message);
    }
}
