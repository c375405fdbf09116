//! Sums what llm-cost wrote on each call. A call without a cost is never 0: it is counted beside the sum.

use cylestio_plugin_sdk::{Metric, Patch, Row, StateReader, StateWriter, export_metric};

#[derive(Default)]
struct Cost {
    calls: u64,
    costed: u64,
    nano_usd: i128,
    partial: u64,
    unpriced: u64,
    unmeasured: u64,
    unpriced_tokens: u128,
}

impl Metric for Cost {
    fn update(&mut self, call: &Row) {
        self.calls += 1;
        let cost = call.integer("attributes[\"llm.cost.nano_usd\"]");
        self.costed += u64::from(cost.is_some());
        self.nano_usd += i128::from(cost.unwrap_or(0));
        match call.text("attributes[\"llm.cost.state\"]") {
            Some("partial") => self.partial += 1,
            Some("unpriced") => self.unpriced += 1,
            _ => self.unmeasured += u64::from(cost.is_none()),
        }
        let tokens = call.integer("attributes[\"llm.cost.unpriced_tokens\"]").and_then(|tokens| u128::try_from(tokens).ok());
        self.unpriced_tokens += tokens.unwrap_or(0);
    }

    fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.costed += other.costed;
        self.nano_usd += other.nano_usd;
        self.partial += other.partial;
        self.unpriced += other.unpriced;
        self.unmeasured += other.unmeasured;
        self.unpriced_tokens += other.unpriced_tokens;
    }

    fn state(&self, out: &mut StateWriter) {
        [self.calls, self.costed, self.partial, self.unpriced, self.unmeasured].into_iter().for_each(|count| out.unsigned(count));
        out.unsigned(self.unpriced_tokens);
        out.signed(self.nano_usd);
    }

    fn restore(&mut self, state: &mut StateReader) -> Option<()> {
        *self = Cost {
            calls: state.unsigned()?,
            costed: state.unsigned()?,
            partial: state.unsigned()?,
            unpriced: state.unsigned()?,
            unmeasured: state.unsigned()?,
            unpriced_tokens: state.unsigned()?,
            nano_usd: state.signed()?,
        };
        Some(())
    }

    fn evaluate(&self, out: &mut Patch) {
        out.wide_integer("cost_nano_usd", (self.costed > 0).then_some(self.nano_usd));
        out.count("calls", self.calls);
        out.count("costed_calls", self.costed);
        out.count("partial_calls", self.partial);
        out.count("unpriced_calls", self.unpriced);
        out.count("unmeasured_calls", self.unmeasured);
        out.wide_integer("unpriced_tokens", i128::try_from(self.unpriced_tokens).ok());
    }
}

export_metric!(Cost);
