//! Which derived row an event belongs to, and how its attributes are read for it.

use telemetry_model::facts::{Facts, Role};
use telemetry_model::{Attributes, DigestKey, Event, Family, Flag, JsonKind, JsonText, Timestamp};

use super::super::flags;
use super::{llm, security, tool};

/// More in one call is not believed: one absurd count must not spoil every sum it is in.
const MOST_COUNTED: i64 = 1_000_000_000_000;
/// 292 years: what 64 bits of nanoseconds hold.
const LONGEST_MS: f64 = 9.223e12;

/// Reads what correlation needs and flags what it could not use.
pub(super) fn read(event: &mut Event, key: &DigestKey) -> Facts {
    let mut reader = Reader { attributes: &event.attributes, flags: Vec::new() };
    let is_error = event.is_error();
    let facts = match &*event.name {
        "llm.call.start" | "llm.request" => llm::facts(Role::Begin, is_error, &mut reader, key),
        "llm.call.finish" | "llm.call.end" | "llm.response" => llm::facts(Role::End, is_error, &mut reader, key),
        "llm.call.error" | "llm.error" => llm::facts(Role::Error, true, &mut reader, key),
        "tool.execution" | "tool.start" | "tool.call" => tool::facts(Role::Begin, is_error, &mut reader),
        "tool.result" | "tool.end" => tool::facts(Role::End, is_error, &mut reader),
        "tool.error" => tool::facts(Role::Error, true, &mut reader),
        "monitoring.stop" => Facts::Stop,
        name if Family::of(name) == Family::Security && security::is_alert(name, &reader) => security::facts(&mut reader),
        _ => Facts::None,
    };
    let found = reader.flags;
    if matches!(facts, Facts::LlmCall(_) | Facts::ToolExecution(_)) && event.pairing().is_none() {
        flags::push(&mut event.flags, "unpaired", "span_id");
    }
    found.into_iter().for_each(|flag| flags::push_flag(&mut event.flags, flag));
    facts
}

/// Reads attributes as the types that facts have. Null is absent; a value of another type is absent and flagged.
pub(super) struct Reader<'a> {
    pub attributes: &'a Attributes,
    pub flags: Vec<Flag>,
}

impl<'a> Reader<'a> {
    /// The value of `key` unless it is null.
    pub(super) fn given(&self, key: &str) -> Option<&'a JsonText> {
        self.attributes.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn flag(&mut self, code: &'static str, key: &str) {
        flags::push(&mut self.flags, code, flags::attribute(key));
    }

    /// The first of `keys` that is a string.
    pub(super) fn text(&mut self, keys: &[&str]) -> Option<Box<str>> {
        keys.iter().find_map(|key| {
            let text = self.given(key)?.as_text();
            if text.is_none() {
                self.flag("not-text", key);
            }
            text.map(Into::into)
        })
    }

    /// The first of `keys` that is a count: an integer that is not negative. Text is never read as a number.
    pub(super) fn count(&mut self, keys: &[&str]) -> Option<i64> {
        keys.iter().find_map(|key| {
            let value = self.given(key)?;
            let number = value.as_integer().or_else(|| value.as_real().and_then(whole));
            match number {
                Some(count) if (0..=MOST_COUNTED).contains(&count) => return Some(count),
                Some(count) if count < 0 => self.flag("negative", key),
                Some(_) => self.flag("count-out-of-range", key),
                None => self.flag("not-an-integer", key),
            }
            None
        })
    }

    /// The first of `keys` that is a length of time in milliseconds: a number that is not negative.
    pub(super) fn milliseconds(&mut self, keys: &[&str]) -> Option<f64> {
        keys.iter().find_map(|key| {
            match self.given(key)?.as_real() {
                Some(length) if (0.0..=LONGEST_MS).contains(&length) => return Some(length),
                Some(length) if length < 0.0 => self.flag("negative", key),
                Some(_) => self.flag("duration-out-of-range", key),
                None => self.flag("not-a-number", key),
            }
            None
        })
    }

    /// The time in `key`.
    pub(super) fn time(&mut self, key: &str) -> Option<Timestamp> {
        let time = self.given(key)?.as_text().and_then(|text| Timestamp::parse(&text).ok());
        if time.is_none() {
            self.flag("timestamp-unreadable", key);
        }
        time
    }

    /// Whether one of `keys` says that something failed.
    pub(super) fn says_error(&self, keys: &[&str]) -> bool {
        keys.iter().filter_map(|key| self.given(key)?.as_text()).any(|status| {
            let failures = ["error", "failed", "failure"];
            failures.iter().any(|word| status.eq_ignore_ascii_case(word))
        })
    }
}

/// A real that is an integer, as `10.0`.
fn whole(value: f64) -> Option<i64> {
    /// Up to here a double holds every integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[allow(clippy::cast_possible_truncation, reason = "whole and within 53 bits")]
    (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i64)
}

/// The array under `key`.
pub(super) fn array(reader: &mut Reader<'_>, key: &str) -> Option<JsonText> {
    let value = reader.given(key)?;
    if value.kind() != JsonKind::Array {
        reader.flag("not-an-array", key);
        return None;
    }
    Some(value.clone())
}
