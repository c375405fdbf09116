//! What is handed to the writer.

use std::sync::Arc;

use telemetry_model::facts::Facts;
use telemetry_model::outcome::{Derived, PluginRun};
use telemetry_model::{Digest, Event, JsonText, Reason, Timestamp};

use crate::prepare::PreparedEvent;
use crate::rowqueue::{JobChange, RowResults};

/// An event with everything that was found out about it, before it is cut for storage.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The event.
    pub event: Event,
    /// What correlation needs to know.
    pub facts: Facts,
    /// Attributes that plugins wrote.
    pub derived: Vec<Derived>,
    /// Which plugins ran on it.
    pub runs: Arc<[PluginRun]>,
    /// When it came in.
    pub received_at: Timestamp,
}

/// Something that was refused, kept with its reasons.
#[derive(Clone, Debug)]
pub struct QuarantineEntry {
    /// When it came in.
    pub received_at: Timestamp,
    /// The peer's address.
    pub source: Box<str>,
    /// Why it was refused.
    pub reasons: Vec<Reason>,
    /// What was sent.
    pub body: QuarantinedBody,
    /// The event's name, when it has one.
    pub name: Option<Box<str>>,
    /// The event's agent, when it has one.
    pub agent_id: Option<Box<str>>,
}

/// What is kept of a refused body.
#[derive(Clone, Debug)]
pub enum QuarantinedBody {
    /// It decodes: kept whole, can be retried.
    Json(JsonText),
    /// Text that does not decode, as maskers left it.
    Text {
        /// What is kept.
        text: Box<str>,
        /// The keyed digest of what was received.
        digest: Digest,
        /// Bytes received.
        size: u64,
    },
    /// Not text, or too large: its digest and its size in bytes.
    Digest {
        /// The keyed digest of what was received.
        digest: Digest,
        /// Bytes received.
        size: u64,
    },
}

/// One thing to write.
#[derive(Debug)]
pub enum WriteItem {
    /// An event, as [`Store::prepare`](crate::Store::prepare) cut it.
    Event(Box<PreparedEvent>),
    /// Something refused.
    Quarantine(QuarantineEntry),
    /// What enrichers said of stored rows; has no outcome.
    Rows(Box<RowResults>),
    /// A change of the jobs; has no outcome.
    Job(Box<JobChange>),
}

impl WriteItem {
    /// About how many bytes it holds while it waits.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            WriteItem::Event(event) => event.bytes(),
            WriteItem::Job(_) => 1_024,
            WriteItem::Rows(results) => {
                let values = results.rows.iter().flat_map(|row| &row.derived);
                1_024 + results.rows.len() * 128 + values.map(|derived| derived.value.as_str().len() + 64).sum::<usize>()
            }
            WriteItem::Quarantine(entry) => match &entry.body {
                QuarantinedBody::Json(json) => json.as_str().len() + 1_024,
                QuarantinedBody::Text { text, .. } => text.len() + 1_024,
                QuarantinedBody::Digest { .. } => 1_024,
            },
        }
    }
}
