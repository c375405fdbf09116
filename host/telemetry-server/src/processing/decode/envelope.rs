//! Strict JSON text of one event to a [`RawEvent`]; attribute values stay text.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use telemetry_model::{Attributes, JsonKind, JsonText, Member, RawEvent};

use super::super::flags;
use super::refusal::Refusal;
use super::scan;

/// Reads one event.
///
/// # Errors
/// `not-an-object`, `truncated`, `invalid-json`.
pub(super) fn read(text: &str) -> Result<RawEvent, Refusal> {
    let text = text.trim_ascii();
    let mut event = RawEvent { size: u32::try_from(text.len()).unwrap_or(u32::MAX), ..RawEvent::default() };
    let members = match parse(text, OnePass).or_else(|_| parse(text, TwoPasses)) {
        Ok(members) => members,
        Err(error) if text.starts_with('{') => return Err(Refusal::syntax(&error)),
        Err(_) => return Err(not_an_object(text)),
    };
    let mut extra = Vec::new();
    let mut has_attributes = false;
    for (key, part) in unique(members, &mut event, str::to_owned) {
        has_attributes |= &*key == "attributes" && !matches!(&part, Part::Raw(value) if kind(value) == JsonKind::Null);
        let value = match part {
            Part::Attributes(members) => {
                event.attributes = attributes(members, &mut event);
                event.attributes_member = Member::Absent;
                continue;
            }
            Part::Raw(value) => value,
        };
        let slot = match &*key {
            "schema_version" => &mut event.schema_version,
            "timestamp" => &mut event.timestamp,
            "trace_id" => &mut event.trace_id,
            "span_id" => &mut event.span_id,
            "parent_span_id" => &mut event.parent_span_id,
            "name" => &mut event.name,
            "level" => &mut event.level,
            "agent_id" => &mut event.agent_id,
            "channel" => &mut event.channel,
            "idempotency_key" => &mut event.idempotency_key,
            "attributes" if kind(value) == JsonKind::Object => {
                let members = parse(value.get(), ObjectOf).map_err(|error| Refusal::syntax(&error))?;
                event.attributes = attributes(members, &mut event);
                continue;
            }
            "attributes" => &mut event.attributes_member,
            _ => {
                let value = checked(value, &mut event, || key.to_string());
                extra.push((key.into(), value));
                continue;
            }
        };
        *slot = member(value);
    }
    if !has_attributes {
        flags::push(&mut event.flags, "attributes-absent", "attributes");
    }
    event.extra = Attributes::from_unique(extra);
    Ok(event)
}

/// An error that says what the text is instead of an object.
fn not_an_object(text: &str) -> Refusal {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(value) => Refusal::malformed("not-an-object", format!("an event is a JSON object, this is of type {}", kind(value).as_str())),
        Err(error) => Refusal::syntax(&error),
    }
}

fn attributes(members: Members<'_, &RawValue>, event: &mut RawEvent) -> Attributes {
    let pairs = unique(members, event, flags::attribute).into_iter().map(|(key, value)| {
        let value = checked(value, event, || flags::attribute(&key));
        (key.into(), value)
    });
    Attributes::from_unique(pairs.collect())
}

fn kind(value: &RawValue) -> JsonKind {
    telemetry_model::json::kind_of(value.get())
}

fn member(value: &RawValue) -> Member {
    let text = value.get();
    match kind(value) {
        JsonKind::Null => Member::Null,
        JsonKind::String => match plain(text) {
            Some(plain) => Member::Text(plain.into()),
            None => JsonText::from(value).as_text().map_or(Member::Null, |text| Member::Text(text.into())),
        },
        _ => Member::Other(JsonText::from(value)),
    }
}

/// The inner text of a string without escapes.
fn plain(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    memchr::memchr(b'\\', inner.as_bytes()).is_none().then_some(inner)
}

/// Keeps the spelling of a value, and flags one with a number in it that neither 64 bits nor a double can hold.
fn checked(value: &RawValue, event: &mut RawEvent, field: impl FnOnce() -> String) -> JsonText {
    let text = value.get();
    if !text.starts_with('"') && scan::has_number_beyond(text) {
        flags::push(&mut event.flags, "number-out-of-range", field());
    }
    JsonText::from(value)
}

/// Members of an object in order, duplicates included.
type Members<'a, V> = Vec<(Cow<'a, str>, V)>;

/// Each key once with its last value, at the place of its first; flags the event for keys that came twice.
fn unique<'a, V>(members: Members<'a, V>, event: &mut RawEvent, field: impl Fn(&str) -> String) -> Members<'a, V> {
    /// Up to here comparing each with each is cheaper than hashing.
    const FEW: usize = 32;
    if members.len() <= FEW && !has_duplicate(&members) {
        return members;
    }
    let mut places: HashMap<Cow<'a, str>, usize> = HashMap::with_capacity(members.len());
    let mut unique: Members<'a, V> = Vec::with_capacity(members.len());
    for (key, value) in members {
        match places.get(&key).and_then(|place| unique.get_mut(*place)) {
            Some(known) => {
                known.1 = value;
                flags::push(&mut event.flags, "duplicate-key", field(&key));
            }
            None => {
                places.insert(key.clone(), unique.len());
                unique.push((key, value));
            }
        }
    }
    unique
}

fn has_duplicate<V>(members: &[(Cow<'_, str>, V)]) -> bool {
    members.iter().enumerate().any(|(index, (key, _))| members.iter().take(index).any(|(known, _)| known == key))
}

/// A member of the envelope.
enum Part<'a> {
    Raw(&'a RawValue),
    Attributes(Members<'a, &'a RawValue>),
}

/// Reads an envelope in one pass, if its attributes are an object.
struct OnePass;

/// Reads an envelope whatever its attributes are.
struct TwoPasses;

impl<'de> Visitor<'de> for OnePass {
    type Value = Members<'de, Part<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(12);
        while let Some(Key(key)) = map.next_key()? {
            let part = match &*key {
                "attributes" => Part::Attributes(map.next_value_seed(ObjectOf)?),
                _ => Part::Raw(map.next_value()?),
            };
            members.push((key, part));
        }
        Ok(members)
    }
}

impl<'de> Visitor<'de> for TwoPasses {
    type Value = Members<'de, Part<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let members = ObjectOf.visit_map(map)?;
        Ok(members.into_iter().map(|(key, value)| (key, Part::Raw(value))).collect())
    }
}

/// An object with raw values.
struct ObjectOf;

impl<'de> DeserializeSeed<'de> for ObjectOf {
    type Value = Members<'de, &'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectOf {
    type Value = Members<'de, &'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(24);
        while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
            members.push((key, value));
        }
        Ok(members)
    }
}

fn parse<'a, V: Visitor<'a>>(text: &'a str, visitor: V) -> Result<V::Value, serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(text);
    let value = parser.deserialize_map(visitor)?;
    parser.end()?;
    Ok(value)
}

/// A key, borrowed when nothing in it is escaped.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Borrowed(key)))
    }

    fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(key.to_owned())))
    }
}
