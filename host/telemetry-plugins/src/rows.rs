//! Enrichers over stored rows: those of calls and executions, and any enricher run again over what is stored.

use telemetry_model::{Field, Relation, Rows};

use crate::catalog::Catalog;
use crate::enrich::{Enricher, Enrichment, enrich};

impl Catalog {
    /// The ids of the enrichers over rows of `relation` that serve, in the order in which they run. Of `events` those that run inline.
    pub fn row_enrichers(&self, relation: Relation) -> Vec<&str> {
        self.chosen(relation, None).into_iter().map(|enricher| &*enricher.plugin.manifest.id).collect()
    }

    /// Whose rows the enricher `id` takes; `None` when no enricher of that id serves.
    pub fn enricher_source(&self, id: &str) -> Option<Relation> {
        self.enrichers().find(|enricher| *enricher.plugin.manifest.id == *id).map(|enricher| enricher.plugin.manifest.source)
    }

    /// What [`Catalog::enrich_rows`] may ask of rows, each once.
    pub fn row_fields(&self, relation: Relation, only: Option<&str>) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::new();
        for enricher in self.chosen(relation, only) {
            let manifest = &enricher.plugin.manifest;
            let reads = manifest.reads.iter().map(|read| read.field.clone());
            // What a client sent under a key stands.
            let writes = manifest.writes.iter().map(|write| Field::Attribute(write.key.clone()));
            for field in reads.chain(writes) {
                if !fields.contains(&field) {
                    fields.push(field);
                }
            }
        }
        fields
    }

    /// Lets the enrichers over `relation`, or only the one of that id, add to stored rows.
    pub fn enrich_rows(&self, relation: Relation, only: Option<&str>, rows: &dyn Rows) -> Enrichment {
        enrich(&self.chosen(relation, only), self.limits(), rows)
    }

    fn chosen(&self, relation: Relation, only: Option<&str>) -> Vec<&Enricher> {
        let is_chosen = |enricher: &&Enricher| {
            let manifest = &enricher.plugin.manifest;
            manifest.source == relation && only.is_none_or(|id| *manifest.id == *id)
        };
        self.enrichers().filter(is_chosen).collect()
    }
}
