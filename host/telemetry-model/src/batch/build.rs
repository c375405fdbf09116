//! Writing columns.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Batch, Column, Kind, MISMATCHED, PRESENT};
use crate::field::FieldType;
use crate::rows::Value;
use crate::time::Timestamp;

/// Writes a [`Batch`] column by column.
#[derive(Debug)]
pub struct BatchBuilder {
    batch: Batch,
    present: Vec<u8>,
    mismatched: Vec<u8>,
}

/// Up to this many rows a dictionary is sought by comparing, beyond it by hashing.
const LINEAR: usize = 32;

impl BatchBuilder {
    /// For `rows` rows. `data` is a buffer to reuse; it is emptied.
    pub fn new(rows: usize, mut data: Vec<u8>) -> Self {
        data.clear();
        let bitmap = vec![0; rows.div_ceil(8)];
        let batch = Batch { rows: rows as u32, columns: Vec::new(), data };
        BatchBuilder { batch, mismatched: bitmap.clone(), present: bitmap }
    }

    /// Rows of each column.
    pub fn rows(&self) -> usize {
        self.batch.rows as usize
    }

    /// Appends a column of declared type `ty`. A value of another type marks its row mismatched. An integer fits `real`, a real
    /// without fraction below 2^53 fits `integer`, readable text fits `time`, everything fits `json`.
    pub fn values<'a>(&mut self, ty: FieldType, mut value: impl FnMut(usize) -> Value<'a>) {
        match ty {
            FieldType::Boolean => self.fixed(Kind::Boolean, value, |value| match value {
                Value::Boolean(flag) => Some([u8::from(*flag)]),
                _ => None,
            }),
            FieldType::Integer => self.fixed(Kind::Integer, value, |value| integer(value).map(i64::to_le_bytes)),
            FieldType::Real => self.fixed(Kind::Real, value, |value| match value {
                Value::Real(real) => Some(real.to_le_bytes()),
                Value::Integer(integer) => Some((*integer as f64).to_le_bytes()),
                _ => None,
            }),
            FieldType::Time => self.fixed(Kind::Time, value, |value| time(value).map(i64::to_le_bytes)),
            FieldType::Text => self.text(&mut value),
            FieldType::Json => self.spans(Kind::Json, value, |value| match value {
                Value::Absent => None,
                other => Some(json(other)),
            }),
            FieldType::Bytes => self.spans(Kind::Bytes, value, |value| match value {
                Value::Text(text) => Some(text),
                _ => None,
            }),
        }
    }

    /// Appends a column of kind `group`.
    pub fn groups(&mut self, ids: &[u32]) {
        self.header(Kind::Group, self.batch.rows);
        for id in ids {
            self.batch.data.extend_from_slice(&id.to_le_bytes());
        }
        self.pad();
    }

    /// Appends a column of kind `bytes` whose rows are all present.
    pub fn bytes<'a>(&mut self, rows: impl ExactSizeIterator<Item = &'a [u8]>) {
        self.header(Kind::Bytes, self.batch.rows);
        let start = self.batch.data.len();
        self.batch.data.resize(start + (rows.len() + 1) * 4, 0);
        self.pad();
        let bytes = self.batch.data.len();
        for (row, value) in rows.enumerate() {
            self.batch.data.extend_from_slice(value);
            let end = (self.batch.data.len() - bytes) as u32;
            self.put_u32(start + (row + 1) * 4, end);
        }
        self.pad();
    }

    /// The batch.
    pub fn finish(self) -> Batch {
        self.batch
    }

    fn fixed<'a, const N: usize>(
        &mut self,
        kind: Kind,
        mut value: impl FnMut(usize) -> Value<'a>,
        convert: impl Fn(&Value<'a>) -> Option<[u8; N]>,
    ) {
        let rows = self.rows();
        let mut cells = Vec::with_capacity(rows * N);
        for row in 0..rows {
            let cell = value(row);
            let converted = convert(&cell);
            self.mark(row, converted.is_some(), !matches!(cell, Value::Absent));
            cells.extend_from_slice(&converted.unwrap_or([0; N]));
        }
        self.header_with_bitmaps(kind, self.batch.rows);
        self.batch.data.extend_from_slice(&cells);
        self.pad();
    }

    fn spans<'a>(&mut self, kind: Kind, mut value: impl FnMut(usize) -> Value<'a>, convert: impl Fn(Value<'a>) -> Option<Cow<'a, str>>) {
        let texts: Vec<_> = (0..self.rows())
            .map(|row| {
                let cell = value(row);
                let given = !matches!(cell, Value::Absent);
                let text = convert(cell);
                self.mark(row, text.is_some(), given);
                text
            })
            .collect();
        self.header_with_bitmaps(kind, self.batch.rows);
        self.texts(texts.iter().map(|text| text.as_deref().unwrap_or_default()), texts.len());
    }

    fn text<'a>(&mut self, value: &mut impl FnMut(usize) -> Value<'a>) {
        let rows = self.rows();
        let mut cells = Vec::with_capacity(rows);
        for row in 0..rows {
            let cell = value(row);
            let given = !matches!(cell, Value::Absent);
            let text = match cell {
                Value::Text(text) => Some(text),
                _ => None,
            };
            self.mark(row, text.is_some(), given);
            cells.push(text);
        }
        let Some((codes, entries)) = dictionary(&cells) else {
            self.header_with_bitmaps(Kind::Text, self.batch.rows);
            return self.texts(cells.iter().map(|cell| cell.as_deref().unwrap_or_default()), rows);
        };
        self.header_with_bitmaps(Kind::TextDictionary, entries.len() as u32);
        for code in codes {
            self.batch.data.extend_from_slice(&code.to_le_bytes());
        }
        self.pad();
        self.texts(entries.iter().copied(), entries.len());
    }

    fn texts<'a>(&mut self, texts: impl Iterator<Item = &'a str>, count: usize) {
        let start = self.batch.data.len();
        self.batch.data.resize(start + (count + 1) * 4, 0);
        self.pad();
        let bytes = self.batch.data.len();
        for (index, text) in texts.enumerate() {
            self.batch.data.extend_from_slice(text.as_bytes());
            let end = (self.batch.data.len() - bytes) as u32;
            self.put_u32(start + (index + 1) * 4, end);
        }
        self.pad();
    }

    fn mark(&mut self, row: usize, present: bool, given: bool) {
        let bit = 1 << (row % 8);
        if let Some(byte) = self.present.get_mut(row / 8) {
            *byte = if present { *byte | bit } else { *byte & !bit };
        }
        if let Some(byte) = self.mismatched.get_mut(row / 8) {
            *byte = if given && !present { *byte | bit } else { *byte & !bit };
        }
    }

    fn header_with_bitmaps(&mut self, kind: Kind, count: u32) {
        let rows = self.rows();
        let all_present = (0..rows).step_by(8).zip(&self.present).all(|(row, byte)| *byte == full(rows - row));
        let mismatches = self.mismatched.iter().any(|byte| *byte != 0);
        let bitmaps = if all_present { 0 } else { PRESENT } | if mismatches { MISMATCHED } else { 0 };
        self.header(kind, count);
        if let Some(column) = self.batch.columns.last_mut() {
            column.bitmaps = bitmaps;
        }
        if bitmaps & PRESENT != 0 {
            self.batch.data.extend_from_slice(&self.present);
            self.pad();
        }
        if bitmaps & MISMATCHED != 0 {
            self.batch.data.extend_from_slice(&self.mismatched);
            self.pad();
        }
    }

    fn header(&mut self, kind: Kind, count: u32) {
        let at = self.batch.data.len() as u32;
        self.batch.columns.push(Column { kind: kind.code(), bitmaps: 0, count, at });
    }

    fn pad(&mut self) {
        let len = self.batch.data.len().next_multiple_of(8);
        self.batch.data.resize(len, 0);
    }

    fn put_u32(&mut self, at: usize, value: u32) {
        if let Some(place) = self.batch.data.get_mut(at..at + 4) {
            place.copy_from_slice(&value.to_le_bytes());
        }
    }
}

/// The byte of a bitmap in which the first `left` rows (at most 8) are set.
fn full(left: usize) -> u8 {
    if left >= 8 { 0xff } else { (1u8 << left) - 1 }
}

/// Codes and entries when fewer than half of the rows differ; absent rows have code 0.
fn dictionary<'c>(cells: &'c [Option<Cow<'_, str>>]) -> Option<(Vec<u32>, Vec<&'c str>)> {
    let limit = cells.len() / 2;
    if limit == 0 {
        return None;
    }
    let mut entries: Vec<&str> = Vec::new();
    let mut known: HashMap<&str, u32> = HashMap::new();
    let mut codes = Vec::with_capacity(cells.len());
    let mut last = None;
    for cell in cells {
        let Some(text) = cell.as_deref() else {
            codes.push(0);
            continue;
        };
        if let Some((before, code)) = last
            && before == text
        {
            codes.push(code);
            continue;
        }
        let found = if entries.len() <= LINEAR {
            entries.iter().position(|entry| *entry == text).map(|at| at as u32)
        } else {
            if known.is_empty() {
                known = entries.iter().enumerate().map(|(at, entry)| (*entry, at as u32)).collect();
            }
            known.get(text).copied()
        };
        let code = match found {
            Some(code) => code,
            None if entries.len() == limit => return None,
            None => {
                let code = entries.len() as u32;
                entries.push(text);
                if !known.is_empty() {
                    known.insert(text, code);
                }
                code
            }
        };
        last = Some((text, code));
        codes.push(code);
    }
    Some((codes, entries))
}

fn integer(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Integer(integer) => Some(*integer),
        Value::Real(real) if real.fract() == 0.0 && real.abs() < 9_007_199_254_740_992.0 => Some(*real as i64),
        _ => None,
    }
}

fn time(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Time(nanoseconds) => Some(*nanoseconds),
        Value::Text(text) => Timestamp::parse(text).ok().map(|time| time.0),
        _ => None,
    }
}

fn json(value: Value<'_>) -> Cow<'_, str> {
    match value {
        Value::Absent => Cow::Borrowed("null"),
        Value::Boolean(flag) => Cow::Borrowed(if flag { "true" } else { "false" }),
        Value::Integer(integer) => Cow::Owned(integer.to_string()),
        Value::Real(real) => Cow::Owned(serde_json::Value::from(real).to_string()),
        Value::Time(nanoseconds) => Cow::Owned(serde_json::Value::from(Timestamp(nanoseconds).to_string()).to_string()),
        Value::Text(text) => Cow::Owned(serde_json::Value::from(&*text).to_string()),
        Value::Json(text) => text,
    }
}
