//! The types of `wit/` as Rust lowers and lifts them.

use telemetry_model::{Batch, Column};
use wasmtime::component::{ComponentType, Lift, Lower};

/// `agent-telemetry:types/types.column`.
#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct WireColumn {
    pub kind: u16,
    pub bitmaps: u16,
    pub count: u32,
    pub at: u32,
}

/// `agent-telemetry:types/types.batch` on its way in.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(crate) struct WireBatch<'a> {
    pub rows: u32,
    pub columns: &'a [WireColumn],
    pub data: &'a [u8],
}

/// `agent-telemetry:types/types.batch` on its way out.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct WireAnswer {
    pub rows: u32,
    pub columns: Vec<WireColumn>,
    pub data: Vec<u8>,
}

/// `agent-telemetry:types/types.plugin-error`.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum WireError {
    #[component(name = "invalid-config")]
    InvalidConfig(String),
    #[component(name = "invalid-input")]
    InvalidInput(String),
    #[component(name = "other")]
    Other(String),
}

/// `agent-telemetry:validator/validator.severity`.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "made by lifting")]
pub(crate) enum WireSeverity {
    #[component(name = "reject")]
    Reject,
    #[component(name = "flag")]
    Flag,
}

/// `agent-telemetry:validator/validator.violation`.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct WireViolation {
    pub row: u32,
    pub field: String,
    pub code: String,
    pub message: String,
    pub severity: WireSeverity,
}

/// `agent-telemetry:host/log.level`.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "made by lifting")]
pub(crate) enum WireLevel {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

/// The headers of `batch`, to be lowered.
pub(crate) fn headers(batch: &Batch) -> Vec<WireColumn> {
    batch.columns.iter().map(|c| WireColumn { kind: c.kind, bitmaps: c.bitmaps, count: c.count, at: c.at }).collect()
}

impl From<WireAnswer> for Batch {
    fn from(answer: WireAnswer) -> Self {
        let columns = answer.columns.iter().map(|c| Column { kind: c.kind, bitmaps: c.bitmaps, count: c.count, at: c.at }).collect();
        Batch { rows: answer.rows, columns, data: answer.data }
    }
}

impl WireError {
    /// What the plugin says, for people.
    pub(crate) fn into_message(self) -> String {
        let (case, text) = match self {
            WireError::InvalidConfig(text) => ("invalid config", text),
            WireError::InvalidInput(text) => ("invalid input", text),
            WireError::Other(text) => return clip(text, 1024),
        };
        format!("{case}: {}", clip(text, 1024))
    }
}

/// `text` cut to at most `bytes`, on a character boundary.
pub(crate) fn clip(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes));
        text.push_str("..");
    }
    text
}
