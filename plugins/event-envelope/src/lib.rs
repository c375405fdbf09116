//! Checks the envelope of an event. Rejects only what cannot be stored as an event at all, flags the rest.
//!
//! Codes are those of the server's own normalization where both look at the same thing.

use cylestio_plugin_sdk::{Report, Row, Settings, Validator, export_validator};

#[derive(Default)]
struct EventEnvelope {
    max_name_bytes: usize,
    max_id_bytes: usize,
    max_event_bytes: i64,
    max_attributes: i64,
}

impl Validator for EventEnvelope {
    fn configure(&mut self, settings: &Settings) -> Result<(), String> {
        let limit = |name, default| match settings.integer(name).unwrap_or(default) {
            limit if limit > 0 => Ok(limit),
            _ => Err(format!("`{name}` is not above 0")),
        };
        self.max_name_bytes = limit("max_name_bytes", 256)? as usize;
        self.max_id_bytes = limit("max_id_bytes", 256)? as usize;
        self.max_event_bytes = limit("max_event_bytes", 1 << 20)?;
        self.max_attributes = limit("max_attributes", 1000)?;
        Ok(())
    }

    fn validate(&self, event: &Row, report: &mut Report) {
        self.name(event, report);
        timestamp(event, report);
        version(event, report);
        level(event, report);
        for field in ["event.trace_id", "event.span_id", "event.parent_span_id", "event.agent_id"] {
            self.id(event, field, report);
        }
        if event.is_absent("event.agent_id") || event.text("event.agent_id") == Some("") {
            report.flag("event.agent_id", "agent-id-absent", "the event names no agent");
        }
        if event.is_absent("event.trace_id") || event.text("event.trace_id") == Some("null-trace") {
            report.flag("event.trace_id", "trace-id-null", "the event belongs to no trace");
        }
        if event.integer("event.size").is_some_and(|size| size > self.max_event_bytes) {
            report.flag("event.size", "event-large", format!("larger than {} bytes", self.max_event_bytes));
        }
        if event.integer("event.attribute_count").is_some_and(|count| count > self.max_attributes) {
            report.flag("event.attribute_count", "attributes-many", format!("more than {} attributes", self.max_attributes));
        }
    }
}

export_validator!(EventEnvelope);

impl EventEnvelope {
    fn name(&self, event: &Row, report: &mut Report) {
        let Some(name) = event.text("event.name").filter(|name| !name.trim().is_empty()) else {
            return match event.is_mismatched("event.name") {
                true => report.reject("event.name", "name-not-text", "name is not a string"),
                false => report.reject("event.name", "missing-name", "an event needs a name"),
            };
        };
        if name.len() > self.max_name_bytes {
            report.flag("event.name", "name-too-long", format!("longer than {} bytes", self.max_name_bytes));
        }
        if name.bytes().any(|byte| byte.is_ascii_control()) {
            report.flag("event.name", "control-character", "name has control characters");
        }
    }

    fn id(&self, event: &Row, field: &'static str, report: &mut Report) {
        let Some(id) = event.text(field) else {
            if event.is_mismatched(field) {
                report.flag(field, "not-text", "an id is a string");
            }
            return;
        };
        if id.len() > self.max_id_bytes {
            report.flag(field, "id-too-long", format!("longer than {} bytes", self.max_id_bytes));
        }
        if id.bytes().any(|byte| byte.is_ascii_control()) {
            report.flag(field, "control-character", "an id has control characters");
        }
    }
}

fn timestamp(event: &Row, report: &mut Report) {
    if event.is_absent("event.timestamp") {
        report.reject("event.timestamp", "missing-timestamp", "an event needs a timestamp");
    } else if event.is_mismatched("event.timestamp") {
        report.reject("event.timestamp", "timestamp-unreadable", "timestamp is not an ISO 8601 time between 1677-09-21 and 2262-04-11");
    }
}

fn version(event: &Row, report: &mut Report) {
    match event.text("event.schema_version") {
        Some("1.0") => {}
        Some(_) => report.flag("event.schema_version", "schema-version-unknown", "the only version known is 1.0"),
        None if event.is_mismatched("event.schema_version") => {
            report.flag("event.schema_version", "not-text", "schema_version is a string")
        }
        None => report.flag("event.schema_version", "schema-version-absent", "the event names no schema_version"),
    }
}

fn level(event: &Row, report: &mut Report) {
    match event.text("event.level") {
        Some(level) if LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) => {}
        Some(_) => report.flag("event.level", "level-unknown", "not one of DEBUG, INFO, WARNING, ERROR, CRITICAL, SECURITY_ALERT"),
        None if event.is_mismatched("event.level") => report.flag("event.level", "not-text", "level is a string"),
        None => report.flag("event.level", "level-absent", "taken as INFO"),
    }
}

const LEVELS: [&str; 8] = ["INFO", "WARNING", "ERROR", "DEBUG", "SECURITY_ALERT", "CRITICAL", "WARN", "FATAL"];
