//! Where the events of a batch stand in its text.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::refusal::{Refusal, RefusalKind};

/// The places of the items of `{"events": [..]}` or `[..]`.
///
/// # Errors
/// `not-a-batch`, `truncated`, `invalid-json`, `too-many-events`.
pub(super) fn ranges(text: &str, max_events: usize) -> Result<Vec<Range<usize>>, Refusal> {
    let body = text.trim_ascii_start();
    let items = match body.as_bytes().first() {
        Some(b'[') => parse(text, Items { max_events }).map_err(|error| Refusal::syntax(&error))?,
        Some(b'{') => match parse(text, EventsMember { max_events }) {
            Ok(Some(events)) => events,
            Ok(None) => return Err(not_a_batch("`events` is missing")),
            Err(_) if is_json(text)? => return Err(not_a_batch("`events` is not an array")),
            Err(error) => return Err(Refusal::syntax(&error)),
        },
        _ => {
            is_json(text)?;
            return Err(not_a_batch("the body is neither"));
        }
    };
    let (items, total) = items;
    if total > max_events {
        let message = format!("a batch holds at most {max_events} events, this one has {total}");
        let mut refusal = Refusal::new(RefusalKind::TooMany, "too-many-events", message);
        refusal.reason.field = Some("events".into());
        return Err(refusal);
    }
    let base = text.as_ptr() as usize;
    let place = |item: &&RawValue| {
        let start = (item.get().as_ptr() as usize).saturating_sub(base);
        start..start + item.get().len()
    };
    Ok(items.iter().map(place).collect())
}

fn not_a_batch(what: &str) -> Refusal {
    Refusal::malformed("not-a-batch", format!("a batch is {{\"events\": [..]}} or an array of events: {what}"))
}

/// True, or the error of the syntax.
fn is_json(text: &str) -> Result<bool, Refusal> {
    serde_json::from_str::<&RawValue>(text).map(|_| true).map_err(|error| Refusal::syntax(&error))
}

/// The first items, and how many there are.
type Counted<'a> = (Vec<&'a RawValue>, usize);

/// Keeps the first items of an array and counts all.
#[derive(Clone, Copy)]
struct Items {
    max_events: usize,
}

impl<'de> DeserializeSeed<'de> for Items {
    type Value = Counted<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items {
    type Value = Counted<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        let mut total = 0;
        while let Some(item) = seq.next_element::<&RawValue>()? {
            total += 1;
            if total <= self.max_events {
                items.push(item);
            }
        }
        Ok((items, total))
    }
}

/// The last member `events` of an object.
#[derive(Clone, Copy)]
struct EventsMember {
    max_events: usize,
}

impl<'de> DeserializeSeed<'de> for EventsMember {
    type Value = Option<Counted<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EventsMember {
    type Value = Option<Counted<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut events = None;
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            if key == "events" {
                events = Some(map.next_value_seed(Items { max_events: self.max_events })?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(events)
    }
}

fn parse<'a, S: DeserializeSeed<'a>>(text: &'a str, seed: S) -> Result<S::Value, serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(text);
    let value = seed.deserialize(&mut parser)?;
    parser.end()?;
    Ok(value)
}
