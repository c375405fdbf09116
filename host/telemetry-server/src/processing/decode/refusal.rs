//! Why bytes are not an event.

use telemetry_model::Reason;

/// What kind of refusal it is: decides the status of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// Not text, not JSON, or not of the shape asked for.
    Malformed,
    /// Nested deeper than [`super::MAX_DEPTH`].
    TooDeep,
    /// More bytes than allowed, as sent or decompressed.
    TooLarge,
    /// More events than a batch may hold.
    TooMany,
    /// A `Content-Encoding` that is not understood.
    UnsupportedEncoding,
}

/// A body, or one item of a batch, that holds no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Decides the status.
    pub kind: RefusalKind,
    /// For the answer and for quarantine.
    pub reason: Reason,
}

impl Refusal {
    pub(crate) fn new(kind: RefusalKind, code: &'static str, message: impl Into<Box<str>>) -> Self {
        Refusal { kind, reason: Reason::host(code, None, message) }
    }

    pub(crate) fn malformed(code: &'static str, message: impl Into<Box<str>>) -> Self {
        Self::new(RefusalKind::Malformed, code, message)
    }

    /// From a parser's error, whose text names places and never values.
    pub(crate) fn syntax(error: &serde_json::Error) -> Self {
        let at = format!("line {} column {}", error.line(), error.column());
        match error.classify() {
            serde_json::error::Category::Eof => Self::malformed("truncated", format!("the JSON ends too early at {at}")),
            _ => Self::malformed("invalid-json", format!("not JSON: see {at}")),
        }
    }
}
