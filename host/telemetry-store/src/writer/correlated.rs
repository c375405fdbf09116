//! What calls and executions have in common: events of one (trace, span) make one row.

use rusqlite::types::Value;
use rusqlite::{Result, Row};
use telemetry_model::facts::Role;

use super::events::EventIds;
use super::merge::Merged;

/// Bit of `roles`: it began.
pub(crate) const BEGAN: i64 = 1;
/// Bit of `roles`: it ended.
pub(crate) const ENDED: i64 = 2;
/// Bit of `roles`: an event reported an error.
pub(crate) const FAILED: i64 = 4;

/// (start, span): the order of calls and executions.
pub(crate) type Place = (i64, Box<str>);

/// One call or execution, from the database or new in this transaction.
#[derive(Clone, Debug)]
pub(crate) struct Correlated {
    pub(crate) id: i64,
    pub(crate) event: i64,
    pub(crate) trace: Option<i64>,
    /// `None` when it pairs with nothing.
    pub(crate) span: Option<Box<str>>,
    pub(crate) scope: Option<i64>,
    pub(crate) roles: i64,
    pub(crate) start: i64,
    pub(crate) end: Option<i64>,
    pub(crate) merged: Merged,
    /// As it was stored: what its place among others rests on. `None` when it is new.
    pub(crate) stored: Option<Position>,
}

/// What the place of a row in its conversation rests on, beside its messages or arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) scope: Option<i64>,
    pub(crate) start: i64,
}

impl Correlated {
    /// A row that is not stored yet; `id` will be its own.
    pub(crate) fn new(id: i64, trace: Option<i64>, span: Option<&str>, fields: usize) -> Self {
        Correlated {
            id,
            event: 0,
            trace,
            span: span.map(Into::into),
            scope: None,
            roles: 0,
            start: i64::MAX,
            end: None,
            merged: Merged::new(fields),
            stored: None,
        }
    }

    /// Reads `id, event_id, trace, span, scope, roles, start_time, end_time, sources`, then `fields` columns.
    pub(crate) fn read(row: &Row<'_>, fields: usize) -> Result<Self> {
        let (scope, start) = (row.get(4)?, row.get(6)?);
        let values = (0..fields).map(|field| row.get::<_, Value>(9 + field)).collect::<Result<Vec<_>>>()?;
        Ok(Correlated {
            id: row.get(0)?,
            event: row.get(1)?,
            trace: row.get(2)?,
            span: row.get(3)?,
            scope,
            roles: row.get(5)?,
            start,
            end: row.get(7)?,
            merged: Merged { values, sources: row.get(8)? },
            stored: Some(Position { scope, start }),
        })
    }

    /// Takes the time and the role of one event. The row's event is the earliest beginning, else the earliest other.
    pub(crate) fn note(&mut self, ids: &EventIds, time: i64, role: Role, is_error: bool) {
        let (begins, began) = (role == Role::Begin, self.roles & BEGAN != 0);
        if begins != began && begins || begins == began && time < self.start {
            self.start = time;
            self.event = ids.event;
        }
        if !begins {
            self.end = Some(self.end.map_or(time, |end| end.max(time)));
        }
        self.roles |= match role {
            Role::Begin => BEGAN,
            Role::End => ENDED,
            Role::Error => ENDED | FAILED,
        };
        if is_error {
            self.roles |= FAILED;
        }
    }

    /// Its place among others of its scope.
    pub(crate) fn place(&self) -> Place {
        (self.start, self.span.clone().unwrap_or_default())
    }

    /// Whether it is stored and has moved since.
    pub(crate) fn has_moved(&self) -> bool {
        self.stored.is_some_and(|stored| stored != Position { scope: self.scope, start: self.start })
    }
}

/// A text as a column's value.
pub(crate) fn text(text: Option<&str>) -> Value {
    text.map_or(Value::Null, |text| Value::Text(text.into()))
}

/// A number as a column's value.
pub(crate) fn integer(number: Option<i64>) -> Value {
    number.map_or(Value::Null, Value::Integer)
}

/// A number as a column's value.
pub(crate) fn real(number: Option<f64>) -> Value {
    number.filter(|number| number.is_finite()).map_or(Value::Null, Value::Real)
}
