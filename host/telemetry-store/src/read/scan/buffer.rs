//! Rows of one batch as they come from SQLite, column by column, until they are handed over.

use std::borrow::Cow;

use telemetry_model::{Batch, BatchBuilder, FieldType, Value};

/// Rows of a batch.
pub const MAX_ROWS: usize = 8192;
/// Bytes of text of a batch, unless a single row has more.
pub const MAX_BYTES: usize = 1 << 20;

/// One value; texts lie in the buffer or among the scan's interned ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    /// None.
    Absent,
    /// true or false.
    Boolean(bool),
    /// 64 bits.
    Integer(i64),
    /// A double.
    Real(f64),
    /// UTC nanoseconds.
    Time(i64),
    /// Text in the buffer: start and end.
    Text(u32, u32),
    /// JSON text in the buffer: start and end.
    Json(u32, u32),
    /// An interned text.
    Interned(u32),
}

/// The rows.
#[derive(Debug)]
pub struct RowBuffer {
    types: Vec<FieldType>,
    columns: Vec<Vec<Cell>>,
    text: String,
    groups: Vec<u32>,
}

impl RowBuffer {
    /// For columns of these types.
    pub fn new(types: Vec<FieldType>) -> Self {
        let columns = types.iter().map(|_| Vec::new()).collect();
        RowBuffer { types, columns, text: String::new(), groups: Vec::new() }
    }

    /// Adds a value to `column` of the row at hand.
    pub fn push(&mut self, column: usize, cell: Cell) {
        if let Some(column) = self.columns.get_mut(column) {
            column.push(cell);
        }
    }

    /// Keeps `text` and tells where it lies.
    pub fn keep(&mut self, text: &str) -> (u32, u32) {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        (start, self.text.len() as u32)
    }

    /// Ends the row at hand; true when the batch is full.
    pub fn end_row(&mut self, group: u32) -> bool {
        self.groups.push(group);
        self.groups.len() >= MAX_ROWS || self.text.len() >= MAX_BYTES
    }

    /// Bytes of text so far.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// The value of a row; `interned` gives the texts of [`Cell::Interned`].
    pub fn cell<'a>(&'a self, column: usize, row: usize, interned: &'a [Box<str>]) -> Value<'a> {
        self.columns.get(column).and_then(|cells| cells.get(row)).map_or(Value::Absent, |cell| self.value(*cell, interned))
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The batch; the buffer is empty after. `interned` gives the texts of [`Cell::Interned`].
    pub fn take(&mut self, interned: &[Box<str>]) -> Batch {
        let mut batch = BatchBuilder::new(self.groups.len(), Vec::new());
        for (ty, cells) in self.types.iter().zip(&self.columns) {
            batch.values(*ty, |row| cells.get(row).map_or(Value::Absent, |cell| self.value(*cell, interned)));
        }
        batch.groups(&self.groups);
        self.columns.iter_mut().for_each(Vec::clear);
        self.groups.clear();
        self.text.clear();
        batch.finish()
    }

    fn value<'a>(&'a self, cell: Cell, interned: &'a [Box<str>]) -> Value<'a> {
        let text = |start: u32, end: u32| self.text.get(start as usize..end as usize).unwrap_or_default();
        match cell {
            Cell::Absent => Value::Absent,
            Cell::Boolean(flag) => Value::Boolean(flag),
            Cell::Integer(integer) => Value::Integer(integer),
            Cell::Real(real) => Value::Real(real),
            Cell::Time(time) => Value::Time(time),
            Cell::Text(start, end) => Value::Text(Cow::Borrowed(text(start, end))),
            Cell::Json(start, end) => Value::Json(Cow::Borrowed(text(start, end))),
            Cell::Interned(entry) => interned.get(entry as usize).map_or(Value::Absent, |text| Value::Text(Cow::Borrowed(text))),
        }
    }
}
