//! Sums of reals without rounding: an integer wide enough for every double, in digits of 32 bits.

use crate::aggregate::{number, read_signed, signed, unsigned};

/// Bits from the least subnormal to the largest double, and as many carries as there can be rows.
const DIGITS: usize = 68;
/// So many additions never overflow a digit.
const CARRY_AFTER: u32 = 1 << 29;

/// A sum of doubles, exact.
#[derive(Clone, Debug, Default)]
pub struct ExactSum {
    /// Digits, least first, of 2^-1074; empty before the first value.
    digits: Vec<i64>,
    additions: u32,
}

impl PartialEq for ExactSum {
    fn eq(&self, other: &Self) -> bool {
        self.carried() == other.carried()
    }
}

impl ExactSum {
    /// Adds a finite real.
    pub fn add(&mut self, real: f64) {
        let bits = real.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as usize;
        let mantissa = bits & ((1 << 52) - 1) | if exponent == 0 { 0 } else { 1 << 52 };
        if exponent == 0x7ff || mantissa == 0 {
            return;
        }
        let shift = exponent.max(1) - 1;
        let sign = if real < 0.0 { -1 } else { 1 };
        let wide = u128::from(mantissa) << (shift % 32);
        self.begin();
        for (place, digit) in self.digits.iter_mut().skip(shift / 32).take(3).enumerate() {
            *digit += sign * (wide >> (32 * place) & 0xffff_ffff) as i64;
        }
        self.end();
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        if other.digits.is_empty() {
            return;
        }
        self.begin();
        for (digit, more) in self.digits.iter_mut().zip(other.carried()) {
            *digit += more;
        }
        self.end();
    }

    /// The nearest double but for the last bit; infinite beyond the largest.
    pub fn value(&self) -> f64 {
        let mut digits = self.carried();
        let negative = digits.last().is_some_and(|top| *top < 0);
        if negative {
            digits.iter_mut().for_each(|digit| *digit = -*digit);
            carry(&mut digits);
        }
        // Least first: each step rounds to what the next is far above.
        let used = digits.iter().enumerate().filter(|(_, digit)| **digit != 0);
        let sum: f64 = used.map(|(place, digit)| *digit as f64 * power(32 * place as i32 - 1074)).sum();
        if negative { -sum } else { sum }
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        let digits = self.carried();
        let first = digits.iter().position(|digit| *digit != 0).unwrap_or(digits.len());
        let last = digits.iter().rposition(|digit| *digit != 0).map_or(first, |last| last + 1);
        unsigned(out, first as u128);
        unsigned(out, (last - first) as u128);
        digits.iter().take(last).skip(first).for_each(|digit| signed(out, i128::from(*digit)));
    }

    pub fn read(from: &mut &[u8]) -> Option<Self> {
        let (first, count): (usize, usize) = (number(from)?, number(from)?);
        if count == 0 {
            return Some(ExactSum::default());
        }
        let mut sum = ExactSum::default();
        sum.begin();
        for place in first..first.checked_add(count)? {
            *sum.digits.get_mut(place)? = i64::try_from(read_signed(from)?).ok()?;
        }
        Some(sum)
    }

    fn begin(&mut self) {
        if self.digits.is_empty() {
            self.digits = vec![0; DIGITS];
        }
    }

    fn end(&mut self) {
        self.additions += 1;
        if self.additions >= CARRY_AFTER {
            carry(&mut self.digits);
            self.additions = 0;
        }
    }

    /// Every digit but the last from 0 to 2^32 - 1: there is one such form of a sum.
    fn carried(&self) -> Vec<i64> {
        let mut digits = self.digits.clone();
        carry(&mut digits);
        digits
    }
}

fn carry(digits: &mut [i64]) {
    let mut over = 0;
    let last = digits.len().saturating_sub(1);
    for (place, digit) in digits.iter_mut().enumerate() {
        *digit += over;
        if place < last {
            over = *digit >> 32;
            *digit &= 0xffff_ffff;
        }
    }
}

/// 2 to the power of `exponent`, from -1074 on.
fn power(exponent: i32) -> f64 {
    match exponent {
        ..-1022 => f64::from_bits(1 << (exponent + 1074)),
        -1022..1024 => f64::from_bits(((exponent + 1023) as u64) << 52),
        _ => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        values.iter().for_each(|value| sum.add(*value));
        sum
    }

    #[test]
    fn sums_without_rounding_in_any_order() {
        let values = [1e308, 1.0, -1e308, 1e-300, f64::from_bits(1), -0.0, 0.1, 0.2, 3.5e10, -7.25];
        let forward = sum(&values);
        let mut backward = values;
        backward.reverse();
        assert_eq!(forward, sum(&backward));
        let mut merged = sum(&values[..4]);
        merged.merge(&sum(&values[4..]));
        assert_eq!(forward, merged);
        let mut bytes = Vec::new();
        merged.write(&mut bytes);
        let mut from = &bytes[..];
        assert_eq!(ExactSum::read(&mut from), Some(merged));
        assert!(from.is_empty());
    }

    #[test]
    fn gives_the_double_that_it_is() {
        for value in [0.0, 1.0, -1.0, 0.1, -123.456, 1e300, f64::MAX, f64::MIN_POSITIVE, f64::from_bits(1), -f64::from_bits(12345)] {
            assert_eq!(sum(&[value]).value(), value, "{value}");
        }
        assert_eq!(sum(&[0.1; 10]).value(), 1.0);
        assert_eq!(sum(&[1e16, 1.0, -1e16]).value(), 1.0);
        assert_eq!(sum(&[-3.0, 1.0]).value(), -2.0);
        assert_eq!(sum(&[f64::MAX, f64::MAX]).value(), f64::INFINITY);
    }
}
