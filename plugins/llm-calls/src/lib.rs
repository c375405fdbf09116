//! Counts model calls by outcome. Rates are over ended calls; open ones are counted beside them.

use cylestio_plugin_sdk::{Metric, Patch, Row, StateReader, StateWriter, export_metric};

#[derive(Default)]
struct LlmCalls {
    calls: u64,
    success: u64,
    error: u64,
    open: u64,
}

impl Metric for LlmCalls {
    fn update(&mut self, call: &Row) {
        self.calls += 1;
        match call.text("call.status") {
            Some("success") => self.success += 1,
            Some("error") => self.error += 1,
            Some("open") => self.open += 1,
            _ => {}
        }
    }

    fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.success += other.success;
        self.error += other.error;
        self.open += other.open;
    }

    fn state(&self, out: &mut StateWriter) {
        [self.calls, self.success, self.error, self.open].into_iter().for_each(|count| out.unsigned(count));
    }

    fn restore(&mut self, state: &mut StateReader) -> Option<()> {
        *self = LlmCalls { calls: state.unsigned()?, success: state.unsigned()?, error: state.unsigned()?, open: state.unsigned()? };
        Some(())
    }

    fn evaluate(&self, out: &mut Patch) {
        out.count("calls", self.calls);
        out.count("success", self.success);
        out.count("error", self.error);
        out.count("open", self.open);
        let ended = self.success + self.error;
        if ended > 0 {
            out.real("success_rate", self.success as f64 / ended as f64);
            out.real("error_rate", self.error as f64 / ended as f64);
        }
    }
}

export_metric!(LlmCalls);
