//! How long model calls take. The mean is exact: (count, sum of whole nanoseconds); quantiles come from a histogram with fixed bins.

mod histogram;

use cylestio_plugin_sdk::{Metric, Patch, Row, StateReader, StateWriter, export_metric};
use histogram::Histogram;

#[derive(Default)]
struct Latency {
    without_duration: u64,
    count: u64,
    nanoseconds: u128,
    /// Smallest and largest, milliseconds.
    extremes: Option<(f64, f64)>,
    histogram: Histogram,
}

impl Metric for Latency {
    fn update(&mut self, call: &Row) {
        let Some(milliseconds) = call.real("call.duration_ms").filter(|milliseconds| *milliseconds >= 0.0) else {
            self.without_duration += 1;
            return;
        };
        self.count += 1;
        self.nanoseconds = self.nanoseconds.saturating_add((milliseconds * 1e6).round() as u128);
        self.widen(milliseconds, milliseconds);
        self.histogram.add(milliseconds);
    }

    fn merge(&mut self, other: &Self) {
        self.without_duration += other.without_duration;
        self.count += other.count;
        self.nanoseconds = self.nanoseconds.saturating_add(other.nanoseconds);
        if let Some((least, most)) = other.extremes {
            self.widen(least, most);
        }
        self.histogram.merge(&other.histogram);
    }

    fn state(&self, out: &mut StateWriter) {
        out.unsigned(self.without_duration);
        out.unsigned(self.count);
        if let Some((least, most)) = self.extremes {
            out.unsigned(self.nanoseconds);
            out.real(least);
            out.real(most);
            self.histogram.state(out);
        }
    }

    fn restore(&mut self, state: &mut StateReader) -> Option<()> {
        self.without_duration = state.unsigned()?;
        self.count = state.unsigned()?;
        if self.count > 0 {
            self.nanoseconds = state.unsigned()?;
            self.extremes = Some((state.real()?, state.real()?));
            self.histogram = Histogram::restore(state)?;
        }
        Some(())
    }

    fn evaluate(&self, out: &mut Patch) {
        out.count("count", self.count);
        out.count("calls_without_duration", self.without_duration);
        let Some((least, most)) = self.extremes else { return };
        out.real("mean_ms", self.nanoseconds as f64 / self.count as f64 / 1e6);
        out.real("min_ms", least);
        out.real("max_ms", most);
        let quantile = |quantile| self.histogram.quantile(quantile).map(|value| value.clamp(least, most));
        out.real("p50_ms", quantile(0.50));
        out.real("p95_ms", quantile(0.95));
        out.real("p99_ms", quantile(0.99));
    }
}

export_metric!(Latency);

impl Latency {
    fn widen(&mut self, least: f64, most: f64) {
        let (known_least, known_most) = self.extremes.unwrap_or((least, most));
        self.extremes = Some((known_least.min(least), known_most.max(most)));
    }
}
