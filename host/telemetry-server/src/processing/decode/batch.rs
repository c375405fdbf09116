//! Where the events of a batch stand in its text.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::refusal::{Refusal, RefusalKind};

/// The places of the items of `{"events": [..]}` or `[..]`.
///
/// # Errors
/// `not-a-batch`, `truncated`, `invalid-json`, `too-many-events`.
pub(super) fn ranges(text: &str, max_events: usize) -> Result<Vec<Range<usize>>, Refusal> {
    let body = text.trim_ascii_start();
    let items = match body.as_bytes().first() {
        Some(b'[') => list(body, max_events)?,
        Some(b'{') => {
            let mut parser = serde_json::Deserializer::from_str(text);
            let events = parser.deserialize_map(EventsMember).map_err(|error| Refusal::syntax(&error))?;
            parser.end().map_err(|error| Refusal::syntax(&error))?;
            match events {
                Some(list_text) if list_text.get().starts_with('[') => list(list_text.get(), max_events)?,
                Some(_) => return Err(not_a_batch("`events` is not an array")),
                None => return Err(not_a_batch("`events` is missing")),
            }
        }
        _ => {
            serde_json::from_str::<&RawValue>(text).map_err(|error| Refusal::syntax(&error))?;
            return Err(not_a_batch("the body is neither"));
        }
    };
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

fn list(text: &str, max_events: usize) -> Result<Vec<&RawValue>, Refusal> {
    let mut parser = serde_json::Deserializer::from_str(text);
    let (items, total) = parser.deserialize_seq(Items { max_events }).map_err(|error| Refusal::syntax(&error))?;
    parser.end().map_err(|error| Refusal::syntax(&error))?;
    if total > max_events {
        let message = format!("a batch holds at most {max_events} events, this one has {total}");
        return Err(Refusal::new(RefusalKind::TooMany, "too-many-events", message));
    }
    Ok(items)
}

/// Keeps the first items and counts all.
struct Items {
    max_events: usize,
}

impl<'de> Visitor<'de> for Items {
    type Value = (Vec<&'de RawValue>, usize);

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
struct EventsMember;

impl<'de> Visitor<'de> for EventsMember {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut events = None;
        while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            if key == "events" {
                events = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(events)
    }
}
