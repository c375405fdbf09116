//! The columns of a batch, read by place (wit/README.md).

use std::borrow::Cow;

use cylestio_plugin_sdk::PluginError;
use cylestio_plugin_sdk::bindings::types::{Batch, Column};

use crate::value::Value;

pub const BOOLEAN: u16 = 1;
pub const INTEGER: u16 = 2;
pub const REAL: u16 = 3;
pub const TIME: u16 = 4;
pub const TEXT: u16 = 5;
pub const JSON: u16 = 6;
pub const BYTES: u16 = 7;
const TEXT_DICTIONARY: u16 = 8;
const GROUP: u16 = 9;
pub const PRESENT: u16 = 1;
const MISMATCHED: u16 = 2;

/// The sections of one column.
#[derive(Clone, Copy)]
pub struct Cells<'a> {
    kind: u16,
    present: Option<&'a [u8]>,
    mismatched: Option<&'a [u8]>,
    cells: &'a [u8],
    offsets: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> Cells<'a> {
    pub fn all(batch: &'a Batch) -> Result<Vec<Cells<'a>>, PluginError> {
        batch.columns.iter().map(|column| Cells::new(batch, column)).collect()
    }

    fn new(batch: &'a Batch, column: &Column) -> Result<Self, PluginError> {
        let (rows, entries) = (batch.rows as usize, column.count as usize);
        let mut at = column.at as usize;
        let mut take = |len: usize| {
            let section = batch.data.get(at..at + len).ok_or_else(|| invalid("a section ends past the end of the data"));
            at = (at + len).next_multiple_of(8);
            section
        };
        let bitmap = |take: &mut dyn FnMut(usize) -> Result<&'a [u8], PluginError>, bit: u16| {
            if column.bitmaps & bit == 0 { Ok(None) } else { take(rows.div_ceil(8)).map(Some) }
        };
        let (present, mismatched) = (bitmap(&mut take, PRESENT)?, bitmap(&mut take, MISMATCHED)?);
        let mut cells = Cells { kind: column.kind, present, mismatched, cells: &[], offsets: &[], bytes: &[] };
        match column.kind {
            BOOLEAN => cells.cells = take(rows)?,
            INTEGER | REAL | TIME => cells.cells = take(rows * 8)?,
            GROUP => cells.cells = take(rows * 4)?,
            TEXT | JSON | BYTES | TEXT_DICTIONARY => {
                if column.kind == TEXT_DICTIONARY {
                    cells.cells = take(rows * 4)?;
                }
                cells.offsets = take((entries + 1) * 4)?;
                cells.bytes = take(word(cells.offsets, entries).unwrap_or(0))?;
            }
            _ => return Err(invalid("a column is of a kind that is not known here")),
        }
        Ok(cells)
    }

    /// The value of `row`.
    #[inline]
    pub fn value(&self, row: usize) -> Value<'a> {
        if self.present.is_some_and(|bitmap| !bit(bitmap, row)) {
            return Value::Null;
        }
        let found = match self.kind {
            BOOLEAN => self.cells.get(row).map(|byte| Value::Boolean(*byte != 0)),
            INTEGER => self.cell(row).map(|cell| Value::Integer(i64::from_le_bytes(cell))),
            TIME => self.cell(row).map(|cell| Value::Time(i64::from_le_bytes(cell))),
            REAL => self.cell(row).map(|cell| Value::Real(f64::from_le_bytes(cell))),
            _ => self.bytes(row).and_then(|bytes| std::str::from_utf8(bytes).ok()).map(|text| Value::Text(Cow::Borrowed(text))),
        };
        found.unwrap_or(Value::Null)
    }

    /// Whether `row` has a value of another type.
    pub fn is_mismatched(&self, row: usize) -> bool {
        self.mismatched.is_some_and(|bitmap| bit(bitmap, row))
    }

    /// The bytes of `row`.
    pub fn bytes(&self, row: usize) -> Option<&'a [u8]> {
        let entry = if self.kind == TEXT_DICTIONARY { word(self.cells, row)? } else { row };
        self.bytes.get(word(self.offsets, entry)?..word(self.offsets, entry + 1)?)
    }

    /// The group of `row`.
    pub fn group(&self, row: usize) -> Option<usize> {
        if self.kind == GROUP { word(self.cells, row) } else { None }
    }

    fn cell(&self, row: usize) -> Option<[u8; 8]> {
        self.cells.get(row * 8..row * 8 + 8)?.try_into().ok()
    }
}

pub fn invalid(message: &str) -> PluginError {
    PluginError::InvalidInput(message.to_owned())
}

#[inline]
fn word(bytes: &[u8], index: usize) -> Option<usize> {
    let cell = bytes.get(index * 4..index * 4 + 4)?;
    Some(u32::from_le_bytes(cell.try_into().ok()?) as usize)
}

#[inline]
fn bit(bitmap: &[u8], row: usize) -> bool {
    bitmap.get(row / 8).is_some_and(|byte| byte & (1 << (row % 8)) != 0)
}
