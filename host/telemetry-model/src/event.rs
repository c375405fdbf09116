//! An event before and after normalization.

use std::borrow::Cow;
use std::fmt;

use crate::field::Family;
use crate::json::JsonText;
use crate::time::Timestamp;

/// One member of an event's envelope as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Member {
    /// Not there.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// A string, unescaped.
    Text(Box<str>),
    /// A value of another type.
    Other(JsonText),
}

impl Member {
    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        match self {
            Member::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Neither absent nor null.
    pub fn is_given(&self) -> bool {
        !matches!(self, Member::Absent | Member::Null)
    }
}

/// A decoded event: JSON that can be trusted to be JSON, of which nothing else is known.
#[derive(Clone, Debug, Default)]
pub struct RawEvent {
    /// `schema_version`.
    pub schema_version: Member,
    /// `timestamp`.
    pub timestamp: Member,
    /// `trace_id`.
    pub trace_id: Member,
    /// `span_id`.
    pub span_id: Member,
    /// `parent_span_id`.
    pub parent_span_id: Member,
    /// `name`.
    pub name: Member,
    /// `level`.
    pub level: Member,
    /// `agent_id`.
    pub agent_id: Member,
    /// `channel`.
    pub channel: Member,
    /// `idempotency_key`.
    pub idempotency_key: Member,
    /// `attributes`: empty when absent, null or of another type (`attributes_member` then tells).
    pub attributes: Attributes,
    /// `attributes` when it was not an object.
    pub attributes_member: Member,
    /// Other members of the envelope.
    pub extra: Attributes,
    /// What decoding had to mend (`duplicate-key`, `lone-surrogate`, `not-a-number`, ..).
    pub flags: Vec<Flag>,
    /// Bytes of the event's JSON text as sent.
    pub size: u32,
}

impl RawEvent {
    /// The family by name; [`Family::Other`] without one.
    pub fn family(&self) -> Family {
        self.name.text().map_or(Family::Other, Family::of)
    }

    /// The session: the attribute `session.id` when it is a string.
    pub fn session_id(&self) -> Option<Cow<'_, str>> {
        self.attributes.get("session.id").and_then(JsonText::as_text).filter(|id| !id.is_empty())
    }
}

/// Attributes in the order sent, keys unique.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(Vec<(Box<str>, JsonText)>);

impl Attributes {
    /// Adds or replaces; true when the key was there.
    pub fn set(&mut self, key: Box<str>, value: JsonText) -> bool {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => {
                *old = value;
                true
            }
            None => {
                self.0.push((key, value));
                false
            }
        }
    }

    /// Takes pairs whose keys the caller has made unique.
    pub fn from_unique(pairs: Vec<(Box<str>, JsonText)>) -> Self {
        Attributes(pairs)
    }

    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&JsonText> {
        // Most keys differ in length or in the last byte, which is cheaper to see than to compare all.
        let (length, last) = (key.len(), key.as_bytes().last());
        let is_key = |known: &str| known.len() == length && known.as_bytes().last() == last && known == key;
        self.0.iter().find(|(known, _)| is_key(known)).map(|(_, value)| value)
    }

    /// Pairs in the order sent.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &JsonText)> {
        self.0.iter().map(|(key, value)| (&**key, value))
    }

    /// The pairs themselves, in the order sent.
    pub fn into_pairs(self) -> Vec<(Box<str>, JsonText)> {
        self.0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The level of an event, upper case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Level(Box<str>);

impl Level {
    /// Upper-cases `text`.
    pub fn new(text: &str) -> Self {
        Level(text.to_uppercase().into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something odd about a stored event.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Flag {
    /// Stable, kebab-case.
    pub code: Cow<'static, str>,
    /// The field it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<Box<str>>,
    /// For people; empty when the code says it all.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub message: Box<str>,
}

impl Flag {
    /// A flag of the host's own.
    pub fn new(code: &'static str, field: impl Into<Option<Box<str>>>) -> Self {
        Flag { code: Cow::Borrowed(code), field: field.into(), message: "".into() }
    }
}

/// A normalized event: every member has its type, the time is known.
#[derive(Clone, Debug)]
pub struct Event {
    /// As sent; `None` when absent or not a string.
    pub schema_version: Option<Box<str>>,
    /// When it happened.
    pub timestamp: Timestamp,
    /// As sent, `null-trace` too.
    pub trace_id: Option<Box<str>>,
    /// As sent.
    pub span_id: Option<Box<str>>,
    /// As sent; not to be trusted for parentage.
    pub parent_span_id: Option<Box<str>>,
    /// Dotted.
    pub name: Box<str>,
    /// Upper case; `INFO` when absent.
    pub level: Level,
    /// `unknown-agent` when absent.
    pub agent_id: Box<str>,
    /// The attribute `session.id`.
    pub session_id: Option<Box<str>>,
    /// As sent.
    pub channel: Option<Box<str>>,
    /// Makes a repeat a duplicate, unique per agent.
    pub idempotency_key: Option<Box<str>>,
    /// As sent.
    pub attributes: Attributes,
    /// Other members of the envelope as sent.
    pub extra: Attributes,
    /// What was odd.
    pub flags: Vec<Flag>,
    /// Bytes as sent.
    pub size: u32,
}

impl Event {
    /// The family by name.
    pub fn family(&self) -> Family {
        Family::of(&self.name)
    }

    /// (trace, span) when both can pair events; `None` for null ids, empty ids and `null-trace`.
    pub fn pairing(&self) -> Option<(&str, &str)> {
        let trace = self.trace_id.as_deref().filter(|id| !id.is_empty() && *id != NULL_TRACE)?;
        let span = self.span_id.as_deref().filter(|id| !id.is_empty())?;
        Some((trace, span))
    }

    /// Level ERROR or CRITICAL, or a name ending in `.error`.
    pub fn is_error(&self) -> bool {
        matches!(self.level.as_str(), "ERROR" | "CRITICAL") || self.name.ends_with(".error")
    }
}

/// What the monitor sends for a trace that it has not got.
pub const NULL_TRACE: &str = "null-trace";
/// The agent of events that name none.
pub const UNKNOWN_AGENT: &str = "unknown-agent";
