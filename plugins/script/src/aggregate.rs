//! What is gathered of a group's rows. Merging is exact: whatever way rows are spread over accumulators, the sum of them is the same.

use crate::exact::ExactSum;
use crate::value::Value;

/// How values are gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Count,
    /// Of integers.
    SumInteger,
    /// Of reals.
    SumReal,
    MeanInteger,
    MeanReal,
    Min,
    Max,
}

impl How {
    pub fn of(letter: u8) -> Option<Self> {
        let all = [How::Count, How::SumInteger, How::SumReal, How::MeanInteger, How::MeanReal, How::Min, How::Max];
        all.into_iter().zip(*b"csSaAlg").find(|(_, known)| *known == letter).map(|(how, _)| how)
    }
}

/// What was gathered so far.
#[derive(Clone, Debug, PartialEq)]
pub enum Gathered {
    Count(u64),
    Integers {
        count: u64,
        sum: i128,
    },
    Reals {
        count: u64,
        sum: ExactSum,
    },
    /// The least or greatest, null before the first.
    Extreme(Value<'static>),
}

impl Gathered {
    pub fn new(how: How) -> Self {
        match how {
            How::Count => Gathered::Count(0),
            How::SumInteger | How::MeanInteger => Gathered::Integers { count: 0, sum: 0 },
            How::SumReal | How::MeanReal => Gathered::Reals { count: 0, sum: ExactSum::default() },
            How::Min | How::Max => Gathered::Extreme(Value::Null),
        }
    }

    /// Takes a value in; null is none, and so is false for a count.
    pub fn update(&mut self, how: How, value: &Value<'_>) {
        match (self, value) {
            (_, Value::Null) | (Gathered::Count(_), Value::Boolean(false)) => {}
            (Gathered::Count(count), _) => *count += 1,
            (Gathered::Integers { count, sum }, Value::Integer(integer)) => {
                *count += 1;
                *sum += i128::from(*integer);
            }
            (Gathered::Reals { count, sum }, value) => {
                if let Some(real) = value.real() {
                    *count += 1;
                    sum.add(real);
                }
            }
            (Gathered::Extreme(extreme), value) => keep(how, extreme, value),
            (Gathered::Integers { .. }, _) => {}
        }
    }

    pub fn merge(&mut self, how: How, other: &Gathered) {
        match (self, other) {
            (Gathered::Count(count), Gathered::Count(more)) => *count += more,
            (Gathered::Integers { count, sum }, Gathered::Integers { count: more, sum: other }) => {
                *count += more;
                *sum += other;
            }
            (Gathered::Reals { count, sum }, Gathered::Reals { count: more, sum: other }) => {
                *count += more;
                sum.merge(other);
            }
            (Gathered::Extreme(extreme), Gathered::Extreme(other)) => keep(how, extreme, other),
            _ => {}
        }
    }

    /// What there is to say of it; of nothing, null.
    pub fn value(&self, how: How) -> Value<'static> {
        let real = |real: Option<f64>| real.map_or(Value::Null, crate::value::finite);
        match self {
            Gathered::Count(count) => i64::try_from(*count).ok().into(),
            Gathered::Integers { count: 0, .. } | Gathered::Reals { count: 0, .. } => Value::Null,
            Gathered::Integers { count, sum } if how == How::MeanInteger => real(Some(*sum as f64 / *count as f64)),
            Gathered::Integers { sum, .. } => i64::try_from(*sum).ok().into(),
            Gathered::Reals { count, sum } if how == How::MeanReal => real(Some(sum.value() / *count as f64)),
            Gathered::Reals { sum, .. } => real(Some(sum.value())),
            Gathered::Extreme(extreme) => extreme.clone(),
        }
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Gathered::Count(count) => unsigned(out, u128::from(*count)),
            Gathered::Integers { count, sum } => {
                unsigned(out, u128::from(*count));
                signed(out, *sum);
            }
            Gathered::Reals { count, sum } => {
                unsigned(out, u128::from(*count));
                sum.write(out);
            }
            Gathered::Extreme(Value::Integer(integer)) => tagged(out, 1, integer.to_le_bytes()),
            Gathered::Extreme(Value::Real(real)) => tagged(out, 2, real.to_le_bytes()),
            Gathered::Extreme(Value::Time(time)) => tagged(out, 3, time.to_le_bytes()),
            Gathered::Extreme(_) => out.push(0),
        }
    }

    pub fn read(how: How, from: &mut &[u8]) -> Option<Self> {
        match Gathered::new(how) {
            Gathered::Count(_) => Some(Gathered::Count(number(from)?)),
            Gathered::Integers { .. } => Some(Gathered::Integers { count: number(from)?, sum: read_signed(from)? }),
            Gathered::Reals { .. } => Some(Gathered::Reals { count: number(from)?, sum: ExactSum::read(from)? }),
            Gathered::Extreme(_) => {
                let (tag, rest) = from.split_first()?;
                *from = rest;
                let value = match tag {
                    0 => return Some(Gathered::Extreme(Value::Null)),
                    1 => Value::Integer(i64::from_le_bytes(cell(from)?)),
                    2 => Value::Real(f64::from_le_bytes(cell(from)?)),
                    3 => Value::Time(i64::from_le_bytes(cell(from)?)),
                    _ => return None,
                };
                Some(Gathered::Extreme(value))
            }
        }
    }
}

fn keep(how: How, extreme: &mut Value<'static>, value: &Value<'_>) {
    let value = match value {
        Value::Integer(integer) => Value::Integer(*integer),
        // Which of the two zeros came first must not show.
        Value::Real(real) => Value::Real(*real + 0.0),
        Value::Time(time) => Value::Time(*time),
        _ => return,
    };
    let better = match value.compare(extreme) {
        None => true,
        Some(order) => {
            if how == How::Min {
                order.is_lt()
            } else {
                order.is_gt()
            }
        }
    };
    if better {
        *extreme = value;
    }
}

fn tagged(out: &mut Vec<u8>, tag: u8, cell: [u8; 8]) {
    out.push(tag);
    out.extend_from_slice(&cell);
}

fn cell(from: &mut &[u8]) -> Option<[u8; 8]> {
    let (cell, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*cell)
}

pub fn unsigned(out: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn number<T: TryFrom<u128>>(from: &mut &[u8]) -> Option<T> {
    let (mut value, mut shift) = (0_u128, 0);
    loop {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        if shift >= 127 {
            return None;
        }
        value |= u128::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return T::try_from(value).ok();
        }
        shift += 7;
    }
}

pub fn signed(out: &mut Vec<u8>, value: i128) {
    unsigned(out, ((value << 1) ^ (value >> 127)) as u128);
}

pub fn read_signed(from: &mut &[u8]) -> Option<i128> {
    let value: u128 = number(from)?;
    Some((value >> 1) as i128 ^ -((value & 1) as i128))
}
