//! The operations of a program, and the machine that runs them: values on a stack, no loops, jumps forward only.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::columns::Cells;
use crate::value::{Value, finite, whole};

/// Operations in order.
pub type Code = Vec<Op>;

/// One operation. What takes values takes them from the stack and leaves one.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    Push(Value<'static>),
    Column(usize),
    Mismatched(usize),
    Setting(usize),
    Aggregate(usize),
    /// Leaves what is there if that decides, and jumps over so many operations: false for `&&`, true for `||`, a value for `??`.
    Decided(Decides, usize),
    /// Takes a value; unless it is true, jumps over so many operations.
    Unless(usize),
    Jump(usize),
    One(One),
    Two(Two),
    /// Whether the value below so many others is one of them.
    In(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decides {
    False,
    True,
    Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum One {
    Not,
    Negate,
    Has,
    Size,
    Lower,
    Upper,
    ToInteger,
    ToReal,
    ToText,
    Round,
    Floor,
    Ceil,
    Abs,
    Hour,
    Weekday,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Two {
    And,
    Or,
    OrElse,
    Equal,
    Unequal,
    Less,
    Greater,
    AtMost,
    AtLeast,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    StartsWith,
    EndsWith,
    Contains,
    Before,
    After,
}

/// What a program is run over.
pub struct Scene<'a, 's> {
    pub columns: &'s [Cells<'a>],
    pub settings: &'a [Value<'static>],
    pub aggregates: &'a [Value<'static>],
    pub row: usize,
}

/// A stack that is used again for each row.
pub struct Machine<'a> {
    stack: Vec<Value<'a>>,
}

impl<'a> Machine<'a> {
    pub fn new() -> Self {
        Machine { stack: Vec::with_capacity(8) }
    }

    /// What `code` gives.
    pub fn run(&mut self, code: &'a [Op], scene: &Scene<'a, '_>) -> Value<'a> {
        self.stack.clear();
        let mut at = 0;
        while let Some(op) = code.get(at) {
            at += 1 + self.step(op, scene);
        }
        self.pop()
    }

    fn pop(&mut self) -> Value<'a> {
        self.stack.pop().unwrap_or(Value::Null)
    }

    /// One operation; gives how many to jump over.
    #[inline]
    fn step(&mut self, op: &'a Op, scene: &Scene<'a, '_>) -> usize {
        let value = match op {
            Op::Push(value) => borrowed(value),
            Op::Column(column) => scene.columns.get(*column).map_or(Value::Null, |cells| cells.value(scene.row)),
            Op::Mismatched(column) => Value::Boolean(scene.columns.get(*column).is_some_and(|cells| cells.is_mismatched(scene.row))),
            Op::Setting(setting) => scene.settings.get(*setting).map_or(Value::Null, borrowed),
            Op::Aggregate(aggregate) => scene.aggregates.get(*aggregate).map_or(Value::Null, borrowed),
            Op::Decided(decides, jump) => {
                let decided = match (decides, self.stack.last()) {
                    (Decides::False, Some(value)) => *value == Value::Boolean(false),
                    (Decides::True, Some(value)) => value.is_true(),
                    (Decides::Value, Some(value)) => *value != Value::Null,
                    (_, None) => false,
                };
                return if decided { *jump } else { 0 };
            }
            Op::Unless(jump) => return if self.pop().is_true() { 0 } else { *jump },
            Op::Jump(jump) => return *jump,
            Op::One(one) => {
                let value = self.pop();
                one.apply(value)
            }
            Op::Two(two) => {
                let (right, left) = (self.pop(), self.pop());
                two.apply(left, right)
            }
            Op::In(count) => {
                let list = self.stack.split_off(self.stack.len().saturating_sub(*count));
                let value = self.pop();
                let known = value != Value::Null;
                if known { Value::Boolean(list.iter().any(|one| value.compare(one) == Some(Ordering::Equal))) } else { Value::Null }
            }
        };
        self.stack.push(value);
        0
    }
}

fn borrowed<'a>(value: &'a Value<'static>) -> Value<'a> {
    match value {
        Value::Text(text) => Value::Text(Cow::Borrowed(text)),
        other => other.clone(),
    }
}

impl One {
    fn apply(self, value: Value<'_>) -> Value<'_> {
        match (self, value) {
            (One::Has, value) => Value::Boolean(value != Value::Null),
            (_, Value::Null) => Value::Null,
            (One::Not, Value::Boolean(flag)) => Value::Boolean(!flag),
            (One::Negate, Value::Integer(integer)) => integer.checked_neg().into(),
            (One::Negate, Value::Real(real)) => Value::Real(-real),
            (One::Abs, Value::Integer(integer)) => integer.checked_abs().into(),
            (One::Abs, Value::Real(real)) => Value::Real(real.abs()),
            (One::Size, Value::Text(text)) => Value::Integer(text.chars().count() as i64),
            (One::Lower, Value::Text(text)) => Value::Text(text.to_lowercase().into()),
            (One::Upper, Value::Text(text)) => Value::Text(text.to_uppercase().into()),
            (One::ToInteger | One::Round | One::Floor | One::Ceil, Value::Integer(integer)) => Value::Integer(integer),
            (One::ToInteger, Value::Real(real)) => whole(real.trunc()),
            (One::ToInteger, Value::Text(text)) => text.trim().parse::<i64>().ok().into(),
            (One::ToInteger, Value::Boolean(flag)) => Value::Integer(i64::from(flag)),
            (One::ToReal, Value::Text(text)) => text.trim().parse().map_or(Value::Null, finite),
            (One::ToReal, value) => value.real().map_or(Value::Null, Value::Real),
            (One::ToText, Value::Integer(integer)) => Value::Text(integer.to_string().into()),
            (One::ToText, Value::Real(real)) => Value::Text(real.to_string().into()),
            (One::ToText, Value::Boolean(flag)) => Value::Text(if flag { "true" } else { "false" }.into()),
            (One::ToText, Value::Text(text)) => Value::Text(text),
            (One::Round, Value::Real(real)) => whole(real.round()),
            (One::Floor, Value::Real(real)) => whole(real.floor()),
            (One::Ceil, Value::Real(real)) => whole(real.ceil()),
            (One::Hour, Value::Time(time)) => Value::Integer(time.div_euclid(3_600_000_000_000).rem_euclid(24)),
            (One::Weekday, Value::Time(time)) => Value::Integer((time.div_euclid(86_400_000_000_000) + 3).rem_euclid(7) + 1),
            _ => Value::Null,
        }
    }
}

impl Two {
    fn apply<'a>(self, left: Value<'a>, right: Value<'a>) -> Value<'a> {
        use Value::Boolean;
        let order = |wanted: fn(Ordering) -> bool| left.compare(&right).map(wanted).into();
        match self {
            Two::And => match (&left, &right) {
                (Boolean(false), _) | (_, Boolean(false)) => Boolean(false),
                (Boolean(true), Boolean(true)) => Boolean(true),
                _ => Value::Null,
            },
            Two::Or => match (&left, &right) {
                (Boolean(true), _) | (_, Boolean(true)) => Boolean(true),
                (Boolean(false), Boolean(false)) => Boolean(false),
                _ => Value::Null,
            },
            Two::OrElse => {
                if left == Value::Null {
                    right
                } else {
                    left
                }
            }
            Two::Equal => order(Ordering::is_eq),
            Two::Unequal => order(Ordering::is_ne),
            Two::Less => order(Ordering::is_lt),
            Two::Greater => order(Ordering::is_gt),
            Two::AtMost => order(Ordering::is_le),
            Two::AtLeast => order(Ordering::is_ge),
            Two::Add | Two::Subtract | Two::Multiply | Two::Divide | Two::Remainder => self.compute(left, right),
            Two::StartsWith | Two::EndsWith | Two::Contains | Two::Before | Two::After => self.search(left, right),
        }
    }

    fn compute<'a>(self, left: Value<'a>, right: Value<'a>) -> Value<'a> {
        match (self, &left, &right) {
            (Two::Add, Value::Text(a), Value::Text(b)) => Value::Text([&**a, &**b].concat().into()),
            (Two::Subtract, Value::Time(a), Value::Time(b)) => Value::Real((i128::from(*a) - i128::from(*b)) as f64 / 1e9),
            (Two::Add, Value::Integer(a), Value::Integer(b)) => a.checked_add(*b).into(),
            (Two::Subtract, Value::Integer(a), Value::Integer(b)) => a.checked_sub(*b).into(),
            (Two::Multiply, Value::Integer(a), Value::Integer(b)) => a.checked_mul(*b).into(),
            (Two::Remainder, Value::Integer(a), Value::Integer(b)) => a.checked_rem(*b).into(),
            _ => match (left.real(), right.real()) {
                (Some(a), Some(b)) => match self {
                    Two::Add => finite(a + b),
                    Two::Subtract => finite(a - b),
                    Two::Multiply => finite(a * b),
                    Two::Divide => finite(a / b),
                    _ => finite(a % b),
                },
                _ => Value::Null,
            },
        }
    }

    fn search<'a>(self, left: Value<'a>, right: Value<'a>) -> Value<'a> {
        let (Value::Text(text), Value::Text(part)) = (left, right) else { return Value::Null };
        match self {
            Two::StartsWith => Value::Boolean(text.starts_with(&*part)),
            Two::EndsWith => Value::Boolean(text.ends_with(&*part)),
            Two::Contains => Value::Boolean(text.contains(&*part)),
            Two::Before => match text.find(&*part) {
                Some(end) => Value::Text(cut(text, 0, end)),
                None => Value::Text(text),
            },
            _ => match text.find(&*part) {
                Some(at) => {
                    let end = text.len();
                    Value::Text(cut(text, at + part.len(), end))
                }
                None => Value::Null,
            },
        }
    }
}

fn cut(text: Cow<'_, str>, start: usize, end: usize) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(start..end).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(text.get(start..end).unwrap_or_default().to_owned()),
    }
}
