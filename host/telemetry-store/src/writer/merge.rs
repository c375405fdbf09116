//! Merging what several events say of one call, so that no order of arrival matters.
//!
//! Each field is taken from the role that is preferred for it; of two events of the same role the lesser or the greater value stands.
//! Both are total orders, so merging is commutative, associative and idempotent.

use rusqlite::Result;
use rusqlite::types::Value;
use telemetry_model::facts::Role;

use super::strings::Strings;

/// Which role is preferred for a field, first to last, and how equals are told apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// The rank of begin, end and error: 1 is preferred.
    ranks: [u8; 3],
    greater: bool,
    interned: bool,
}

impl Rule {
    /// What the beginning says counts most.
    pub(crate) const fn of_begin() -> Self {
        Rule { ranks: [1, 2, 3], greater: false, interned: false }
    }

    /// What the end says counts most.
    pub(crate) const fn of_end() -> Self {
        Rule { ranks: [3, 1, 2], greater: false, interned: false }
    }

    /// What the error says counts most.
    pub(crate) const fn of_error() -> Self {
        Rule { ranks: [3, 2, 1], greater: false, interned: false }
    }

    /// The value is an id of `strings`, compared by its text.
    pub(crate) const fn interned(self) -> Self {
        Rule { interned: true, ..self }
    }

    /// Of two values the greater stands.
    pub(crate) const fn greater(self) -> Self {
        Rule { greater: true, ..self }
    }

    fn rank(self, role: Role) -> u8 {
        let [begin, end, error] = self.ranks;
        match role {
            Role::Begin => begin,
            Role::End => end,
            Role::Error => error,
        }
    }
}

/// The merged fields of one row, in the order of its rules.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Merged {
    pub(crate) values: Vec<Value>,
    /// Two bits a field: the rank of the role that gave its value, 0 when it has none.
    pub(crate) sources: i64,
}

impl Merged {
    pub(crate) fn new(fields: usize) -> Self {
        Merged { values: vec![Value::Null; fields], sources: 0 }
    }

    /// Takes what an event of `role` says of the field at `index`.
    pub(crate) fn offer(&mut self, index: usize, rule: Rule, role: Role, value: Value, strings: &mut Strings<'_>) -> Result<()> {
        let Some(slot) = self.values.get_mut(index) else { return Ok(()) };
        if matches!(value, Value::Null) {
            return Ok(());
        }
        let shift = 2 * index as u32;
        let known = (self.sources >> shift & 3) as u8;
        let rank = rule.rank(role);
        let wins = known == 0 || rank < known || (rank == known && *slot != value && precedes(rule, &value, slot, strings)?);
        if wins {
            *slot = value;
            self.sources = self.sources & !(3 << shift) | i64::from(rank) << shift;
        }
        Ok(())
    }
}

fn precedes(rule: Rule, new: &Value, old: &Value, strings: &mut Strings<'_>) -> Result<bool> {
    let less = match (new, old) {
        (Value::Integer(new), Value::Integer(old)) if rule.interned => strings.text(*new)? < strings.text(*old)?,
        (Value::Integer(new), Value::Integer(old)) => new < old,
        (Value::Real(new), Value::Real(old)) => new < old,
        (Value::Text(new), Value::Text(old)) => new < old,
        (Value::Blob(new), Value::Blob(old)) => new < old,
        _ => false,
    };
    Ok(less != rule.greater)
}
