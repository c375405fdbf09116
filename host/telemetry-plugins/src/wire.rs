//! The types of `wit/` as Rust lowers and lifts them.

use telemetry_model::batch::ColumnView;
use telemetry_model::{Batch, BatchView, Column};
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
            WireError::Other(text) => return clip(&text, 1024),
        };
        format!("{case}: {}", clip(&text, 1024))
    }
}

/// `text` cut to at most `bytes`, on a character boundary.
pub(crate) fn clip(text: &str, bytes: usize) -> String {
    match text.get(..text.floor_char_boundary(bytes)) {
        Some(start) if start.len() < text.len() => format!("{start}.."),
        _ => text.to_owned(),
    }
}

/// Bytes of all values of `view` once each row has its own: an entry of a dictionary counts for each row that names it.
pub(crate) fn expanded(view: &BatchView<'_>) -> usize {
    let column = |column: &ColumnView<'_>| (0..view.rows()).map(|row| column.bytes(row).map_or(8, <[u8]>::len)).sum::<usize>();
    view.columns().iter().map(column).sum()
}

#[cfg(test)]
mod tests {
    use telemetry_model::{BatchBuilder, FieldType, Value};

    use super::*;

    #[test]
    fn a_dictionary_counts_for_each_row() {
        let text = "x".repeat(100_000);
        let mut batch = BatchBuilder::new(1000, Vec::new());
        batch.values(FieldType::Text, |_| Value::Text(text.as_str().into()));
        let batch = batch.finish();
        assert!(batch.data.len() < 200_000);
        assert_eq!(expanded(&BatchView::check(&batch, &[FieldType::Text]).unwrap()), 100_000_000);
    }

    #[test]
    fn clips_on_a_character_boundary() {
        assert_eq!((clip("abc", 3), clip("a\u{e9}b", 2)), ("abc".to_owned(), "a..".to_owned()));
    }
}
