//! Names the family of a model: gpt of gpt-4o-mini.

use cylestio_plugin_sdk::{Enricher, Patch, Row, export_enricher};

#[derive(Default)]
struct ModelFamily;

impl Enricher for ModelFamily {
    fn enrich(&self, event: &Row, out: &mut Patch) {
        let model = event.text("attributes[\"llm.model\"]");
        out.text("model.family", model.and_then(|model| model.split('-').next()));
    }
}

export_enricher!(ModelFamily);
