//! What became of an event, and why.

use std::borrow::Cow;

/// What became of one event, in the words of every answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Stored; its id is its arrival number.
    Accepted {
        /// `events.id`.
        event_id: i64,
    },
    /// The same agent sent this idempotency key before.
    Duplicate {
        /// `events.id` of the first.
        event_id: i64,
    },
    /// Kept in quarantine.
    Quarantined {
        /// `quarantine.id`.
        quarantine_id: i64,
    },
}

/// Why an event was refused or flagged.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reason {
    /// Stable, kebab-case: `missing-name`, `timestamp-out-of-range`.
    pub code: Cow<'static, str>,
    /// The field it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub field: Option<Box<str>>,
    /// For people.
    pub message: Box<str>,
    /// The plugin that said so; `None` for the host.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plugin: Option<Box<str>>,
}

impl Reason {
    /// A reason of the host's own.
    pub fn host(code: &'static str, field: impl Into<Option<Box<str>>>, message: impl Into<Box<str>>) -> Self {
        Reason { code: Cow::Borrowed(code), field: field.into(), message: message.into(), plugin: None }
    }
}

/// How one plugin fared with one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// It ran and its answer was used.
    Ok,
    /// It trapped or answered out of contract on this event alone.
    Trap,
    /// It used up its time on this event alone.
    Deadline,
    /// It was refused memory.
    Memory,
    /// It answered with an error of its own.
    Declined,
    /// It was not tried: its breaker was open.
    BreakerOpen,
}
