//! Flags events of vendors that are not expected.

use cylestio_plugin_sdk::{Report, Row, Validator, export_validator};

const VENDOR: &str = "attributes[\"llm.vendor\"]";

#[derive(Default)]
struct KnownVendor;

impl Validator for KnownVendor {
    fn validate(&self, event: &Row, report: &mut Report) {
        if event.text(VENDOR).is_some_and(|vendor| !["openai", "anthropic"].contains(&vendor)) {
            report.flag(VENDOR, "vendor-unknown", "neither openai nor anthropic");
        }
    }
}

export_validator!(KnownVendor);
