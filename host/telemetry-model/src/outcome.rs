//! What became of an event, and why.

use std::borrow::Cow;
use std::sync::Arc;

use crate::json::JsonText;

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

/// One version of one plugin as it was configured: what provenance names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct PluginVersion {
    /// The manifest's id.
    pub plugin_id: Box<str>,
    /// The manifest's version.
    pub version: Box<str>,
    /// SHA-256 of the component file, hex.
    pub digest: Box<str>,
    /// SHA-256 over digest, configuration and granted fields, hex.
    pub derivation: Box<str>,
}

/// That a plugin was run on a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PluginRun {
    /// Which.
    pub plugin: Arc<PluginVersion>,
    /// With what outcome.
    pub outcome: RunOutcome,
}

/// An attribute that a plugin wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// The key; declared by one plugin only.
    pub key: Arc<str>,
    /// The value.
    pub value: JsonText,
    /// Who wrote it.
    pub plugin: Arc<PluginVersion>,
}
