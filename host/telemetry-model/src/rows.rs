//! Rows as the component host sees them: any field of any row, without copying.

use std::borrow::Cow;

use crate::field::{Family, Field};

/// The value of a field in a row. Which fits a declared type is the reader's to say: an integer fits `real`, everything fits `json`.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// No value, or null.
    Absent,
    /// true or false.
    Boolean(bool),
    /// Fits 64 bits.
    Integer(i64),
    /// Finite.
    Real(f64),
    /// UTC nanoseconds.
    Time(i64),
    /// Unescaped text.
    Text(Cow<'a, str>),
    /// A value as JSON text: lists, objects, numbers that no other case holds.
    Json(Cow<'a, str>),
}

/// A batch of rows.
pub trait Rows: Sync {
    /// How many.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The family of the row's event.
    fn family(&self, row: usize) -> Family;
    /// The value of `field` in `row`; [`Value::Absent`] when there is none. A string is [`Value::Text`] here, also for `json`.
    fn value(&self, row: usize, field: &Field) -> Value<'_>;
    /// Who sent the row (peer and agent, hashed), for breakers that need several sources to agree.
    fn source(&self, row: usize) -> u64;
}
