//! The messages of a request and their digests: the same message has the same digest in whatever form it was sent.
//!
//! A message's canonical form is its role, its content as a list of parts and its other members. A string is a list of one text
//! part; members that are null and the marks of prompt caching say nothing of the message and are left out.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use telemetry_model::json::is_wide;
use telemetry_model::{DigestKey, JsonKind, JsonText};

use super::python;

/// Longer lists of messages are no history of an agent: they are not read.
const MOST_MESSAGES: usize = 1_000_000;

/// What a request's data says.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub model: Option<Box<str>>,
    /// A short keyed digest of each message, in order.
    pub messages: Option<Vec<u64>>,
}

#[derive(serde::Deserialize)]
struct RequestMembers<'a> {
    #[serde(borrow, default)]
    model: Option<&'a RawValue>,
    #[serde(borrow, default)]
    messages: Option<&'a RawValue>,
}

/// Reads `llm.request.data`: an object, or the text of one as JSON or as Python prints it; its messages likewise.
/// `None` when it cannot be read.
pub(super) fn request(data: &JsonText, key: &DigestKey) -> Option<Request> {
    match data.kind() {
        JsonKind::Object | JsonKind::Array => from_json(data.as_str(), key),
        JsonKind::String => {
            let text = data.as_text()?;
            if serde_json::from_str::<&RawValue>(&text).is_ok() {
                return from_json(text.trim_ascii(), key);
            }
            match literal(&text)? {
                Value::Object(mut members) => Some(Request {
                    model: members.get("model").and_then(Value::as_str).map(Into::into),
                    messages: match members.remove("messages") {
                        Some(Value::String(text)) => Some(from_text(&text, key)?),
                        Some(Value::Array(list)) => Some(digests(&list, key)),
                        Some(_) => return None,
                        None => None,
                    },
                }),
                Value::Array(list) => Some(Request { model: None, messages: Some(digests(&list, key)) }),
                _ => None,
            }
        }
        _ => None,
    }
}

fn from_json(json: &str, key: &DigestKey) -> Option<Request> {
    if !json.starts_with('{') {
        return Some(Request { model: None, messages: Some(from_list(json, key)?) });
    }
    let RequestMembers { model, messages } = match serde_json::from_str(json) {
        Ok(members) => members,
        // A member came twice: the last wins, as everywhere.
        Err(_) => {
            let members: HashMap<String, &RawValue> = serde_json::from_str(json).ok()?;
            RequestMembers { model: members.get("model").copied(), messages: members.get("messages").copied() }
        }
    };
    let messages = match messages.map(RawValue::get) {
        Some(text) if text.starts_with('"') => Some(from_text(&serde_json::from_str::<Cow<'_, str>>(text).ok()?, key)?),
        Some(list) => Some(from_list(list, key)?),
        None => None,
    };
    Some(Request { model: model.and_then(|model| JsonText::from(model).as_text().map(Into::into)), messages })
}

/// A list that a masker has left as its text.
fn from_text(text: &str, key: &DigestKey) -> Option<Vec<u64>> {
    from_list(text.trim_ascii(), key).or_else(|| match literal(text)? {
        Value::Array(list) => Some(digests(&list, key)),
        _ => None,
    })
}

/// What Python printed.
fn literal(text: &str) -> Option<Value> {
    (!is_wide(text)).then(|| python::literal(text)).flatten()
}

fn digests(messages: &[Value], key: &DigestKey) -> Vec<u64> {
    messages.iter().map(|message| key.digest(&canonical(message)).short()).collect()
}

/// The digests of a JSON list of messages, read one by one.
fn from_list(json: &str, key: &DigestKey) -> Option<Vec<u64>> {
    let mut parser = serde_json::Deserializer::from_str(json);
    let digests = parser.deserialize_seq(List { key }).ok()?;
    parser.end().ok()?;
    Some(digests)
}

struct List<'k> {
    key: &'k DigestKey,
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = Vec<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u64>, A::Error> {
        let mut digests = Vec::new();
        while let Some(message) = seq.next_element::<&RawValue>()? {
            if digests.len() == MOST_MESSAGES {
                return Err(serde::de::Error::custom("too many messages"));
            }
            digests.push(digest(message.get(), self.key));
        }
        Ok(digests)
    }
}

/// A message that no tree should be made of, or can be, counts as it was sent.
fn digest(message: &str, key: &DigestKey) -> u64 {
    let tree = if is_wide(message) { None } else { serde_json::from_str::<Value>(message).ok() };
    match tree {
        Some(message) => key.digest(&canonical(&message)).short(),
        None => key.digest_parts(&[b"w", message.as_bytes()]).short(),
    }
}

fn canonical(message: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let Value::Object(members) = message else {
        // A bare text or something else that is no message: itself.
        part(message, &mut out);
        return out;
    };
    field(b'r', members.get("role").and_then(Value::as_str).unwrap_or_default().as_bytes(), &mut out);
    match members.get("content") {
        None | Some(Value::Null) => {}
        Some(Value::Array(parts)) => parts.iter().for_each(|value| part(value, &mut out)),
        Some(value) => part(value, &mut out),
    }
    others(members, &["role", "content"], &mut out);
    out
}

/// One part of a content. The text of `"x"` and of `{"type": "text", "text": "x"}` is the same.
fn part(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => field(b't', text.as_bytes(), out),
        Value::Object(members) => match (members.get("type").and_then(Value::as_str), members.get("text")) {
            (Some("text" | "input_text" | "output_text"), Some(Value::String(text))) => {
                field(b't', text.as_bytes(), out);
                others(members, &["type", "text"], out);
            }
            _ => {
                out.push(b'{');
                others(members, &[], out);
                out.push(b'}');
            }
        },
        other => field(b'j', other.to_string().as_bytes(), out),
    }
}

/// Members by key, without those that say nothing.
fn others(members: &Map<String, Value>, except: &[&str], out: &mut Vec<u8>) {
    let mut rest: Vec<_> =
        members.iter().filter(|(key, value)| !except.contains(&key.as_str()) && !value.is_null() && *key != "cache_control").collect();
    rest.sort_unstable_by_key(|(key, _)| *key);
    for (key, value) in rest {
        field(b'k', key.as_bytes(), out);
        let text: Cow<'_, str> = match value {
            Value::String(text) => Cow::Borrowed(text),
            other => Cow::Owned(other.to_string()),
        };
        field(if value.is_string() { b's' } else { b'j' }, text.as_bytes(), out);
    }
}

/// A tag, a length and bytes, so that no two forms run together.
fn field(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
}
