//! The messages of a request and their digests: the same message has the same digest in whatever form it was sent.
//!
//! A message's canonical form is its role, its content as a list of parts and its other members. A string is a list of one text
//! part; members that are null and the marks of prompt caching say nothing of the message and are left out.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use telemetry_model::{DigestKey, JsonKind, JsonText};

use super::python;

/// What a request's data says.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub model: Option<Box<str>>,
    pub messages: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct RequestMembers<'a> {
    #[serde(borrow, default)]
    model: Option<&'a RawValue>,
    #[serde(borrow, default)]
    messages: Option<&'a RawValue>,
}

/// Reads `llm.request.data`: an object, or the text of one as JSON or as Python prints it; its messages likewise.
/// `None` when it cannot be read.
pub(super) fn request(data: &JsonText) -> Option<Request> {
    match data.kind() {
        JsonKind::Object => match serde_json::from_str::<RequestMembers<'_>>(data.as_str()) {
            Ok(members) => Some(Request {
                model: members.model.and_then(|model| JsonText::from(model).as_text().map(Into::into)),
                messages: match members.messages {
                    Some(list) => Some(message_list(serde_json::from_str(list.get()).ok()?)?),
                    None => None,
                },
            }),
            // A member came twice: the last wins, as everywhere.
            Err(_) => from_value(serde_json::from_str(data.as_str()).ok()?),
        },
        JsonKind::String => from_value(literal(&data.as_text()?)?),
        JsonKind::Array => from_value(serde_json::from_str(data.as_str()).ok()?),
        _ => None,
    }
}

fn from_value(value: Value) -> Option<Request> {
    match value {
        Value::Object(mut members) => Some(Request {
            model: members.get("model").and_then(Value::as_str).map(Into::into),
            messages: match members.remove("messages") {
                Some(list) => Some(message_list(list)?),
                None => None,
            },
        }),
        Value::Array(list) => Some(Request { model: None, messages: Some(list) }),
        _ => None,
    }
}

fn message_list(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(list) => Some(list),
        Value::String(text) => match literal(&text)? {
            Value::Array(list) => Some(list),
            _ => None,
        },
        _ => None,
    }
}

/// Text that a masker has left of a list or an object.
fn literal(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().or_else(|| python::literal(text))
}

/// A short keyed digest of each message, in order.
pub(super) fn digests(messages: &[Value], key: &DigestKey) -> Vec<u64> {
    messages.iter().map(|message| key.digest(&canonical(message)).short()).collect()
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
