//! Marks tool executions that repeat what was done before: the same tool with the same arguments in the same conversation.

use cylestio_plugin_sdk::{Enricher, Patch, Row, Settings, export_enricher};

#[derive(Default)]
struct ToolLoop {
    repeats: i64,
}

impl Enricher for ToolLoop {
    fn configure(&mut self, settings: &Settings) -> Result<(), String> {
        self.repeats = settings.integer("repeats").unwrap_or(3);
        if self.repeats < 2 { Err("repeats: must be at least 2".to_owned()) } else { Ok(()) }
    }

    fn enrich(&self, execution: &Row, out: &mut Patch) {
        if let Some(repeat) = execution.integer("execution.repeat").filter(|repeat| *repeat >= self.repeats) {
            out.boolean("tool.loop", true);
            out.integer("tool.loop.repeat", repeat);
        }
    }
}

export_enricher!(ToolLoop);
