//! Decoded and normalized events as the component host reads them.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use telemetry_model::{Attributes, Event, Family, Field, JsonKind, JsonText, Member, RawEvent, Relation, Rows, Timestamp, Value};
use telemetry_store::kept_place;

/// Events as validators see them: as sent, save what the store does not keep apart.
pub(crate) struct RawRows<'a>(pub Vec<(&'a RawEvent, u64)>);

/// Events as enrichers see them: normalized.
pub(crate) struct EventRows<'a>(pub Vec<(&'a Event, u64)>);

/// Who sent an event, hashed.
pub(super) fn source(peer: &str, agent: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (peer, agent).hash(&mut hasher);
    hasher.finish()
}

impl Rows for RawRows<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn family(&self, row: usize) -> Family {
        self.0.get(row).map_or(Family::Other, |(event, _)| event.family())
    }

    fn value(&self, row: usize, field: &Field) -> Value<'_> {
        self.0.get(row).map_or(Value::Absent, |(event, _)| raw_value(event, field))
    }

    fn source(&self, row: usize) -> u64 {
        self.0.get(row).map_or(0, |(_, source)| *source)
    }
}

impl Rows for EventRows<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn family(&self, row: usize) -> Family {
        self.0.get(row).map_or(Family::Other, |(event, _)| event.family())
    }

    fn value(&self, row: usize, field: &Field) -> Value<'_> {
        self.0.get(row).map_or(Value::Absent, |(event, _)| event_value(event, field))
    }

    fn source(&self, row: usize) -> u64 {
        self.0.get(row).map_or(0, |(_, source)| *source)
    }
}

fn raw_value<'a>(event: &'a RawEvent, field: &Field) -> Value<'a> {
    let name = match field {
        Field::Attribute(key) => return event.attributes.get(key).map_or(Value::Absent, json),
        Field::Fixed(Relation::Events, name) => *name,
        Field::Fixed(..) => return Value::Absent,
    };
    match name {
        "timestamp" => match event.timestamp.text().map(Timestamp::parse) {
            Some(Ok(time)) => Value::Time(time.0),
            _ => member(&event.timestamp),
        },
        "name" => member(&event.name),
        "level" => level(&event.level),
        "schema_version" => member(&event.schema_version),
        "trace_id" => member(&event.trace_id),
        "span_id" => member(&event.span_id),
        "parent_span_id" => member(&event.parent_span_id),
        "agent_id" => given(&event.agent_id),
        "channel" => member(&event.channel),
        "session_id" => event.session_id().map_or(Value::Absent, Value::Text),
        "attributes" if event.attributes_member.is_given() => member(&event.attributes_member),
        _ => counted(name, event.family(), event.size, &event.attributes),
    }
}

fn event_value<'a>(event: &'a Event, field: &Field) -> Value<'a> {
    let name = match field {
        Field::Attribute(key) => return event.attributes.get(key).map_or(Value::Absent, json),
        Field::Fixed(Relation::Events, name) => *name,
        Field::Fixed(..) => return Value::Absent,
    };
    match name {
        "timestamp" => Value::Time(event.timestamp.0),
        "name" => text(&event.name),
        "level" => text(event.level.as_str()),
        "schema_version" => optional(event.schema_version.as_deref()),
        "trace_id" => optional(event.trace_id.as_deref()),
        "span_id" => optional(event.span_id.as_deref()),
        "parent_span_id" => optional(event.parent_span_id.as_deref()),
        "agent_id" => text(&event.agent_id),
        "channel" => optional(event.channel.as_deref()),
        "session_id" => optional(event.session_id.as_deref()),
        _ => counted(name, event.family(), event.size, &event.attributes),
    }
}

/// Fields that are found out, not sent.
fn counted<'a>(name: &str, family: Family, size: u32, attributes: &Attributes) -> Value<'a> {
    match name {
        "family" => text(family.as_str()),
        "size" => Value::Integer(i64::from(size)),
        "attribute_count" => i64::try_from(attributes.len()).map_or(Value::Absent, Value::Integer),
        "attributes" => Value::Json(Cow::Owned(object(attributes))),
        _ => Value::Absent,
    }
}

/// In the order in which the store gives them back, so that what a plugin was handed can be made again.
fn object(attributes: &Attributes) -> String {
    let (mut size, mut places) = (2, Vec::with_capacity(attributes.len()));
    for (key, value) in attributes.iter() {
        size += key.len() + value.as_str().len() + 4;
        places.push(kept_place(key));
    }
    let mut out = String::with_capacity(size);
    out.push('{');
    for place in 0..3 {
        for ((key, value), _) in attributes.iter().zip(&places).filter(|(_, of_this)| **of_this == place) {
            if out.len() > 1 {
                out.push(',');
            }
            JsonText::write_string(key, &mut out);
            out.push(':');
            out.push_str(value.as_str());
        }
    }
    out.push('}');
    out
}

/// As it is stored, upper case; an empty one is none.
fn level(member: &Member) -> Value<'_> {
    match given(member) {
        Value::Text(text) if text.chars().any(char::is_lowercase) => Value::Text(Cow::Owned(text.to_uppercase())),
        other => other,
    }
}

/// An empty text is none: the store keeps no difference.
fn given(value: &Member) -> Value<'_> {
    match value {
        Member::Text(text) if text.is_empty() => Value::Absent,
        value => member(value),
    }
}

fn text(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

fn optional(text: Option<&str>) -> Value<'_> {
    text.map_or(Value::Absent, |text| Value::Text(Cow::Borrowed(text)))
}

fn member(member: &Member) -> Value<'_> {
    match member {
        Member::Absent | Member::Null => Value::Absent,
        Member::Text(text) => Value::Text(Cow::Borrowed(text)),
        Member::Other(value) => json(value),
    }
}

pub(crate) fn json(value: &JsonText) -> Value<'_> {
    let whole = || Value::Json(Cow::Borrowed(value.as_str()));
    match value.kind() {
        JsonKind::Null => Value::Absent,
        JsonKind::Boolean => value.as_boolean().map_or_else(whole, Value::Boolean),
        JsonKind::Integer => value.as_integer().map_or_else(whole, Value::Integer),
        JsonKind::Real => value.as_real().map_or_else(whole, Value::Real),
        JsonKind::String => value.as_text().map_or_else(whole, Value::Text),
        JsonKind::Array | JsonKind::Object => whole(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::{Shape, decode};
    use super::super::normalize::normalize;
    use super::*;
    use telemetry_model::DigestKey;

    const BODY: &str = r#"{"name":"llm.x","timestamp":"2026-11-23T08:00:00Z","level":"info","span_id":4,"attributes":{"i":1,"r":1.5,"b":true,"n":null,"t":"\u00e9","l":[1],"big":1e999,"session.id":"s"}}"#;

    fn read<'a>(value: impl Fn(&Field) -> Value<'a>, name: &str) -> Value<'a> {
        value(&Field::parse(name, Relation::Events).unwrap())
    }

    #[test]
    fn values_have_the_types_that_were_sent() {
        let raw = decode(BODY.as_bytes(), Shape::Single).unwrap().items.pop().unwrap().0.unwrap();
        let event = normalize(raw.clone(), &DigestKey::new([0; 32])).unwrap().event;
        let (raws, events) = (RawRows(vec![(&raw, 1)]), EventRows(vec![(&event, 1)]));
        for (name, value) in [
            (r#"attributes["i"]"#, Value::Integer(1)),
            (r#"attributes["r"]"#, Value::Real(1.5)),
            (r#"attributes["b"]"#, Value::Boolean(true)),
            (r#"attributes["n"]"#, Value::Absent),
            (r#"attributes["none"]"#, Value::Absent),
            (r#"attributes["t"]"#, text("\u{e9}")),
            (r#"attributes["l"]"#, Value::Json("[1]".into())),
            (r#"attributes["big"]"#, Value::Json("1e999".into())),
            ("event.timestamp", Value::Time(1_795_420_800_000_000_000)),
            ("event.family", text("llm")),
            ("event.session_id", text("s")),
            ("event.attribute_count", Value::Integer(8)),
        ] {
            assert_eq!(read(|field| raws.value(0, field), name), value, "{name}");
            assert_eq!(read(|field| events.value(0, field), name), value, "{name}");
        }
        assert_eq!(read(|field| raws.value(0, field), "event.span_id"), Value::Integer(4));
        assert_eq!(read(|field| events.value(0, field), "event.span_id"), Value::Absent);
        assert_eq!(read(|field| events.value(0, field), "event.level"), text("INFO"));
        let Value::Json(all) = read(|field| events.value(0, field), "event.attributes") else { panic!("no attributes") };
        assert!(all.starts_with(r#"{"i":1,"r":1.5"#) && JsonText::parse(&all).is_ok());
    }
}
