//! A histogram with fixed bins, so that any two merge exactly: 64 bins for each power of two.
//!
//! A bin is named by the sign-free top bits of the double: eleven of exponent, six of mantissa. Its middle is at most 1/128 (0.79 %) of
//! the true value away from any value in it. Only bins in use are kept.

use std::collections::BTreeMap;

use cylestio_plugin_sdk::{StateReader, StateWriter};

/// Bits of the mantissa that do not name the bin.
const DROPPED: u32 = 52 - 6;

/// Counts by bin, of finite values from 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram(BTreeMap<u32, u64>);

impl Histogram {
    /// Counts `value`.
    pub fn add(&mut self, value: f64) {
        *self.0.entry((value.abs().to_bits() >> DROPPED) as u32).or_default() += 1;
    }

    /// Takes the counts of `other` in.
    pub fn merge(&mut self, other: &Self) {
        for (bin, count) in &other.0 {
            *self.0.entry(*bin).or_default() += count;
        }
    }

    /// The middle of the bin that holds the value of rank ceil(`quantile` * n); `None` without values.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let total: u64 = self.0.values().sum();
        let rank = ((quantile * total as f64).ceil() as u64).clamp(1, total.max(1));
        let mut seen = 0;
        let bin = self.0.iter().find_map(|(bin, count)| {
            seen += count;
            (seen >= rank).then_some(*bin)
        })?;
        let edge = |bin: u32| f64::from_bits(u64::from(bin) << DROPPED);
        Some(if bin == 0 { 0.0 } else { edge(bin) + (edge(bin + 1) - edge(bin)) / 2.0 })
    }

    /// The bins as distances from the one before, each with its count.
    pub fn state(&self, out: &mut StateWriter) {
        out.unsigned(self.0.len() as u64);
        let mut before = 0;
        for (bin, count) in &self.0 {
            out.unsigned(bin - before);
            out.unsigned(*count);
            before = *bin;
        }
    }

    /// Reads what [`Histogram::state`] wrote.
    pub fn restore(state: &mut StateReader) -> Option<Self> {
        let (mut bins, mut bin) = (BTreeMap::new(), 0_u32);
        for _ in 0..state.unsigned::<u64>()? {
            bin = bin.checked_add(state.unsigned()?).filter(|bin| *bin < 2047 << 6)?;
            bins.insert(bin, state.unsigned()?);
        }
        Some(Histogram(bins))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_the_stated_error() {
        let mut histogram = Histogram::default();
        let mut values: Vec<f64> = (0..10_000_u64).map(|n| (n.wrapping_mul(2_654_435_761) % 1_000_003) as f64 / 7.0 + 0.001).collect();
        values.iter().for_each(|value| histogram.add(*value));
        values.sort_by(f64::total_cmp);
        for quantile in [0.001, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0] {
            let exact = values[((quantile * 10_000.0_f64).ceil() as usize).max(1) - 1];
            let found = histogram.quantile(quantile).unwrap();
            assert!((found - exact).abs() <= exact / 127.0, "{quantile}: {found} for {exact}");
        }
    }

    #[test]
    fn holds_the_extremes() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        [0.0, -0.0, f64::MIN_POSITIVE, f64::MAX].into_iter().for_each(|value| histogram.add(value));
        assert_eq!(histogram.quantile(0.5), Some(0.0));
        let mut out = StateWriter::default();
        histogram.state(&mut out);
        assert!(histogram.quantile(1.0).unwrap() > 1e308);
    }
}
