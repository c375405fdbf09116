//! The members of the envelope: types, defaults, flags.

use telemetry_model::event::{NULL_TRACE, UNKNOWN_AGENT};
use telemetry_model::time::TimeError;
use telemetry_model::{Attributes, Event, Flag, JsonText, Level, Member, RawEvent, Reason, Timestamp};

use super::super::flags;

/// A longer id of an event is flagged, bytes.
const MAX_ID: usize = 256;
/// A longer key of an attribute or of another member is flagged, bytes.
const MAX_KEY: usize = 256;

/// With more attributes an event is kept in quarantine: the key of each takes a row of the database for good.
const MAX_ATTRIBUTES: usize = 100_000;

/// Types the envelope.
///
/// # Errors
/// Without a name or a readable timestamp, or with too many attributes: all reasons.
pub(super) fn event(raw: RawEvent) -> Result<Event, Vec<Reason>> {
    let (name, timestamp) = match (name(&raw.name), timestamp(&raw.timestamp), count(&raw.attributes)) {
        (Ok(name), Ok(timestamp), Ok(())) => (name, timestamp),
        (name, timestamp, count) => return Err(name.err().into_iter().chain(timestamp.err()).chain(count.err()).collect()),
    };
    let mut odd = Odd { flags: raw.flags, kept: Vec::new() };
    if is_naive(&raw.timestamp) {
        flags::push(&mut odd.flags, "timestamp-without-offset", "timestamp");
    }
    match &raw.schema_version {
        Member::Absent | Member::Null => flags::push(&mut odd.flags, "schema-version-absent", "schema_version"),
        Member::Text(version) if **version != *"1.0" => flags::push(&mut odd.flags, "schema-version-unknown", "schema_version"),
        _ => {}
    }
    if !raw.trace_id.is_given() || raw.trace_id.text().is_some_and(|trace| trace.is_empty() || trace == NULL_TRACE) {
        flags::push(&mut odd.flags, "trace-id-null", "trace_id");
    }
    if !raw.level.is_given() || raw.level.text() == Some("") {
        flags::push(&mut odd.flags, "level-absent", "level");
    }
    odd.keys(&raw.extra, str::to_owned);
    odd.keys(&raw.attributes, flags::attribute);
    let session_id = odd.attribute_text(&raw.attributes, "session.id");
    let agent_id = odd.agent(raw.agent_id, &raw.attributes);
    if let Some(value) = stray(raw.attributes_member) {
        flags::push(&mut odd.flags, "attributes-not-an-object", "attributes");
        odd.kept.push(("attributes".into(), value));
    }
    let level = odd.text("level", raw.level).filter(|level| !level.is_empty());
    let mut event = Event {
        schema_version: odd.text("schema_version", raw.schema_version),
        timestamp,
        trace_id: odd.text("trace_id", raw.trace_id),
        span_id: odd.text("span_id", raw.span_id),
        parent_span_id: odd.text("parent_span_id", raw.parent_span_id),
        name,
        level: Level::new(level.as_deref().unwrap_or("INFO")),
        agent_id,
        session_id,
        channel: odd.text("channel", raw.channel),
        idempotency_key: odd.idempotency_key(raw.idempotency_key),
        attributes: raw.attributes,
        extra: raw.extra,
        flags: Vec::new(),
        size: raw.size,
    };
    for (key, value) in odd.kept {
        event.extra.set(key, value);
    }
    event.flags = odd.flags;
    odd_ids(&mut event);
    Ok(event)
}

/// Flags ids that no sender makes: they are kept, but cost everyone who reads them.
fn odd_ids(event: &mut Event) {
    let Event { trace_id, span_id, parent_span_id, agent_id, session_id, flags, .. } = event;
    let ids = [
        ("trace_id", trace_id.as_deref()),
        ("span_id", span_id.as_deref()),
        ("parent_span_id", parent_span_id.as_deref()),
        ("agent_id", Some(&**agent_id)),
        (r#"attributes["session.id"]"#, session_id.as_deref()),
    ];
    for (field, id) in ids.into_iter().filter_map(|(field, id)| Some((field, id?))) {
        if id.len() > MAX_ID {
            flags::push(flags, "id-too-long", field);
        }
        if id.bytes().any(|byte| byte.is_ascii_control()) {
            flags::push(flags, "control-character", field);
        }
    }
}

fn name(member: &Member) -> Result<Box<str>, Reason> {
    match member {
        Member::Text(name) if !name.trim().is_empty() => Ok(name.clone()),
        Member::Other(_) => Err(Reason::host("name-not-text", Some("name".into()), "name is not a string")),
        _ => Err(Reason::host("missing-name", Some("name".into()), "an event needs a name")),
    }
}

fn count(attributes: &Attributes) -> Result<(), Reason> {
    if attributes.len() <= MAX_ATTRIBUTES {
        return Ok(());
    }
    let message = format!("an event has at most {MAX_ATTRIBUTES} attributes, this one has {}", attributes.len());
    Err(Reason::host("too-many-attributes", Some("attributes".into()), message))
}

fn timestamp(member: &Member) -> Result<Timestamp, Reason> {
    let reason = |code, message: &str| Reason::host(code, Some("timestamp".into()), message);
    match member {
        Member::Text(text) => Timestamp::parse(text).map_err(|error| match error {
            TimeError::Unreadable => reason("timestamp-unreadable", "timestamp is not a readable ISO 8601 time"),
            TimeError::OutOfRange => reason("timestamp-out-of-range", "timestamp is outside 1677-09-21 to 2262-04-11"),
        }),
        Member::Other(_) => Err(reason("timestamp-unreadable", "timestamp is not a string holding an ISO 8601 time")),
        Member::Absent | Member::Null => Err(reason("missing-timestamp", "an event needs a timestamp")),
    }
}

/// Neither `Z` nor an offset behind the time.
fn is_naive(member: &Member) -> bool {
    let Some(text) = member.text() else { return false };
    let text = text.trim_ascii_end();
    !text.ends_with(['Z', 'z']) && !text.get(10..).is_some_and(|time| time.contains(['+', '-', '[']))
}

fn stray(member: Member) -> Option<JsonText> {
    match member {
        Member::Other(value) => Some(value),
        Member::Text(text) => Some(JsonText::string(&text)),
        Member::Absent | Member::Null => None,
    }
}

/// Collects flags, and values that their member cannot hold: those are kept beside the envelope, so nothing is lost.
struct Odd {
    flags: Vec<Flag>,
    kept: Vec<(Box<str>, JsonText)>,
}

impl Odd {
    fn text(&mut self, field: &'static str, member: Member) -> Option<Box<str>> {
        match member {
            Member::Text(text) => Some(text),
            Member::Absent | Member::Null => None,
            Member::Other(value) => {
                flags::push(&mut self.flags, "not-text", field);
                self.kept.push((field.into(), value));
                None
            }
        }
    }

    /// Flags keys that no sender makes.
    fn keys(&mut self, attributes: &Attributes, field: fn(&str) -> String) {
        let long = attributes.iter().map(|(key, _)| key).filter(|key| key.len() > MAX_KEY);
        long.take(flags::MAX_FLAGS).for_each(|key| flags::push(&mut self.flags, "key-too-long", field(key)));
    }

    fn attribute_text(&mut self, attributes: &Attributes, key: &str) -> Option<Box<str>> {
        let value = attributes.get(key).filter(|value| !value.is_null())?;
        if value.as_text().is_none() {
            flags::push(&mut self.flags, "not-text", flags::attribute(key));
        }
        value.as_text().filter(|text| !text.is_empty()).map(Into::into)
    }

    /// The member, else the attribute `agent.id`, else [`UNKNOWN_AGENT`].
    fn agent(&mut self, member: Member, attributes: &Attributes) -> Box<str> {
        if let Some(agent) = self.text("agent_id", member).filter(|agent| !agent.is_empty()) {
            return agent;
        }
        flags::push(&mut self.flags, "agent-id-absent", "agent_id");
        self.attribute_text(attributes, "agent.id").unwrap_or_else(|| UNKNOWN_AGENT.into())
    }

    /// At most 128 characters and not empty; another one makes no repeat a duplicate.
    fn idempotency_key(&mut self, member: Member) -> Option<Box<str>> {
        let key = self.text("idempotency_key", member)?;
        if key.is_empty() || key.chars().nth(128).is_some() {
            flags::push(&mut self.flags, "idempotency-key-unusable", "idempotency_key");
            return None;
        }
        Some(key)
    }
}
