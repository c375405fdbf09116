//! Checks types and ranges of `llm.*` and `tool.*` attributes. Everything here is odd but usable, so it flags and never rejects.
//!
//! Codes are those of the server's own normalization where both look at the same thing.

use cylestio_plugin_sdk::{Report, Row, Validator, export_validator};

#[derive(Default)]
struct GenaiAttributes;

impl Validator for GenaiAttributes {
    fn validate(&self, event: &Row, report: &mut Report) {
        for field in TEXTS {
            if event.is_mismatched(field) {
                report.flag(field, "not-text", "is not a string");
            }
        }
        for (field, least) in COUNTS {
            count(event, field, least, report);
        }
        for (field, most) in NUMBERS {
            number(event, field, most, report);
        }
        total(event, report);
        if event.text(STATUS).is_some_and(|status| !STATUSES.contains(&status)) {
            report.flag(STATUS, "status-unknown", "is neither success nor error");
        }
    }
}

export_validator!(GenaiAttributes);

const TEXTS: [&str; 7] = [
    "attributes[\"llm.model\"]",
    "attributes[\"llm.vendor\"]",
    "attributes[\"llm.request.type\"]",
    "attributes[\"llm.response.id\"]",
    "attributes[\"llm.response.stop_reason\"]",
    "attributes[\"tool.name\"]",
    STATUS,
];

const STATUS: &str = "attributes[\"tool.status\"]";
const STATUSES: [&str; 2] = ["success", "error"];

const INPUT: &str = "attributes[\"llm.usage.input_tokens\"]";
const OUTPUT: &str = "attributes[\"llm.usage.output_tokens\"]";
const TOTAL: &str = "attributes[\"llm.usage.total_tokens\"]";

/// Integers, with the least that makes sense.
const COUNTS: [(&str, i64); 5] =
    [("attributes[\"llm.request.max_tokens\"]", 1), ("attributes[\"llm.request.top_k\"]", 0), (INPUT, 0), (OUTPUT, 0), (TOTAL, 0)];

/// Numbers from 0, with the most that makes sense.
const NUMBERS: [(&str, f64); 4] = [
    ("attributes[\"llm.request.temperature\"]", 2.0),
    ("attributes[\"llm.request.top_p\"]", 1.0),
    ("attributes[\"llm.response.duration_ms\"]", f64::INFINITY),
    ("attributes[\"tool.duration_ms\"]", f64::INFINITY),
];

fn count(event: &Row, field: &'static str, least: i64, report: &mut Report) {
    match event.integer(field) {
        Some(count) if count < 0 => report.flag(field, "negative", "is below 0"),
        Some(count) if count < least => report.flag(field, "out-of-range", format!("is below {least}")),
        None if event.is_mismatched(field) => report.flag(field, "not-an-integer", "is not an integer of 64 bits"),
        _ => {}
    }
}

fn number(event: &Row, field: &'static str, most: f64, report: &mut Report) {
    match event.real(field) {
        Some(number) if number < 0.0 => report.flag(field, "negative", "is below 0"),
        Some(number) if number > most => report.flag(field, "out-of-range", format!("is above {most}")),
        None if event.is_mismatched(field) => report.flag(field, "not-a-number", "is not a number"),
        _ => {}
    }
}

fn total(event: &Row, report: &mut Report) {
    if let (Some(input), Some(output), Some(total)) = (event.integer(INPUT), event.integer(OUTPUT), event.integer(TOTAL))
        && input >= 0
        && output >= 0
        && i128::from(total) < i128::from(input) + i128::from(output)
    {
        report.flag(TOTAL, "total-too-small", "is below input plus output");
    }
}
