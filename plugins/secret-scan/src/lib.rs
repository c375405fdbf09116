//! Counts credentials and card numbers in an event's attributes. What was found is never written, only how many and of which kinds.
//!
//! Each string is looked at as a masker sees it, and a masker's mark counts as what stood there: the counts are the same with maskers on
//! and off. The shapes are the secret-masker's own files.

mod card;
mod json;
mod keys;
mod kind;
mod many;
mod pem;
mod scan;
mod set;
mod token;
mod url;

use cylestio_plugin_sdk::{Enricher, Patch, Row, export_enricher};
use kind::Kind;

#[derive(Default)]
struct SecretScan;

impl Enricher for SecretScan {
    fn enrich(&self, event: &Row, out: &mut Patch) {
        let Some(attributes) = event.json("event.attributes") else { return };
        let (mut count, mut kinds) = (0, 0_u64);
        json::parts(attributes.as_bytes(), |part| {
            scan::scan::<true>(part, 0, |secret| {
                count += 1;
                kinds |= 1 << secret.kind as u8;
            });
        });
        if count > 0 {
            out.count("secret.count", count);
            out.text("secret.kinds", &*names(kinds));
        }
    }
}

export_enricher!(SecretScan);

/// The names of the kinds in the set, sorted, separated by commas.
fn names(kinds: u64) -> String {
    let names: Vec<_> = Kind::ALL.iter().filter(|kind| kinds & (1 << **kind as u8) != 0).map(|kind| kind.name()).collect();
    names.join(",")
}
