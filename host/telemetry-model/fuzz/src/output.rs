//! What a plugin answers: any columns over any bytes, checked and then read at every row and beyond.

use telemetry_model::batch::{Batch, BatchView, Column};
use telemetry_model::{FieldType, Kind, Value};

/// Reads `bytes` as declared types, rows, headers and a buffer: whatever they are, the check ends, and what it lets through can be read.
pub fn run(bytes: &[u8]) {
    let Some((types, batch)) = batch(bytes) else { return };
    let Ok(view) = BatchView::check(&batch, &types) else { return };
    assert_eq!((view.columns().len(), view.rows()), (types.len(), batch.rows as usize));
    if let Some(groups) = view.groups() {
        assert_eq!(groups.count(), view.rows());
    }
    // Without columns any number of rows passes: callers compare it with what they sent.
    let rows = if view.columns().is_empty() { view.rows().min(8) } else { view.rows() };
    for (column, ty) in view.columns().iter().zip(&types) {
        assert!(column.kind().fits(*ty));
        for row in (0..rows).chain([rows, usize::MAX]) {
            let value = column.value(row);
            let spans = matches!(column.kind(), Kind::Text | Kind::TextDictionary | Kind::Json);
            if spans && row < rows && column.is_present(row) {
                let (Value::Text(text) | Value::Json(text)) = &value else { panic!("a text that is not there: {value:?}") };
                assert_eq!(Some(text.as_bytes()), column.bytes(row));
            }
            let _ = (column.is_mismatched(row), column.bytes(row));
        }
    }
}

/// One byte how many types, a byte each; the rows; one byte how many headers, twelve bytes each; the rest is the buffer.
fn batch(bytes: &[u8]) -> Option<(Vec<FieldType>, Batch)> {
    let (count, rest) = bytes.split_first()?;
    let (types, rest) = rest.split_at_checked(usize::from(count % 8))?;
    let types = types.iter().map(|byte| FieldType::ALL[usize::from(*byte) % FieldType::ALL.len()]).collect();
    let (rows, rest) = rest.split_first_chunk::<4>()?;
    let (count, rest) = rest.split_first()?;
    let (headers, data) = rest.split_at_checked(usize::from(count % 9) * 12)?;
    let header = |bytes: &[u8; 12]| {
        let [a, b, c, d, rest @ ..] = *bytes;
        let [e, f, g, h, rest @ ..] = rest;
        Column {
            kind: u16::from_le_bytes([a, b]),
            bitmaps: u16::from_le_bytes([c, d]),
            count: u32::from_le_bytes([e, f, g, h]),
            at: u32::from_le_bytes(rest),
        }
    };
    let columns = headers.as_chunks::<12>().0.iter().map(header).collect();
    Some((types, Batch { rows: u32::from_le_bytes(*rows), columns, data: data.to_vec() }))
}
