//! What an event says of a security alert.

use telemetry_model::facts::{Facts, SecurityAlertFacts};

use super::facts::{self, Reader};

/// A finding of the monitor's scanner, or another event of the family that states an alert level.
pub(super) fn is_alert(name: &str, reader: &Reader<'_>) -> bool {
    name.starts_with("security.content.") || reader.given("security.alert_level").is_some()
}

pub(super) fn facts(reader: &mut Reader<'_>) -> Facts {
    Facts::SecurityAlert(Box::new(SecurityAlertFacts {
        alert_level: reader.text(&["security.alert_level"]),
        category: reader.text(&["security.category"]),
        severity: reader.text(&["security.severity"]),
        description: reader.text(&["security.description"]),
        llm_vendor: reader.text(&["llm.vendor", "llm.provider"]),
        content_sample: reader.text(&["security.content_sample"]),
        detection_time: reader.time("security.detection_time"),
        keywords: facts::array(reader, "security.keywords"),
    }))
}
