//! The column format that crosses the plugin boundary: short headers and one buffer. Its law is in `wit/README.md`.

mod build;
mod read;
#[cfg(test)]
mod tests;

pub use build::BatchBuilder;
pub use read::{BatchError, BatchView, ColumnView};

use crate::field::FieldType;

/// Bit of [`Column::bitmaps`]: a bitmap of rows that have a value comes first. Without it every row has one.
pub const PRESENT: u16 = 1;
/// Bit of [`Column::bitmaps`]: a bitmap of rows whose value is of another type follows. Such rows are not present.
pub const MISMATCHED: u16 = 2;

/// What a column holds: the registry of `wit/README.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Kind {
    /// u8 a row, 0 or 1.
    Boolean = 1,
    /// s64 a row.
    Integer = 2,
    /// f64 a row.
    Real = 3,
    /// s64 a row, UTC nanoseconds.
    Time = 4,
    /// u32 offsets (rows + 1), UTF-8.
    Text = 5,
    /// u32 offsets (rows + 1), JSON text.
    Json = 6,
    /// u32 offsets (rows + 1), bytes.
    Bytes = 7,
    /// u32 code a row, then u32 offsets (count + 1), UTF-8.
    TextDictionary = 8,
    /// u32 a row, a group's dense id.
    Group = 9,
}

impl Kind {
    /// The kind of a number of the registry.
    pub fn from_code(code: u16) -> Option<Kind> {
        Some(match code {
            1 => Kind::Boolean,
            2 => Kind::Integer,
            3 => Kind::Real,
            4 => Kind::Time,
            5 => Kind::Text,
            6 => Kind::Json,
            7 => Kind::Bytes,
            8 => Kind::TextDictionary,
            9 => Kind::Group,
            _ => return None,
        })
    }

    /// Its number in the registry.
    pub fn code(self) -> u16 {
        self as u16
    }

    /// Whether a column of this kind may stand where a manifest declares `ty`.
    pub fn fits(self, ty: FieldType) -> bool {
        matches!(
            (self, ty),
            (Kind::Boolean, FieldType::Boolean)
                | (Kind::Integer, FieldType::Integer)
                | (Kind::Real, FieldType::Real)
                | (Kind::Time, FieldType::Time)
                | (Kind::Text | Kind::TextDictionary, FieldType::Text)
                | (Kind::Json, FieldType::Json)
                | (Kind::Bytes, FieldType::Bytes)
        )
    }
}

/// The header of one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// A number of the registry of kinds.
    pub kind: u16,
    /// [`PRESENT`] and [`MISMATCHED`].
    pub bitmaps: u16,
    /// Rows, or the size of the dictionary.
    pub count: u32,
    /// First byte in `data`, a multiple of 8.
    pub at: u32,
}

/// Rows as columns in one buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// How many rows.
    pub rows: u32,
    /// Headers, in the order of the manifest.
    pub columns: Vec<Column>,
    /// All sections.
    pub data: Vec<u8>,
}
