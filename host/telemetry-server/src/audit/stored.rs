//! From what is stored back to what plugins were handed.
//!
//! A validator sees an event before it is normalized. Of that the store keeps all but the spelling of the level and whether an empty
//! agent was sent, and those are not handed over (`processing::rows`): values of a wrong type stand beside the envelope, under a flag.

use telemetry_model::event::Attributes;
use telemetry_model::{Event, Family, Field, JsonText, Level, Member, RawEvent, Rows, Value};
use telemetry_plugins::RowHasher;
use telemetry_store::{Provenance, StoredEvent};

use crate::processing::decode::{self, Shape};
use crate::processing::rows::{EventRows, RawRows, json};

/// An event as it was handed over.
pub(crate) enum Rebuilt {
    /// To validators.
    Raw(Box<RawEvent>),
    /// To enrichers, with what others wrote.
    Normalized(Box<Event>, Vec<(Box<str>, JsonText, Box<str>)>),
}

impl Rebuilt {
    /// As validators saw it.
    pub(crate) fn raw(stored: &StoredEvent) -> Option<Self> {
        let odd = Odd::of(stored)?;
        let attributes_member = odd.member("attributes-not-an-object", "attributes").map_or(Member::Absent, Member::Other);
        let absent = |field: &str, code: &str, value: Member| match odd.has(code, field) {
            true => odd.member("not-text", field).map_or(Member::Absent, Member::Other),
            false => value,
        };
        let text = |field: &str, value: &Option<String>| match value {
            Some(text) => Member::Text(text.as_str().into()),
            None => odd.member("not-text", field).map_or(Member::Absent, Member::Other),
        };
        let level = match odd.member("not-text", "level") {
            Some(value) => Member::Other(value),
            None => absent("level", "level-absent", Member::Text(stored.level.as_str().into())),
        };
        Some(Rebuilt::Raw(Box::new(RawEvent {
            schema_version: text("schema_version", &stored.schema_version),
            timestamp: Member::Text(stored.timestamp.to_string().into()),
            trace_id: text("trace_id", &stored.trace_id),
            span_id: text("span_id", &stored.span_id),
            parent_span_id: text("parent_span_id", &stored.parent_span_id),
            name: Member::Text(stored.name.as_str().into()),
            level,
            agent_id: absent("agent_id", "agent-id-absent", Member::Text(stored.agent_id.as_str().into())),
            channel: text("channel", &stored.channel),
            idempotency_key: Member::Absent,
            attributes: attributes(stored),
            attributes_member,
            extra: Attributes::default(),
            flags: Vec::new(),
            size: u32::try_from(stored.size).unwrap_or(u32::MAX),
        })))
    }

    /// As validators saw what is in quarantine.
    pub(super) fn quarantined(body: &str) -> Option<Self> {
        let decoded = decode::decode(body.as_bytes(), Shape::Single).ok()?;
        let (event, _) = decoded.items.into_iter().next()?;
        Some(Rebuilt::Raw(Box::new(event.ok()?)))
    }

    /// As enrichers saw it.
    pub(super) fn normalized(stored: &StoredEvent, provenance: &Provenance) -> Self {
        let boxed = |text: &Option<String>| text.as_deref().map(Into::into);
        let event = Event {
            schema_version: boxed(&stored.schema_version),
            timestamp: stored.timestamp,
            trace_id: boxed(&stored.trace_id),
            span_id: boxed(&stored.span_id),
            parent_span_id: boxed(&stored.parent_span_id),
            name: stored.name.as_str().into(),
            level: Level::new(&stored.level),
            agent_id: stored.agent_id.as_str().into(),
            session_id: boxed(&stored.session_id),
            channel: boxed(&stored.channel),
            idempotency_key: None,
            attributes: attributes(stored),
            extra: Attributes::default(),
            flags: Vec::new(),
            size: u32::try_from(stored.size).unwrap_or(u32::MAX),
        };
        let writers = provenance.attributes.iter().map(|writer| writer.plugin.derivation.as_str().into());
        let derived = stored.derived.0.iter().zip(writers).map(|((key, value), writer)| (key.as_str().into(), value.clone(), writer));
        Rebuilt::Normalized(Box::new(event), derived.collect())
    }

    /// The event of [`Rebuilt::raw`].
    pub(crate) fn sent(&self) -> Option<&RawEvent> {
        match self {
            Rebuilt::Raw(event) => Some(event),
            Rebuilt::Normalized(..) => None,
        }
    }

    /// The hash of the row for the plugin of this `derivation`.
    pub(super) fn hash(&self, hasher: &RowHasher, derivation: &str) -> Option<telemetry_model::Digest> {
        let hashes = match self {
            Rebuilt::Raw(event) => hasher.rows(&RawRows(vec![(&**event, 0)])),
            Rebuilt::Normalized(event, derived) => {
                hasher.rows(&Overlaid { rows: EventRows(vec![(&**event, 0)]), derived, reader: derivation })
            }
        };
        hashes.ok()?.pop()
    }

    /// What the plugin of this `derivation` wrote: keys and values in turn.
    pub(super) fn written<'a>(&'a self, derivation: &'a str) -> impl Iterator<Item = &'a str> {
        let derived = match self {
            Rebuilt::Raw(_) => &[][..],
            Rebuilt::Normalized(_, derived) => derived.as_slice(),
        };
        derived.iter().filter(move |(_, _, writer)| **writer == *derivation).flat_map(|(key, value, _)| [&**key, value.as_str()])
    }
}

fn attributes(stored: &StoredEvent) -> Attributes {
    Attributes::from_unique(stored.attributes.0.iter().map(|(key, value)| (key.as_str().into(), value.clone())).collect())
}

/// Flags of an event, and the values that they are about.
struct Odd {
    flags: Vec<(String, Option<String>)>,
    texts: Vec<(String, JsonText)>,
}

impl Odd {
    /// `None` when there were more flags than are kept.
    fn of(stored: &StoredEvent) -> Option<Self> {
        #[derive(serde::Deserialize)]
        struct Flag {
            code: String,
            field: Option<String>,
        }
        let flags: Vec<Flag> = serde_json::from_str(stored.flags.as_str()).ok()?;
        if flags.iter().any(|flag| flag.code == "more-flags") {
            return None;
        }
        let extra = stored.extra.as_ref().map_or("{}", JsonText::as_str);
        let raw: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> = serde_json::from_str(extra).ok()?;
        Some(Odd {
            flags: flags.into_iter().map(|flag| (flag.code, flag.field)).collect(),
            texts: raw.into_iter().map(|(key, value)| (key, JsonText::from(value))).collect(),
        })
    }

    fn has(&self, code: &str, field: &str) -> bool {
        self.flags.iter().any(|(known, of)| known == code && of.as_deref() == Some(field))
    }

    /// The value that was kept beside the envelope under such a flag.
    fn member(&self, code: &str, field: &str) -> Option<JsonText> {
        let value = self.texts.iter().find(|(key, _)| key == field).map(|(_, value)| value.clone());
        value.filter(|_| self.has(code, field))
    }
}

/// An event with what other plugins than the reader wrote.
struct Overlaid<'a> {
    rows: EventRows<'a>,
    derived: &'a [(Box<str>, JsonText, Box<str>)],
    reader: &'a str,
}

impl Rows for Overlaid<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn family(&self, row: usize) -> Family {
        self.rows.family(row)
    }

    fn value(&self, row: usize, field: &Field) -> Value<'_> {
        let sent = self.rows.value(row, field);
        let (Value::Absent, Field::Attribute(key)) = (&sent, field) else { return sent };
        let others = self.derived.iter().find(|(known, _, writer)| known == key && **writer != *self.reader);
        others.map_or(Value::Absent, |(_, value, _)| json(value))
    }

    fn source(&self, row: usize) -> u64 {
        self.rows.source(row)
    }
}
