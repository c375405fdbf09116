//! Counts errors: an event of level ERROR or CRITICAL or whose name ends in `.error`, each once.

use cylestio_plugin_sdk::{Metric, Patch, Row, StateReader, StateWriter, export_metric};

#[derive(Default)]
struct ErrorCount {
    events: u64,
    errors: u64,
}

impl Metric for ErrorCount {
    fn update(&mut self, event: &Row) {
        self.events += 1;
        let by_level = matches!(event.text("event.level"), Some("ERROR" | "CRITICAL"));
        let by_name = || event.text("event.name").is_some_and(|name| name.ends_with(".error"));
        self.errors += u64::from(by_level || by_name());
    }

    fn merge(&mut self, other: &Self) {
        self.events += other.events;
        self.errors += other.errors;
    }

    fn state(&self, out: &mut StateWriter) {
        out.unsigned(self.events);
        out.unsigned(self.errors);
    }

    fn restore(&mut self, state: &mut StateReader) -> Option<()> {
        *self = ErrorCount { events: state.unsigned()?, errors: state.unsigned()? };
        Some(())
    }

    fn evaluate(&self, out: &mut Patch) {
        out.count("errors", self.errors);
        out.count("events", self.events);
        if self.events > 0 {
            out.real("error_rate", self.errors as f64 / self.events as f64);
        }
    }
}

export_metric!(ErrorCount);
