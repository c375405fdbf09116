//! Counts credentials and card numbers in an event's attributes. What was found is never written, only how many and of which kinds.

mod card;
mod kind;
mod scan;

use cylestio_plugin_sdk::{Enricher, Patch, Row, export_enricher};
use kind::Kind;

#[derive(Default)]
struct SecretScan;

impl Enricher for SecretScan {
    fn enrich(&self, event: &Row, out: &mut Patch) {
        let Some(attributes) = event.json("event.attributes") else { return };
        let (mut count, mut kinds) = (0, 0_u32);
        scan::scan(attributes.as_bytes(), |kind| {
            count += 1;
            kinds |= 1 << kind as u32;
        });
        if count > 0 {
            out.count("secret.count", count);
            out.text("secret.kinds", &*names(kinds));
        }
    }
}

export_enricher!(SecretScan);

/// The names of the kinds in the set, sorted, separated by commas.
fn names(kinds: u32) -> String {
    let names: Vec<_> = Kind::ALL.iter().filter(|kind| kinds & (1 << **kind as u32) != 0).map(|kind| kind.name()).collect();
    names.join(",")
}
