//! Row hashes: keyed, over the (field, type, value) triples that a plugin was handed of a row.
//!
//! Fields and types go into the key, values into the text, so a hash is the same however rows were cut into batches and whichever
//! encoding a column took. It is taken of the columns handed over, and again of the columns rebuilt from what is stored.

use telemetry_model::batch::ColumnView;
use telemetry_model::journal::Subject;
use telemetry_model::{Batch, BatchError, BatchView, Digest, DigestKey, Field, FieldType, Kind, Memo, Rows, Value};

use crate::manifest::Read;
use crate::project::{project, recycle};

/// A value of more bytes is not copied before it is hashed.
const LONG: usize = 4 << 10;

/// Hashes rows of one set of fields.
#[derive(Clone, Debug)]
pub struct RowHasher {
    key: DigestKey,
    set: Digest,
    fields: Vec<(Field, FieldType)>,
    types: Vec<FieldType>,
}

impl RowHasher {
    /// For `fields` under the key of a database.
    pub fn new(key: &DigestKey, fields: &[(Field, FieldType)]) -> Self {
        let set = Subject::field_set(fields);
        RowHasher {
            key: key.derive(&format!("row\n{set}")),
            set: key.digest(set.as_bytes()),
            fields: fields.to_vec(),
            types: fields.iter().map(|(_, ty)| *ty).collect(),
        }
    }

    /// The same for the same fields.
    pub(crate) fn set(&self) -> Digest {
        self.set
    }

    /// The hash of each row of `batch`, which may have a last column of groups: that is no value of the row.
    ///
    /// # Errors
    /// When the batch is not one of these fields.
    pub fn batch(&self, batch: &Batch, mut each: impl FnMut(usize, Digest)) -> Result<(), BatchError> {
        let view = BatchView::check(batch, &self.types)?;
        let (mut text, mut memo) = (Vec::with_capacity(256), Memo::default());
        for row in 0..view.rows() {
            each(row, self.row(view.columns(), row, &mut text, &mut memo));
        }
        Ok(())
    }

    /// The hashes of all rows of `rows`, projected as for a plugin.
    ///
    /// # Errors
    /// When they do not fit one batch.
    pub fn rows(&self, rows: &dyn Rows) -> Result<Vec<Digest>, BatchError> {
        let reads: Vec<_> = self.fields.iter().map(|(field, ty)| Read { field: field.clone(), ty: *ty }).collect();
        let mut hashes = Vec::with_capacity(rows.len());
        for row in 0..rows.len() as u32 {
            let batch = project(rows, &[row], &reads);
            let done = self.batch(&batch, |_, hash| hashes.push(hash));
            recycle(batch);
            done?;
        }
        Ok(hashes)
    }

    fn row(&self, columns: &[ColumnView<'_>], row: usize, text: &mut Vec<u8>, memo: &mut Memo) -> Digest {
        text.clear();
        if columns.iter().all(|column| column.bytes(row).is_none_or(|bytes| bytes.len() <= LONG)) {
            columns.iter().for_each(|column| value(column, row, &mut |bytes| text.extend_from_slice(bytes)));
            return memo.digest(&self.key, text);
        }
        let mut hasher = self.key.hasher();
        columns.iter().for_each(|column| value(column, row, &mut |bytes| hasher.update(bytes)));
        hasher.finish()
    }
}

/// One value: 0 for none, 2 for one of another type, which was not handed over; else 1, the length of a text, the value.
fn value(column: &ColumnView<'_>, row: usize, put: &mut impl FnMut(&[u8])) {
    if !column.is_present(row) {
        return put(if column.is_mismatched(row) { &[2] } else { &[0] });
    }
    put(&[1]);
    match column.value(row) {
        Value::Boolean(flag) => put(&[u8::from(flag)]),
        Value::Integer(integer) | Value::Time(integer) => put(&integer.to_le_bytes()),
        Value::Real(real) => put(&real.to_bits().to_le_bytes()),
        _ if column.kind() == Kind::Real => put(&f64::NAN.to_bits().to_le_bytes()),
        _ => {
            let bytes = column.bytes(row).unwrap_or_default();
            put(&(bytes.len() as u64).to_le_bytes());
            put(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use telemetry_model::{BatchBuilder, Relation};

    use super::*;

    fn hasher() -> RowHasher {
        let fields = [(Field::Fixed(Relation::Events, "name"), FieldType::Text), (Field::Attribute("n".into()), FieldType::Integer)];
        RowHasher::new(&DigestKey::new([3; 32]), &fields)
    }

    fn hashes(names: &[&'static str], numbers: &[Value<'static>]) -> Vec<Digest> {
        let mut batch = BatchBuilder::new(names.len(), Vec::new());
        batch.values(FieldType::Text, |row| Value::Text(Cow::Borrowed(names[row])));
        batch.values(FieldType::Integer, |row| numbers[row].clone());
        let mut found = Vec::new();
        hasher().batch(&batch.finish(), |_, hash| found.push(hash)).unwrap();
        found
    }

    #[test]
    fn cut_and_encoding_change_nothing() {
        // Together the names become a dictionary, alone they are text.
        let names = ["a", "a", "b", "a", "a"];
        let numbers = [Value::Integer(1), Value::Absent, Value::Text("x".into()), Value::Real(2.0), Value::Integer(2)];
        let together = hashes(&names, &numbers);
        let alone: Vec<_> = names.iter().zip(&numbers).flat_map(|(name, number)| hashes(&[name], std::slice::from_ref(number))).collect();
        assert_eq!(together, alone);
        assert_eq!(together[3], together[4], "the same value was handed over");
        assert_eq!(together.iter().collect::<std::collections::HashSet<_>>().len(), 4);
    }

    #[test]
    fn long_values_hash_as_short_ones_do() {
        let long: &'static str = "x".repeat(LONG + 1).leak();
        let hasher = hasher();
        let mut batch = BatchBuilder::new(1, Vec::new());
        batch.values(FieldType::Text, |_| Value::Text(Cow::Borrowed(long)));
        batch.values(FieldType::Integer, |_| Value::Absent);
        let mut found = None;
        hasher.batch(&batch.finish(), |_, hash| found = Some(hash)).unwrap();
        let mut text = vec![1];
        text.extend_from_slice(&(long.len() as u64).to_le_bytes());
        text.extend_from_slice(long.as_bytes());
        text.push(0);
        assert_eq!(found, Some(hasher.key.digest(&text)));
    }
}
