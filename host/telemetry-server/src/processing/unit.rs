//! What goes into the pipeline and what comes out.

use telemetry_model::{Digest, Flag, Outcome, Reason, Timestamp};
use telemetry_store::{StoreError, SubmitError};

use super::budget::{Exhausted, Lease};
use super::decode::{Encoding, Refusal, Shape};

/// The body of one request.
#[derive(Debug)]
pub struct Unit {
    /// As received.
    pub bytes: Vec<u8>,
    /// How it was compressed.
    pub encoding: Option<Encoding>,
    /// One event or a batch.
    pub shape: Shape,
    /// Most bytes after decompression.
    pub limit: usize,
    /// Refuse whatever is odd, and store nothing of it.
    pub strict: bool,
    /// The peer's address.
    pub source: Box<str>,
    /// What was odd about the request: flags of each of its events.
    pub flags: Vec<Flag>,
    /// When it came in.
    pub received_at: Timestamp,
    /// Accounts for `bytes`.
    pub lease: Lease,
}

/// A body that was never decoded: it came too large or in an unknown encoding.
#[derive(Clone, Debug)]
pub struct Unread {
    /// Why.
    pub refusal: Refusal,
    /// Keyed digest of what was received.
    pub digest: Digest,
    /// Bytes received.
    pub size: u64,
    /// The peer's address.
    pub source: Box<str>,
    /// When it came in.
    pub received_at: Timestamp,
}

/// What became of one event.
#[derive(Clone, Debug)]
pub struct EventOutcome {
    /// Stored, known or quarantined.
    pub outcome: Outcome,
    /// Why it is in quarantine; empty otherwise.
    pub reasons: Vec<Reason>,
    /// The event's name, of one in quarantine.
    pub name: Option<Box<str>>,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Everything is durable; in input order.
    Events(Vec<EventOutcome>),
    /// The body as a whole holds no events.
    Refused {
        /// Why.
        refusal: Refusal,
        /// Its note in quarantine; `None` for a strict request.
        quarantine_id: Option<i64>,
    },
    /// A strict request with something odd in it: nothing was stored.
    Strict(Vec<StrictDetail>),
}

/// One thing that a strict request is refused for.
#[derive(Clone, Debug)]
pub struct StrictDetail {
    /// Which event.
    pub index: usize,
    /// What is wrong or odd.
    pub reason: Reason,
}

/// Why a request got no answer of its own.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IngestError {
    /// Too much waits already: try again later.
    #[error("the server is busy")]
    Overloaded,
    /// The server is stopping.
    #[error("the server is stopping")]
    Closed,
    /// The database failed; nothing of the request is stored, save what a [`StoreError::Partial`] names.
    #[error("events cannot be stored")]
    Store(#[source] StoreError),
    /// A fault of the server; nothing of the request is stored.
    #[error("events could not be processed")]
    Failed,
}

impl From<SubmitError> for IngestError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Overloaded => IngestError::Overloaded,
            SubmitError::Closed => IngestError::Closed,
        }
    }
}

impl From<Exhausted> for IngestError {
    fn from(_: Exhausted) -> Self {
        IngestError::Overloaded
    }
}
