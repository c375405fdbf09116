//! One row, read by field name. Columns, codes and bitmaps stay in here.
//!
//! A name is found in the manifest once a batch: after that its address finds the column.
#![allow(unsafe_code)]

use std::cell::Cell;

use crate::bindings::types::{Batch, Column, PluginError};
use crate::bindings::{MISMATCHED, PRESENT, kind};
use crate::manifest::{Declared, Manifest, Type};

/// One row of a batch.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    view: &'a View<'a>,
    row: usize,
}

impl<'a> Row<'a> {
    /// The text of `field`; `None` when the row has none or a value of another type.
    ///
    /// # Panics
    /// Here and below: when the manifest does not read `field`, or as another type.
    #[track_caller]
    #[inline]
    pub fn text(&self, field: &'static str) -> Option<&'a str> {
        self.view.column(field, Type::Text).str(self.row)
    }

    /// The JSON text of `field`, whatever its type.
    #[track_caller]
    #[inline]
    pub fn json(&self, field: &'static str) -> Option<&'a str> {
        self.view.column(field, Type::Json).str(self.row)
    }

    /// The bytes of `field`.
    #[track_caller]
    #[inline]
    pub fn bytes(&self, field: &'static str) -> Option<&'a [u8]> {
        self.view.column(field, Type::Bytes).bytes(self.row)
    }

    /// The integer of `field`.
    #[track_caller]
    #[inline]
    pub fn integer(&self, field: &'static str) -> Option<i64> {
        self.view.column(field, Type::Integer).cell(self.row).map(i64::from_le_bytes)
    }

    /// The number of `field`, finite.
    #[track_caller]
    #[inline]
    pub fn real(&self, field: &'static str) -> Option<f64> {
        self.view.column(field, Type::Real).cell(self.row).map(f64::from_le_bytes)
    }

    /// The time of `field`, UTC nanoseconds.
    #[track_caller]
    #[inline]
    pub fn time(&self, field: &'static str) -> Option<i64> {
        self.view.column(field, Type::Time).cell(self.row).map(i64::from_le_bytes)
    }

    /// true or false.
    #[track_caller]
    #[inline]
    pub fn boolean(&self, field: &'static str) -> Option<bool> {
        self.view.column(field, Type::Boolean).flag(self.row)
    }

    /// Whether the row has a value for `field` that is not of the declared type.
    #[track_caller]
    #[inline]
    pub fn is_mismatched(&self, field: &'static str) -> bool {
        let column = self.view.find(field);
        column.mismatched.is_some_and(|bitmap| bit(bitmap, self.row))
    }

    /// Whether the row has no value at all for `field`, neither of the declared type nor of another.
    #[track_caller]
    #[inline]
    pub fn is_absent(&self, field: &'static str) -> bool {
        let column = self.view.find(field);
        !column.is_present(self.row) && !column.mismatched.is_some_and(|bitmap| bit(bitmap, self.row))
    }
}

/// A batch, its columns taken apart.
pub(crate) struct View<'a> {
    manifest: &'static Manifest,
    columns: Vec<Cells<'a>>,
    pub groups: &'a [u8],
    pub rows: usize,
    places: [Cell<Place>; PLACES],
}

/// A name once found: its address and length, and the column. A `'static` name never changes under its address.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub name: *const u8,
    pub len: usize,
    pub column: usize,
}

pub(crate) const PLACES: usize = 32;
pub(crate) const EMPTY: Place = Place { name: std::ptr::null(), len: 0, column: 0 };

/// The column of `name`, from `places` or, the first time, from what is declared. In line: arguments on the stack cost more than this.
#[inline(always)]
pub(crate) fn place(places: &[Cell<Place>; PLACES], declared: &[Declared], name: &'static str) -> Option<usize> {
    let known = places[first_place(name)].get();
    if std::ptr::eq(known.name, name.as_ptr()) && known.len == name.len() { Some(known.column) } else { seek(places, declared, name) }
}

#[inline(always)]
fn first_place(name: &str) -> usize {
    ((name.as_ptr() as usize) ^ ((name.as_ptr() as usize) >> 5) ^ name.len()) % PLACES
}

#[inline(never)]
fn seek(places: &[Cell<Place>; PLACES], declared: &[Declared], name: &'static str) -> Option<usize> {
    let start = first_place(name);
    let mut free = None;
    for step in 0..4 {
        let cell = &places[start.wrapping_add(step) % PLACES];
        let known = cell.get();
        if std::ptr::eq(known.name, name.as_ptr()) && known.len == name.len() {
            return Some(known.column);
        }
        if known.name.is_null() {
            free = Some(cell);
            break;
        }
    }
    let column = declared.iter().position(|one| one.is(name))?;
    if let Some(cell) = free {
        cell.set(Place { name: name.as_ptr(), len: name.len(), column });
    }
    Some(column)
}

impl<'a> View<'a> {
    /// Takes the columns that `manifest` reads apart; with `grouped`, a last column of kind `group`.
    pub fn new(manifest: &'static Manifest, batch: &'a Batch, grouped: bool) -> Result<Self, PluginError> {
        let rows = batch.rows as usize;
        if batch.columns.len() != manifest.reads.len() + usize::from(grouped) {
            return Err(invalid("the batch has another number of columns than the manifest"));
        }
        let columns = batch.columns[..manifest.reads.len()].iter();
        let columns = columns.map(|column| Cells::new(batch, column, rows)).collect::<Result<Vec<_>, _>>()?;
        let groups = if grouped { group_cells(batch)? } else { &[] };
        Ok(View { manifest, columns, groups, rows, places: [const { Cell::new(EMPTY) }; PLACES] })
    }

    pub fn row(&'a self, row: usize) -> Row<'a> {
        Row { view: self, row }
    }

    #[track_caller]
    #[inline(always)]
    fn find(&self, field: &'static str) -> &Cells<'a> {
        match place(&self.places, self.manifest.reads, field).and_then(|column| self.columns.get(column)) {
            Some(column) => column,
            None => not_read(field),
        }
    }

    #[track_caller]
    #[inline(always)]
    fn column(&self, field: &'static str, ty: Type) -> &Cells<'a> {
        let column = self.find(field);
        if column.ty != ty {
            read_as(field, column.ty, ty);
        }
        column
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn not_read(field: &str) -> ! {
    panic!("field `{field}` is not among the reads of plugin.toml");
}

#[cold]
#[inline(never)]
#[track_caller]
fn read_as(field: &str, declared: Type, ty: Type) -> ! {
    panic!("field `{field}` is declared {} in plugin.toml and read as {}", declared.name(), ty.name());
}

/// The ids of a last column of kind `group`, four bytes each.
pub(crate) fn group_cells(batch: &Batch) -> Result<&[u8], PluginError> {
    let column =
        batch.columns.last().filter(|column| column.kind == kind::GROUP).ok_or_else(|| invalid("the last column is not of kind group"))?;
    section(&batch.data, &mut (column.at as usize), batch.rows as usize * 4)
}

pub(crate) fn group_of(cells: &[u8], row: usize) -> usize {
    cells.get(row * 4..row * 4 + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, |bytes| u32::from_le_bytes(bytes) as usize)
}

/// The sections of one column.
pub(crate) struct Cells<'a> {
    ty: Type,
    coded: bool,
    present: Option<&'a [u8]>,
    mismatched: Option<&'a [u8]>,
    cells: &'a [u8],
    offsets: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> Cells<'a> {
    pub fn new(batch: &'a Batch, column: &Column, rows: usize) -> Result<Self, PluginError> {
        let mut at = column.at as usize;
        let mut take = |len| section(&batch.data, &mut at, len);
        let present = if column.bitmaps & PRESENT == 0 { None } else { Some(take(rows.div_ceil(8))?) };
        let mismatched = if column.bitmaps & MISMATCHED == 0 { None } else { Some(take(rows.div_ceil(8))?) };
        let mut cells = Cells { ty: Type::Text, coded: false, present, mismatched, cells: &[], offsets: &[], bytes: &[] };
        cells.ty = match column.kind {
            kind::BOOLEAN => Type::Boolean,
            kind::INTEGER => Type::Integer,
            kind::REAL => Type::Real,
            kind::TIME => Type::Time,
            kind::TEXT | kind::TEXT_DICTIONARY => Type::Text,
            kind::JSON => Type::Json,
            kind::BYTES => Type::Bytes,
            _ => return Err(invalid("a column is of a kind that this plugin's SDK does not know")),
        };
        match cells.ty {
            Type::Boolean => cells.cells = take(rows)?,
            Type::Integer | Type::Real | Type::Time => cells.cells = take(rows * 8)?,
            Type::Text | Type::Json | Type::Bytes => {
                cells.coded = column.kind == kind::TEXT_DICTIONARY;
                if cells.coded {
                    cells.cells = take(rows * 4)?;
                }
                cells.offsets = take((column.count as usize + 1) * 4)?;
                cells.bytes = take(word(cells.offsets, column.count as usize).unwrap_or(0))?;
            }
        }
        Ok(cells)
    }

    #[inline]
    fn is_present(&self, row: usize) -> bool {
        self.present.is_none_or(|bitmap| bit(bitmap, row))
    }

    #[inline]
    pub fn flag(&self, row: usize) -> Option<bool> {
        self.cells.get(row).filter(|_| self.is_present(row)).map(|byte| *byte != 0)
    }

    #[inline]
    pub fn cell(&self, row: usize) -> Option<[u8; 8]> {
        if !self.is_present(row) {
            return None;
        }
        self.cells.get(row * 8..row * 8 + 8)?.try_into().ok()
    }

    #[inline]
    pub fn bytes(&self, row: usize) -> Option<&'a [u8]> {
        if !self.is_present(row) {
            return None;
        }
        let entry = if self.coded { word(self.cells, row)? } else { row };
        self.bytes.get(word(self.offsets, entry)?..word(self.offsets, entry + 1)?)
    }

    #[inline]
    pub fn str(&self, row: usize) -> Option<&'a str> {
        // SAFETY: the host writes text and JSON as UTF-8 that it has checked, and cuts it at characters (wit/README.md).
        self.bytes(row).map(|bytes| unsafe { std::str::from_utf8_unchecked(bytes) })
    }
}

pub(crate) fn invalid(message: &str) -> PluginError {
    PluginError::InvalidInput(message.to_owned())
}

fn section<'a>(data: &'a [u8], at: &mut usize, len: usize) -> Result<&'a [u8], PluginError> {
    let end = at.checked_add(len).ok_or_else(|| invalid("a section is too long"))?;
    let section = data.get(*at..end).ok_or_else(|| invalid("a section ends past the end of the data"))?;
    *at = end.next_multiple_of(8);
    Ok(section)
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
