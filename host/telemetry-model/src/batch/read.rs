//! Checking and reading columns: one cursor over the buffer; nothing is trusted.

use std::borrow::Cow;

use super::{Batch, Kind, MISMATCHED, PRESENT};
use crate::field::FieldType;
use crate::rows::Value;

/// What is wrong with a batch; `column` counts from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// More or fewer columns than declared.
    #[error("{found} columns instead of {expected}")]
    Columns {
        /// Declared.
        expected: usize,
        /// Given.
        found: usize,
    },
    /// Another number of rows than came in.
    #[error("{found} rows instead of {expected}")]
    Rows {
        /// Came in.
        expected: u32,
        /// Given.
        found: u32,
    },
    /// A number that the registry does not have.
    #[error("column {column}: unknown kind {kind}")]
    UnknownKind {
        /// Which.
        column: usize,
        /// The number.
        kind: u16,
    },
    /// A kind that does not fit the declared type.
    #[error("column {column}: kind {kind:?} does not fit the declared type {}", ty.as_str())]
    WrongKind {
        /// Which.
        column: usize,
        /// Given.
        kind: Kind,
        /// Declared.
        ty: FieldType,
    },
    /// Anything else in a column.
    #[error("column {column}: {problem}")]
    Column {
        /// Which.
        column: usize,
        /// What.
        problem: &'static str,
    },
    /// Bytes behind the last column.
    #[error("{0} bytes behind the last column")]
    Trailing(usize),
}

/// A checked batch.
#[derive(Debug)]
pub struct BatchView<'a> {
    rows: usize,
    columns: Vec<ColumnView<'a>>,
    groups: Option<&'a [u8]>,
}

/// A checked column.
#[derive(Debug)]
pub struct ColumnView<'a> {
    kind: Kind,
    present: Option<&'a [u8]>,
    mismatched: Option<&'a [u8]>,
    cells: &'a [u8],
    offsets: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// Checks `batch` against the declared types. A last column of kind `group` may follow; its ids are not bounded here.
    ///
    /// # Errors
    /// The first thing that breaks the law of the format.
    pub fn check(batch: &'a Batch, types: &[FieldType]) -> Result<Self, BatchError> {
        let rows = batch.rows as usize;
        let grouped =
            batch.columns.len() == types.len() + 1 && batch.columns.last().is_some_and(|column| column.kind == Kind::Group.code());
        if batch.columns.len() != types.len() + usize::from(grouped) {
            return Err(BatchError::Columns { expected: types.len(), found: batch.columns.len() });
        }
        let mut cursor = Cursor { data: &batch.data, at: 0, column: 0 };
        let mut columns = Vec::with_capacity(types.len());
        let mut groups = None;
        for (index, header) in batch.columns.iter().enumerate() {
            cursor.column = index;
            if header.at as usize != cursor.at {
                return Err(cursor.error("does not start where the last one ended"));
            }
            let kind = Kind::from_code(header.kind).ok_or(BatchError::UnknownKind { column: index, kind: header.kind })?;
            let view = cursor.column(kind, header.bitmaps, rows, header.count as usize)?;
            match types.get(index) {
                Some(ty) if kind.fits(*ty) => columns.push(view),
                Some(ty) => return Err(BatchError::WrongKind { column: index, kind, ty: *ty }),
                None => groups = Some(view.cells),
            }
        }
        if cursor.at != batch.data.len() {
            return Err(BatchError::Trailing(batch.data.len().saturating_sub(cursor.at)));
        }
        Ok(BatchView { rows, columns, groups })
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns, in the order declared.
    pub fn columns(&self) -> &[ColumnView<'a>] {
        &self.columns
    }

    /// The group of each row, when a `group` column came last.
    pub fn groups(&self) -> Option<impl ExactSizeIterator<Item = u32> + 'a> {
        self.groups.map(|cells| cells.as_chunks::<4>().0.iter().map(|chunk| u32::from_le_bytes(*chunk)))
    }
}

impl<'a> ColumnView<'a> {
    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether `row` has a value.
    pub fn is_present(&self, row: usize) -> bool {
        self.present.is_none_or(|bitmap| bit(bitmap, row))
    }

    /// Whether `row` has a value of another type.
    pub fn is_mismatched(&self, row: usize) -> bool {
        self.mismatched.is_some_and(|bitmap| bit(bitmap, row))
    }

    /// The value of `row`; [`Value::Absent`] too for rows beyond the end. Bytes are [`ColumnView::bytes`]'.
    pub fn value(&self, row: usize) -> Value<'a> {
        if !self.is_present(row) {
            return Value::Absent;
        }
        match self.kind {
            Kind::Boolean => self.cells.get(row).map_or(Value::Absent, |byte| Value::Boolean(*byte == 1)),
            Kind::Integer => self.cell(row).map_or(Value::Absent, |bytes| Value::Integer(i64::from_le_bytes(bytes))),
            Kind::Time => self.cell(row).map_or(Value::Absent, |bytes| Value::Time(i64::from_le_bytes(bytes))),
            Kind::Real => match self.cell(row).map(f64::from_le_bytes) {
                Some(real) if real.is_finite() => Value::Real(real),
                _ => Value::Absent,
            },
            Kind::Text | Kind::TextDictionary => self.str(row).map_or(Value::Absent, |text| Value::Text(Cow::Borrowed(text))),
            Kind::Json => self.str(row).map_or(Value::Absent, |text| Value::Json(Cow::Borrowed(text))),
            Kind::Bytes | Kind::Group => Value::Absent,
        }
    }

    /// The bytes of `row` in a column of spans.
    pub fn bytes(&self, row: usize) -> Option<&'a [u8]> {
        let entry = match self.kind {
            Kind::TextDictionary => u32::from_le_bytes(chunk(self.cells, row)?) as usize,
            Kind::Text | Kind::Json | Kind::Bytes => row,
            _ => return None,
        };
        let start = u32::from_le_bytes(chunk(self.offsets, entry)?) as usize;
        let end = u32::from_le_bytes(chunk(self.offsets, entry + 1)?) as usize;
        self.bytes.get(start..end)
    }

    fn str(&self, row: usize) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(row)?).ok()
    }

    fn cell(&self, row: usize) -> Option<[u8; 8]> {
        chunk(self.cells, row)
    }
}

struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
    column: usize,
}

impl<'a> Cursor<'a> {
    fn column(&mut self, kind: Kind, bitmaps: u16, rows: usize, count: usize) -> Result<ColumnView<'a>, BatchError> {
        if bitmaps & !(PRESENT | MISMATCHED) != 0 {
            return Err(self.error("unknown bitmap"));
        }
        let present = (bitmaps & PRESENT != 0).then(|| self.section(rows.div_ceil(8))).transpose()?;
        let mismatched = (bitmaps & MISMATCHED != 0).then(|| self.section(rows.div_ceil(8))).transpose()?;
        if kind != Kind::TextDictionary && count != rows {
            return Err(self.error("count differs from the rows"));
        }
        let mut view = ColumnView { kind, present, mismatched, cells: &[], offsets: &[], bytes: &[] };
        match kind {
            Kind::Boolean => {
                view.cells = self.section(rows)?;
                if view.cells.iter().any(|byte| *byte > 1) {
                    return Err(self.error("a boolean is neither 0 nor 1"));
                }
            }
            Kind::Integer | Kind::Real | Kind::Time => view.cells = self.section(self.times(rows, 8)?)?,
            Kind::Group => view.cells = self.section(self.times(rows, 4)?)?,
            Kind::Text | Kind::Json | Kind::Bytes => self.spans(&mut view, rows)?,
            Kind::TextDictionary => {
                view.cells = self.section(self.times(rows, 4)?)?;
                self.spans(&mut view, count)?;
                self.codes(&view, count)?;
            }
        }
        Ok(view)
    }

    fn codes(&self, view: &ColumnView<'_>, count: usize) -> Result<(), BatchError> {
        for (row, code) in view.cells.as_chunks::<4>().0.iter().enumerate() {
            if u32::from_le_bytes(*code) as usize >= count && view.is_present(row) {
                return Err(self.error("a code is not in the dictionary"));
            }
        }
        Ok(())
    }

    fn spans(&mut self, view: &mut ColumnView<'a>, count: usize) -> Result<(), BatchError> {
        view.offsets = self.section(self.times(count + 1, 4)?)?;
        let mut offsets = view.offsets.as_chunks::<4>().0.iter().map(|chunk| u32::from_le_bytes(*chunk) as usize);
        if offsets.next() != Some(0) {
            return Err(self.error("the first offset is not 0"));
        }
        let mut end = 0;
        for offset in offsets.clone() {
            if offset < end {
                return Err(self.error("an offset runs backwards"));
            }
            end = offset;
        }
        if end > self.data.len().saturating_sub(self.at) {
            return Err(self.error("an offset is past the end of the data"));
        }
        view.bytes = self.section(end)?;
        if matches!(view.kind, Kind::Bytes) {
            return Ok(());
        }
        let text = std::str::from_utf8(view.bytes).map_err(|_| self.error("text is not UTF-8"))?;
        if !offsets.all(|offset| text.is_char_boundary(offset)) {
            return Err(self.error("text is cut inside a character"));
        }
        Ok(())
    }

    fn times(&self, rows: usize, width: usize) -> Result<usize, BatchError> {
        rows.checked_mul(width).ok_or_else(|| self.error("too many rows"))
    }

    fn section(&mut self, len: usize) -> Result<&'a [u8], BatchError> {
        let data = self.data;
        let end = self.at.checked_add(len).ok_or_else(|| self.error("too long"))?;
        let section = data.get(self.at..end).ok_or_else(|| self.error("ends past the end of the data"))?;
        let padded = end.next_multiple_of(8);
        let padding = data.get(end..padded).ok_or_else(|| self.error("the padding is missing"))?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(self.error("the padding is not zero"));
        }
        self.at = padded;
        Ok(section)
    }

    fn error(&self, problem: &'static str) -> BatchError {
        BatchError::Column { column: self.column, problem }
    }
}

fn bit(bitmap: &[u8], row: usize) -> bool {
    bitmap.get(row / 8).is_some_and(|byte| byte & (1 << (row % 8)) != 0)
}

fn chunk<const N: usize>(bytes: &[u8], index: usize) -> Option<[u8; N]> {
    let start = index.checked_mul(N)?;
    bytes.get(start..start.checked_add(N)?)?.try_into().ok()
}
