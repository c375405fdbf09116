//! Counts tokens that no price list has a price for, as llm-cost noted them.

use cylestio_plugin_sdk::{Metric, Patch, Row, StateReader, StateWriter, export_metric};

#[derive(Default)]
struct UnpricedTokens {
    tokens: u128,
    unpriced: u128,
    partial: u128,
    calls: u128,
}

impl Metric for UnpricedTokens {
    fn update(&mut self, call: &Row) {
        let tokens = call.integer("attributes[\"llm.cost.unpriced_tokens\"]").and_then(|tokens| u128::try_from(tokens).ok());
        let state = call.text("attributes[\"llm.cost.state\"]");
        self.calls += 1;
        self.tokens += tokens.unwrap_or(0);
        self.unpriced += u128::from(state == Some("unpriced"));
        self.partial += u128::from(state == Some("partial"));
    }

    fn merge(&mut self, other: &Self) {
        self.tokens += other.tokens;
        self.unpriced += other.unpriced;
        self.partial += other.partial;
        self.calls += other.calls;
    }

    fn state(&self, out: &mut StateWriter) {
        out.unsigned(self.tokens);
        out.unsigned(self.unpriced);
        out.unsigned(self.partial);
        out.unsigned(self.calls);
    }

    fn restore(&mut self, state: &mut StateReader) -> Option<()> {
        *self =
            UnpricedTokens { tokens: state.unsigned()?, unpriced: state.unsigned()?, partial: state.unsigned()?, calls: state.unsigned()? };
        Some(())
    }

    fn evaluate(&self, out: &mut Patch) {
        out.wide_integer("unpriced_tokens", i128::try_from(self.tokens).ok());
        out.wide_integer("unpriced_calls", i128::try_from(self.unpriced).ok());
        out.wide_integer("partial_calls", i128::try_from(self.partial).ok());
        out.wide_integer("calls", i128::try_from(self.calls).ok());
    }
}

export_metric!(UnpricedTokens);
