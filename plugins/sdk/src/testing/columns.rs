//! Columns from JSON rows, as the host writes them, and back.

use serde_json::{Map, Value};

use crate::bindings::types::{Batch, Column};
use crate::bindings::{MISMATCHED, PRESENT, kind};
use crate::manifest::{Manifest, Type};
use crate::out::{append, append_groups, code, width};
use crate::row::{Cells, group_cells, group_of};

/// How text is handed over; a plugin must not tell the difference.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Plain,
    Dictionary,
}

impl Coding {
    pub const ALL: [Coding; 2] = [Coding::Plain, Coding::Dictionary];
}

/// What a case may say of a row though the plugin does not read it: its group, and the name of its event, which has the family.
const ALWAYS: [&str; 2] = ["group", "event.name"];

/// The columns that `manifest` reads, and the groups.
pub(super) fn row_batch(manifest: &Manifest, rows: &[Value], groups: Option<&[u32]>, coding: Coding) -> Batch {
    for row in rows {
        for name in row.as_object().unwrap_or_else(|| panic!("a row is not an object: {row}")).keys() {
            assert!(
                ALWAYS.contains(&&**name) || manifest.reads.iter().any(|read| read.is(name)),
                "`{name}` is not among the reads of plugin.toml"
            );
        }
    }
    let mut batch = Batch { rows: rows.len() as u32, columns: Vec::new(), data: Vec::new() };
    for read in manifest.reads {
        let name = read.name();
        column(&mut batch, read.ty, rows.iter().map(|row| row.get(&name).unwrap_or(&Value::Null)), coding);
    }
    if let Some(groups) = groups {
        append_groups(&mut batch, groups);
    }
    batch
}

/// States with the groups they go to.
pub(super) fn group_batch(states: &Batch, groups: &[u32]) -> Batch {
    let mut batch = states.clone();
    if groups.is_empty() {
        batch = Batch { rows: 0, columns: vec![Column { kind: kind::BYTES, bitmaps: 0, count: 0, at: 0 }], data: vec![0; 8] };
    }
    append_groups(&mut batch, groups);
    batch
}

/// Leaves as a masker gets them; `field` and `part` have defaults.
pub(super) fn leaf_batch(rows: &[Value], coding: Coding) -> Batch {
    let with_pointers = rows.iter().any(|row| row.get("pointer").is_some());
    let mut batch = Batch { rows: rows.len() as u32, columns: Vec::new(), data: Vec::new() };
    for (name, default) in [("field", "attributes[\"text\"]"), ("part", "value"), ("pointer", ""), ("text", "")] {
        if name != "pointer" || with_pointers {
            let values: Vec<_> = rows.iter().map(|row| row.get(name).cloned().unwrap_or_else(|| default.into())).collect();
            column(&mut batch, Type::Text, values.iter(), coding);
        }
    }
    batch
}

/// Leaf, start, end and replacement of each span.
pub(super) fn spans(batch: &Batch) -> Vec<(usize, usize, usize, String)> {
    let cells: Vec<_> = batch
        .columns
        .iter()
        .map(|header| Cells::new(batch, header, batch.rows as usize))
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("the output cannot be read: {error:?}"));
    let place = |column: usize, row: usize| cells[column].cell(row).map_or(0, |cell| i64::from_le_bytes(cell) as usize);
    let text = |row: usize| cells[3].str(row).unwrap_or_default().to_owned();
    (0..batch.rows as usize).map(|row| (place(0, row), place(1, row), place(2, row), text(row))).collect()
}

fn column<'v>(batch: &mut Batch, ty: Type, rows: impl ExactSizeIterator<Item = &'v Value>, coding: Coding) {
    let (mut present, mut mismatched) = (vec![0_u8; rows.len().div_ceil(8)], vec![0_u8; rows.len().div_ceil(8)]);
    let mut cells = Vec::new();
    for (row, value) in rows.enumerate() {
        let cell = if value.is_null() { None } else { cell(ty, value) };
        let bitmap = if cell.is_some() { &mut present } else { &mut mismatched };
        if !value.is_null() {
            bitmap[row / 8] |= 1 << (row % 8);
        }
        cells.push(cell);
    }
    let coded = ty == Type::Text && coding == Coding::Dictionary;
    let mut entries: Vec<&[u8]> = Vec::new();
    let mut codes = Vec::new();
    for cell in &cells {
        let cell = cell.as_deref().unwrap_or_default();
        let known = entries.iter().position(|entry| coded && *entry == cell);
        codes.push(known.unwrap_or(entries.len()) as u32);
        if known.is_none() {
            entries.push(cell);
        }
    }
    let fixed = width(ty);
    let bitmaps =
        if cells.iter().all(Option::is_some) { 0 } else { PRESENT } | if mismatched.iter().any(|byte| *byte != 0) { MISMATCHED } else { 0 };
    let kind = if coded { kind::TEXT_DICTIONARY } else { code(ty) };
    batch.columns.push(Column { kind, bitmaps, count: entries.len() as u32, at: batch.data.len() as u32 });
    if bitmaps & PRESENT != 0 {
        append(&mut batch.data, &present);
    }
    if bitmaps & MISMATCHED != 0 {
        append(&mut batch.data, &mismatched);
    }
    if let Some(width) = fixed {
        let section: Vec<u8> = cells.iter().flat_map(|cell| cell.clone().unwrap_or_else(|| vec![0; width])).collect();
        return append(&mut batch.data, &section);
    }
    if coded {
        append(&mut batch.data, &codes.iter().flat_map(|code| code.to_le_bytes()).collect::<Vec<_>>());
    }
    let mut offsets = 0_u32.to_le_bytes().to_vec();
    let mut end = 0;
    for entry in &entries {
        end += entry.len() as u32;
        offsets.extend_from_slice(&end.to_le_bytes());
    }
    append(&mut batch.data, &offsets);
    append(&mut batch.data, &entries.concat());
}

fn cell(ty: Type, value: &Value) -> Option<Vec<u8>> {
    match ty {
        Type::Boolean => value.as_bool().map(|flag| vec![u8::from(flag)]),
        Type::Integer => {
            let whole = value.as_f64().filter(|real| real.fract() == 0.0 && real.abs() < 9_007_199_254_740_992.0);
            value.as_i64().or(whole.map(|real| real as i64)).map(|integer| integer.to_le_bytes().to_vec())
        }
        Type::Real => value.as_f64().map(|real| real.to_le_bytes().to_vec()),
        Type::Time => value.as_str().and_then(time).map(|time| time.to_le_bytes().to_vec()),
        Type::Text | Type::Bytes => value.as_str().map(|text| text.as_bytes().to_vec()),
        Type::Json => Some(value.to_string().into_bytes()),
    }
}

/// UTC nanoseconds of `2026-11-23T08:00:31.5Z`.
fn time(text: &str) -> Option<i64> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (seconds, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut clock = seconds.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let nanoseconds: i64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000_000 + nanoseconds)
}

/// The values of the columns that `manifest` writes, an object a row, without absent ones.
pub(super) fn written(manifest: &Manifest, batch: &Batch) -> Vec<Value> {
    let rows = batch.rows as usize;
    let grouped = batch.columns.len() == manifest.writes.len() + 1;
    let mut out = vec![Map::new(); rows];
    for (write, header) in manifest.writes.iter().zip(&batch.columns) {
        let cells = Cells::new(batch, header, rows).unwrap_or_else(|error| panic!("the output cannot be read: {error:?}"));
        for (row, values) in out.iter_mut().enumerate() {
            if let Some(value) = cells.value(row, write.ty) {
                values.insert(write.name(), value);
            }
        }
    }
    if grouped {
        let groups = group_cells(batch).unwrap_or_else(|error| panic!("the output cannot be read: {error:?}"));
        out.iter_mut().enumerate().for_each(|(row, values)| drop(values.insert("group".to_owned(), group_of(groups, row).into())));
    }
    out.into_iter().map(Value::Object).collect()
}

impl Cells<'_> {
    fn value(&self, row: usize, ty: Type) -> Option<Value> {
        Some(match ty {
            Type::Boolean => Value::from(self.flag(row)?),
            Type::Integer | Type::Time => Value::from(i64::from_le_bytes(self.cell(row)?)),
            Type::Real => Value::from(f64::from_le_bytes(self.cell(row)?)),
            Type::Text | Type::Bytes => Value::from(String::from_utf8_lossy(self.bytes(row)?)),
            Type::Json => serde_json::from_slice(self.bytes(row)?).unwrap_or_else(|error| panic!("a plugin wrote broken JSON: {error}")),
        })
    }
}
