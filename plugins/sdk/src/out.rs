//! Columns being written: a value a row, rows in order.

use crate::bindings::types::{Batch, Column};
use crate::bindings::{PRESENT, kind};
use crate::manifest::Type;

/// One column that grows row by row.
pub(crate) struct OutColumn {
    ty: Type,
    present: Vec<u8>,
    given: usize,
    /// Fixed-width cells, or the end of each row's bytes.
    cells: Vec<u8>,
    bytes: Vec<u8>,
}

impl OutColumn {
    pub fn new(ty: Type, rows: usize) -> Self {
        let width = width(ty).unwrap_or(4);
        OutColumn {
            ty,
            present: Vec::with_capacity(rows.div_ceil(8)),
            given: 0,
            cells: Vec::with_capacity(rows * width),
            bytes: Vec::new(),
        }
    }

    pub fn ty(&self) -> Type {
        self.ty
    }

    /// Writes a fixed-width cell; the last one written for a row stays.
    #[inline]
    pub fn set_cell<const N: usize>(&mut self, row: usize, cell: [u8; N]) {
        if self.cells.len() != row * N {
            self.cells.resize(row * N, 0);
        }
        self.cells.extend_from_slice(&cell);
        self.mark(row, true);
    }

    /// Writes bytes; the last ones written for a row stay.
    #[inline]
    pub fn set_bytes(&mut self, row: usize, bytes: &[u8]) {
        if self.cells.len() != row * 4 {
            self.rewind(row);
        }
        extend_short(&mut self.bytes, bytes);
        self.cells.extend_from_slice(&(self.bytes.len() as u32).to_le_bytes());
        self.mark(row, true);
    }

    /// Takes back what was written for `row`.
    pub fn clear(&mut self, row: usize) {
        self.mark(row, false);
    }

    /// Passes over the rows that were not written, or takes back what `row` was given before.
    #[cold]
    fn rewind(&mut self, row: usize) {
        self.fill(row);
        self.bytes.truncate(self.end(row));
        self.cells.truncate(row * 4);
    }

    fn end(&self, row: usize) -> usize {
        let cell = row.checked_sub(1).and_then(|before| self.cells.get(before * 4..before * 4 + 4));
        cell.and_then(|cell| cell.try_into().ok()).map_or(0, |cell| u32::from_le_bytes(cell) as usize)
    }

    /// Rows below `row` that were passed over are empty.
    fn fill(&mut self, row: usize) {
        let end = (self.bytes.len() as u32).to_le_bytes();
        while self.cells.len() < row * 4 {
            self.cells.extend_from_slice(&end);
        }
    }

    #[inline(always)]
    fn mark(&mut self, row: usize, present: bool) {
        if self.present.len() <= row / 8 {
            self.present.resize(row / 8 + 1, 0);
        }
        let (byte, bit) = (&mut self.present[row / 8], 1 << (row % 8));
        self.given -= usize::from(*byte & bit != 0);
        *byte = if present { *byte | bit } else { *byte & !bit };
        self.given += usize::from(present);
    }

    /// Appends the column to `batch`.
    pub fn append(mut self, batch: &mut Batch) {
        let rows = batch.rows as usize;
        let bitmaps = if self.given == rows { 0 } else { PRESENT };
        batch.columns.push(Column { kind: code(self.ty), bitmaps, count: batch.rows, at: batch.data.len() as u32 });
        if bitmaps != 0 {
            self.present.resize(rows.div_ceil(8), 0);
            append(&mut batch.data, &self.present);
        }
        match width(self.ty) {
            Some(width) => {
                self.cells.resize(rows * width, 0);
                append(&mut batch.data, &self.cells);
            }
            None => {
                self.fill(rows);
                batch.data.extend_from_slice(&[0; 4]);
                append(&mut batch.data, &self.cells);
                append(&mut batch.data, &self.bytes);
            }
        }
    }
}

/// Appends a column of kind `group`.
pub(crate) fn append_groups(batch: &mut Batch, groups: &[u32]) {
    batch.columns.push(Column { kind: kind::GROUP, bitmaps: 0, count: batch.rows, at: batch.data.len() as u32 });
    groups.iter().for_each(|group| batch.data.extend_from_slice(&group.to_le_bytes()));
    append(&mut batch.data, &[]);
}

pub(crate) fn append(data: &mut Vec<u8>, section: &[u8]) {
    data.extend_from_slice(section);
    data.resize(data.len().next_multiple_of(8), 0);
}

/// Appends `bytes`, short ones by words: copying memory is a call out of the component, dearer than the copy.
#[inline]
fn extend_short(to: &mut Vec<u8>, bytes: &[u8]) {
    match bytes.len() {
        0..4 => bytes.iter().for_each(|byte| to.push(*byte)),
        4..8 => extend_ends::<4>(to, bytes),
        8..=16 => extend_ends::<8>(to, bytes),
        _ => to.extend_from_slice(bytes),
    }
}

/// Appends `bytes`, `N` to twice `N` of them, as their first and their last `N`.
#[inline]
fn extend_ends<const N: usize>(to: &mut Vec<u8>, bytes: &[u8]) {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<N>(), bytes.last_chunk::<N>()) {
        to.extend_from_slice(first);
        to.truncate(to.len() + bytes.len() - 2 * N);
        to.extend_from_slice(last);
    }
}

pub(crate) fn width(ty: Type) -> Option<usize> {
    match ty {
        Type::Boolean => Some(1),
        Type::Integer | Type::Real | Type::Time => Some(8),
        Type::Text | Type::Json | Type::Bytes => None,
    }
}

pub(crate) fn code(ty: Type) -> u16 {
    match ty {
        Type::Boolean => kind::BOOLEAN,
        Type::Integer => kind::INTEGER,
        Type::Real => kind::REAL,
        Type::Time => kind::TIME,
        Type::Text => kind::TEXT,
        Type::Json => kind::JSON,
        Type::Bytes => kind::BYTES,
    }
}
