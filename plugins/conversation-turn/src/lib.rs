//! Says how far into its conversation a model call is, so that reports can be grouped by it.

use cylestio_plugin_sdk::{Enricher, Patch, Row, Settings, export_enricher};

#[derive(Default)]
struct ConversationTurn {
    long_from: i64,
}

impl Enricher for ConversationTurn {
    fn configure(&mut self, settings: &Settings) -> Result<(), String> {
        self.long_from = settings.integer("long_from").unwrap_or(20);
        if self.long_from < 2 { Err("long_from: must be at least 2".to_owned()) } else { Ok(()) }
    }

    fn enrich(&self, call: &Row, out: &mut Patch) {
        let Some(turn) = call.integer("call.turn") else { return };
        let stage = match turn {
            ..=1 => "first",
            turn if turn < self.long_from => "follow-up",
            _ => "long",
        };
        out.integer("conversation.turn", turn);
        out.text("conversation.stage", stage);
    }
}

export_enricher!(ConversationTurn);
