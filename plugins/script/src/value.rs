//! Values that a program computes with. Null is unknown: what cannot be computed is null.

use std::borrow::Cow;
use std::cmp::Ordering;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    /// UTC nanoseconds.
    Time(i64),
    /// Text, and JSON as it is written.
    Text(Cow<'a, str>),
}

impl<'a> Value<'a> {
    pub fn is_true(&self) -> bool {
        matches!(self, Value::Boolean(true))
    }

    pub fn real(&self) -> Option<f64> {
        match self {
            Value::Integer(integer) => Some(*integer as f64),
            Value::Real(real) => Some(*real),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// How it stands to another of its type; integers and reals are of one.
    pub fn compare(&self, other: &Value<'_>) -> Option<Ordering> {
        match (self, other) {
            (Value::Boolean(a), Value::Boolean(b)) => Some(a.cmp(b)),
            (Value::Integer(a), Value::Integer(b)) | (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
            (Value::Text(a), Value::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            _ => self.real()?.partial_cmp(&other.real()?),
        }
    }
}

/// A real, if it is a number.
pub fn finite<'a>(real: f64) -> Value<'a> {
    if real.is_finite() { Value::Real(real) } else { Value::Null }
}

/// The integer that a real without fraction is, if 64 bits hold it.
pub fn whole<'a>(real: f64) -> Value<'a> {
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&real);
    if fits { Value::Integer(real as i64) } else { Value::Null }
}

impl From<Option<bool>> for Value<'_> {
    fn from(flag: Option<bool>) -> Self {
        flag.map_or(Value::Null, Value::Boolean)
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(integer: Option<i64>) -> Self {
        integer.map_or(Value::Null, Value::Integer)
    }
}
