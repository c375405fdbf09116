//! Counts tool executions that repeat what was done before: the same tool with the same arguments in the same conversation.

use cylestio_plugin_sdk::{Metric, Patch, Row, Settings, StateReader, StateWriter, export_metric};

#[derive(Default)]
struct ToolLoopCount {
    repeats: i64,
    loops: u64,
    looping: u64,
    longest: u64,
    executions: u64,
    unknown: u64,
}

impl Metric for ToolLoopCount {
    fn configure(&mut self, settings: &Settings) -> Result<(), String> {
        self.repeats = settings.integer("repeats").unwrap_or(3);
        if self.repeats < 2 { Err("repeats: must be at least 2".to_owned()) } else { Ok(()) }
    }

    fn update(&mut self, execution: &Row) {
        self.executions += 1;
        let Some(repeat) = execution.integer("execution.repeat").filter(|repeat| *repeat > 0) else {
            self.unknown += 1;
            return;
        };
        self.loops += u64::from(repeat == self.repeats);
        self.looping += u64::from(repeat >= self.repeats);
        self.longest = self.longest.max(repeat.unsigned_abs());
    }

    fn merge(&mut self, other: &Self) {
        self.loops += other.loops;
        self.looping += other.looping;
        self.longest = self.longest.max(other.longest);
        self.executions += other.executions;
        self.unknown += other.unknown;
    }

    fn state(&self, out: &mut StateWriter) {
        [self.loops, self.looping, self.longest, self.executions, self.unknown].into_iter().for_each(|count| out.unsigned(count));
    }

    fn restore(&mut self, state: &mut StateReader) -> Option<()> {
        self.loops = state.unsigned()?;
        self.looping = state.unsigned()?;
        self.longest = state.unsigned()?;
        self.executions = state.unsigned()?;
        self.unknown = state.unsigned()?;
        Some(())
    }

    fn evaluate(&self, out: &mut Patch) {
        out.count("loops", self.loops);
        out.count("looping", self.looping);
        if self.longest > 0 {
            out.count("longest", self.longest);
        }
        out.count("executions", self.executions);
        out.count("unknown", self.unknown);
    }
}

export_metric!(ToolLoopCount);
