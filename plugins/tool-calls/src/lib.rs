//! Counts tool executions by outcome, as reported: a monitor may hide a tool's own failure behind `success`. Rates are over ended
//! executions; open ones are counted beside them.

use cylestio_plugin_sdk::{Metric, Patch, Row, StateReader, StateWriter, export_metric};

#[derive(Default)]
struct ToolCalls {
    calls: u64,
    success: u64,
    error: u64,
    open: u64,
    timed: u64,
    nanoseconds: u128,
}

impl Metric for ToolCalls {
    fn update(&mut self, execution: &Row) {
        self.calls += 1;
        match execution.text("execution.status") {
            Some("success") => self.success += 1,
            Some("error") => self.error += 1,
            Some("open") => self.open += 1,
            _ => {}
        }
        if let Some(milliseconds) = execution.real("execution.duration_ms").filter(|milliseconds| *milliseconds >= 0.0) {
            self.timed += 1;
            self.nanoseconds = self.nanoseconds.saturating_add((milliseconds * 1e6).round() as u128);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.success += other.success;
        self.error += other.error;
        self.open += other.open;
        self.timed += other.timed;
        self.nanoseconds = self.nanoseconds.saturating_add(other.nanoseconds);
    }

    fn state(&self, out: &mut StateWriter) {
        [self.calls, self.success, self.error, self.open, self.timed].into_iter().for_each(|count| out.unsigned(count));
        out.unsigned(self.nanoseconds);
    }

    fn restore(&mut self, state: &mut StateReader) -> Option<()> {
        *self = ToolCalls {
            calls: state.unsigned()?,
            success: state.unsigned()?,
            error: state.unsigned()?,
            open: state.unsigned()?,
            timed: state.unsigned()?,
            nanoseconds: state.unsigned()?,
        };
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
        if self.timed > 0 {
            out.real("mean_duration_ms", self.nanoseconds as f64 / self.timed as f64 / 1e6);
        }
    }
}

export_metric!(ToolCalls);
