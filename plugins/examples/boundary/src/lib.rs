//! Reads columns of several types and writes two.

use cylestio_plugin_sdk::{Enricher, Patch, Row, export_enricher};

#[derive(Default)]
struct Boundary;

impl Enricher for Boundary {
    fn enrich(&self, event: &Row, out: &mut Patch) {
        let len = |text: Option<&str>| text.map_or(0, str::len) as i64;
        let content = event.text("attributes[\"boundary.content\"]");
        let found = content.map_or(0, |content| content.matches("needle").count() as i64);
        let texts = len(event.text("attributes[\"boundary.first\"]"))
            + 2 * len(event.text("attributes[\"boundary.second\"]"))
            + 3 * len(event.text("attributes[\"boundary.third\"]"));
        out.integer("boundary.score", event.integer("attributes[\"boundary.number\"]").unwrap_or(0).wrapping_add(texts + found));
        out.boolean("boundary.high", event.real("attributes[\"boundary.share\"]").map(|share| share > 0.5));
    }
}

export_enricher!(Boundary);
