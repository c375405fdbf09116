//! Columns being written, one after the other.

use cylestio_plugin_sdk::bindings::types::{Batch, Column};

use crate::columns::{BOOLEAN, BYTES, INTEGER, JSON, PRESENT, REAL, TEXT, TIME};
use crate::value::Value;

/// The type of a column that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Boolean,
    Integer,
    Real,
    Time,
    Text,
    Json,
}

/// Appends a column of `rows` values.
pub fn column<'a>(batch: &mut Batch, ty: Type, values: impl Iterator<Item = Value<'a>>) {
    let rows = batch.rows as usize;
    let mut present = vec![0_u8; rows.div_ceil(8)];
    let (mut cells, mut bytes, mut given) = (Vec::with_capacity(rows * 8 + 4), Vec::new(), 0);
    if matches!(ty, Type::Text | Type::Json) {
        cells.extend_from_slice(&[0; 4]);
    }
    for (row, value) in values.enumerate() {
        if cell(ty, value, &mut cells, &mut bytes) {
            given += 1;
            if let Some(byte) = present.get_mut(row / 8) {
                *byte |= 1 << (row % 8);
            }
        }
    }
    let kind = match ty {
        Type::Boolean => BOOLEAN,
        Type::Integer => INTEGER,
        Type::Real => REAL,
        Type::Time => TIME,
        Type::Text => TEXT,
        Type::Json => JSON,
    };
    let bitmaps = if given == rows { 0 } else { PRESENT };
    batch.columns.push(Column { kind, bitmaps, count: batch.rows, at: batch.data.len() as u32 });
    if bitmaps != 0 {
        section(&mut batch.data, &present);
    }
    section(&mut batch.data, &cells);
    if matches!(ty, Type::Text | Type::Json) {
        section(&mut batch.data, &bytes);
    }
}

/// Writes one cell; whether there is a value.
fn cell(ty: Type, value: Value<'_>, cells: &mut Vec<u8>, bytes: &mut Vec<u8>) -> bool {
    let wide = |cells: &mut Vec<u8>, cell: Option<[u8; 8]>| {
        cells.extend_from_slice(&cell.unwrap_or_default());
        cell.is_some()
    };
    match ty {
        Type::Boolean => {
            let flag = if let Value::Boolean(flag) = value { Some(flag) } else { None };
            cells.push(u8::from(flag == Some(true)));
            flag.is_some()
        }
        Type::Integer => wide(cells, if let Value::Integer(integer) = value { Some(integer.to_le_bytes()) } else { None }),
        Type::Time => wide(cells, if let Value::Time(time) = value { Some(time.to_le_bytes()) } else { None }),
        Type::Real => wide(cells, value.real().filter(|real| real.is_finite()).map(f64::to_le_bytes)),
        Type::Text | Type::Json => {
            let text = value.text();
            bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
            cells.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            text.is_some()
        }
    }
}

/// One column of bytes.
pub fn states(states: &[Vec<u8>]) -> Batch {
    let rows = states.len() as u32;
    let (mut offsets, mut bytes) = (vec![0; 4], Vec::new());
    for state in states {
        bytes.extend_from_slice(state);
        offsets.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    }
    let mut batch = Batch { rows, columns: vec![Column { kind: BYTES, bitmaps: 0, count: rows, at: 0 }], data: Vec::new() };
    section(&mut batch.data, &offsets);
    section(&mut batch.data, &bytes);
    batch
}

fn section(data: &mut Vec<u8>, section: &[u8]) {
    data.extend_from_slice(section);
    data.resize(data.len().next_multiple_of(8), 0);
}
