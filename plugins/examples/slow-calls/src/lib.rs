//! Counts model calls that took longer than a limit.

use cylestio_plugin_sdk::{Metric, Patch, Row, Settings, StateReader, StateWriter, export_metric};

#[derive(Default)]
struct SlowCalls {
    limit_ms: f64,
    slow: u64,
    calls: u64,
}

impl Metric for SlowCalls {
    fn configure(&mut self, settings: &Settings) -> Result<(), String> {
        self.limit_ms = settings.real("limit_ms").unwrap_or(1000.0);
        Ok(())
    }

    fn update(&mut self, call: &Row) {
        self.calls += 1;
        if call.real("call.duration_ms").is_some_and(|duration| duration >= self.limit_ms) {
            self.slow += 1;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.slow += other.slow;
        self.calls += other.calls;
    }

    fn state(&self, out: &mut StateWriter) {
        out.unsigned(self.slow);
        out.unsigned(self.calls);
    }

    fn restore(&mut self, state: &mut StateReader) -> Option<()> {
        self.slow = state.unsigned()?;
        self.calls = state.unsigned()?;
        Some(())
    }

    fn evaluate(&self, out: &mut Patch) {
        out.count("slow", self.slow);
        out.count("calls", self.calls);
    }
}

export_metric!(SlowCalls);
