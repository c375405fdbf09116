//! What a plugin writes, by key. A key that is not set in a row is absent there.

use std::cell::Cell;

use crate::bindings::types::Batch;
use crate::manifest::{Manifest, Type};
use crate::out::{OutColumn, append_groups};
use crate::row::{EMPTY, PLACES, Place, place};

/// The values that a plugin gives one row: an enricher's attributes or a metric's report columns.
///
/// Each setter takes a value or an `Option` of one; `None` takes back what was set. Setting a key again replaces it.
pub struct Patch {
    manifest: &'static Manifest,
    columns: Vec<OutColumn>,
    places: [Cell<Place>; PLACES],
    /// The group of each row so far.
    groups: Vec<u32>,
    rows: usize,
    repeated: bool,
}

impl Patch {
    pub(crate) fn new(manifest: &'static Manifest, rows: usize) -> Self {
        let columns = manifest.writes.iter().map(|write| OutColumn::new(write.ty, rows)).collect();
        Patch { manifest, columns, places: [const { Cell::new(EMPTY) }; PLACES], groups: Vec::new(), rows: 0, repeated: false }
    }

    /// Sets a text.
    ///
    /// # Panics
    /// Here and below: when the manifest does not write `key`, or as another type.
    #[track_caller]
    #[inline]
    pub fn text<'v>(&mut self, key: &'static str, value: impl Into<Option<&'v str>>) {
        self.set_bytes(key, Type::Text, value.into().map(str::as_bytes));
    }

    /// Sets a value given as JSON text; it must be valid JSON.
    #[track_caller]
    #[inline]
    pub fn json<'v>(&mut self, key: &'static str, value: impl Into<Option<&'v str>>) {
        self.set_bytes(key, Type::Json, value.into().map(str::as_bytes));
    }

    /// Sets an integer.
    #[track_caller]
    #[inline]
    pub fn integer(&mut self, key: &'static str, value: impl Into<Option<i64>>) {
        self.set_cell(key, Type::Integer, value.into().map(i64::to_le_bytes));
    }

    /// Sets an integer; one that 64 bits cannot hold is absent, never cut.
    #[track_caller]
    #[inline]
    pub fn wide_integer(&mut self, key: &'static str, value: impl Into<Option<i128>>) {
        self.integer(key, value.into().and_then(|value| i64::try_from(value).ok()));
    }

    /// Sets an integer that counts something.
    #[track_caller]
    #[inline]
    pub fn count(&mut self, key: &'static str, value: u64) {
        self.integer(key, i64::try_from(value).ok());
    }

    /// Sets a number; one that is not finite is absent.
    #[track_caller]
    #[inline]
    pub fn real(&mut self, key: &'static str, value: impl Into<Option<f64>>) {
        self.set_cell(key, Type::Real, value.into().filter(|value| value.is_finite()).map(f64::to_le_bytes));
    }

    /// Sets a time, UTC nanoseconds.
    #[track_caller]
    #[inline]
    pub fn time(&mut self, key: &'static str, value: impl Into<Option<i64>>) {
        self.set_cell(key, Type::Time, value.into().map(i64::to_le_bytes));
    }

    /// Sets true or false.
    #[track_caller]
    #[inline]
    pub fn boolean(&mut self, key: &'static str, value: impl Into<Option<bool>>) {
        self.set_cell(key, Type::Boolean, value.into().map(|value| [u8::from(value)]));
    }

    /// For a metric that answers several rows for one group: ends this row and begins another of the same group.
    pub fn next_row(&mut self) {
        if let Some(group) = self.groups.last().copied() {
            self.repeated = true;
            self.begin(group);
        }
    }

    /// Begins the next row.
    pub(crate) fn begin(&mut self, group: u32) {
        self.groups.push(group);
        self.rows += 1;
    }

    pub(crate) fn begin_row(&mut self) {
        self.rows += 1;
    }

    pub(crate) fn finish(self) -> Batch {
        let mut batch = Batch { rows: self.rows as u32, columns: Vec::with_capacity(self.columns.len() + 1), data: Vec::new() };
        for column in self.columns {
            column.append(&mut batch);
        }
        if self.repeated {
            append_groups(&mut batch, &self.groups);
        }
        batch
    }

    #[track_caller]
    #[inline(always)]
    fn set_cell<const N: usize>(&mut self, key: &'static str, ty: Type, cell: Option<[u8; N]>) {
        let row = self.rows - 1;
        let column = self.column(key, ty);
        match cell {
            Some(cell) => column.set_cell(row, cell),
            None => column.clear(row),
        }
    }

    #[track_caller]
    #[inline(always)]
    fn set_bytes(&mut self, key: &'static str, ty: Type, bytes: Option<&[u8]>) {
        let row = self.rows - 1;
        let column = self.column(key, ty);
        match bytes {
            Some(bytes) => column.set_bytes(row, bytes),
            None => column.clear(row),
        }
    }

    #[track_caller]
    #[inline(always)]
    fn column(&mut self, key: &'static str, ty: Type) -> &mut OutColumn {
        let Some(column) = place(&self.places, self.manifest.writes, key).and_then(|column| self.columns.get_mut(column)) else {
            not_written(key);
        };
        if column.ty() != ty {
            set_as(key, column.ty(), ty);
        }
        column
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn not_written(key: &str) -> ! {
    panic!("key `{key}` is not among the writes of plugin.toml");
}

#[cold]
#[inline(never)]
#[track_caller]
fn set_as(key: &str, declared: Type, ty: Type) -> ! {
    panic!("key `{key}` is declared {} in plugin.toml and set as {}", declared.name(), ty.name());
}
