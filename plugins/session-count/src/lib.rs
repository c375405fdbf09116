//! Counts sessions, and the mean of how long they last, from first to last event.

use cylestio_plugin_sdk::{Metric, Patch, Row, StateReader, StateWriter, export_metric};

#[derive(Default)]
struct SessionCount {
    sessions: u64,
    timed: u64,
    nanoseconds: u128,
}

impl Metric for SessionCount {
    fn update(&mut self, session: &Row) {
        self.sessions += 1;
        if let (Some(start), Some(end)) = (session.time("session.start_time"), session.time("session.end_time"))
            && end >= start
        {
            self.timed += 1;
            self.nanoseconds += u128::from(end.abs_diff(start));
        }
    }

    fn merge(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.timed += other.timed;
        self.nanoseconds += other.nanoseconds;
    }

    fn state(&self, out: &mut StateWriter) {
        out.unsigned(self.sessions);
        out.unsigned(self.timed);
        out.unsigned(self.nanoseconds);
    }

    fn restore(&mut self, state: &mut StateReader) -> Option<()> {
        *self = SessionCount { sessions: state.unsigned()?, timed: state.unsigned()?, nanoseconds: state.unsigned()? };
        Some(())
    }

    fn evaluate(&self, out: &mut Patch) {
        out.count("sessions", self.sessions);
        out.count("sessions_without_duration", self.sessions - self.timed);
        if self.timed > 0 {
            out.real("mean_duration_ms", self.nanoseconds as f64 / self.timed as f64 / 1e6);
        }
    }
}

export_metric!(SessionCount);
