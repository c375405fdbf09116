//! Sums tokens. Missing counts stay missing: a sum that nothing went into is null, never 0.

use cylestio_plugin_sdk::{Metric, Patch, Row, StateReader, StateWriter, export_metric};

#[derive(Default)]
struct TokenUsage {
    input: Sum,
    output: Sum,
    total: Sum,
    calls: u64,
    without_counts: u64,
}

/// A sum and how many values went into it.
#[derive(Default)]
struct Sum {
    count: u64,
    sum: u128,
}

impl Metric for TokenUsage {
    fn update(&mut self, call: &Row) {
        let count = |field| call.integer(field).and_then(|tokens| u64::try_from(tokens).ok());
        let (input, output) = (count("call.input_tokens"), count("call.output_tokens"));
        let total = count("call.total_tokens").map(u128::from).or_else(|| Some(u128::from(input?) + u128::from(output?)));
        self.calls += 1;
        self.without_counts += u64::from(input.is_none() && output.is_none() && total.is_none());
        self.input.add(input.map(u128::from));
        self.output.add(output.map(u128::from));
        self.total.add(total);
    }

    fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.without_counts += other.without_counts;
        for (sum, more) in [(&mut self.input, &other.input), (&mut self.output, &other.output), (&mut self.total, &other.total)] {
            sum.count += more.count;
            sum.sum += more.sum;
        }
    }

    fn state(&self, out: &mut StateWriter) {
        out.unsigned(self.calls);
        out.unsigned(self.without_counts);
        for sum in [&self.input, &self.output, &self.total] {
            out.unsigned(sum.count);
            out.unsigned(sum.sum);
        }
    }

    fn restore(&mut self, state: &mut StateReader) -> Option<()> {
        self.calls = state.unsigned()?;
        self.without_counts = state.unsigned()?;
        for sum in [&mut self.input, &mut self.output, &mut self.total] {
            *sum = Sum { count: state.unsigned()?, sum: state.unsigned()? };
        }
        Some(())
    }

    fn evaluate(&self, out: &mut Patch) {
        out.wide_integer("input_tokens", self.input.known());
        out.wide_integer("output_tokens", self.output.known());
        out.wide_integer("total_tokens", self.total.known());
        out.count("calls", self.calls);
        out.count("calls_without_counts", self.without_counts);
    }
}

export_metric!(TokenUsage);

impl Sum {
    fn add(&mut self, value: Option<u128>) {
        self.count += u64::from(value.is_some());
        self.sum = self.sum.saturating_add(value.unwrap_or(0));
    }

    fn known(&self) -> Option<i128> {
        (self.count > 0).then(|| i128::try_from(self.sum).unwrap_or(i128::MAX))
    }
}
