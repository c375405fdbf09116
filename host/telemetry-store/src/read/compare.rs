//! Whether the value of an attribute passes a filter.

use std::cmp::Ordering;

use telemetry_model::query::{Comparison, Filter};
use telemetry_model::{JsonKind, JsonText};

/// Whether `json`, a value that is there, passes.
pub fn passes(json: &str, filter: &Filter) -> bool {
    let json = JsonText::parse(json).unwrap_or_else(|_| JsonText::null());
    match filter.comparison {
        Comparison::Equal => filter.values.iter().any(|value| equals(&json, value)),
        other => filter.values.iter().all(|value| order(&json, value).is_some_and(|ordering| other.passes(ordering))),
    }
}

/// Text with the text of a string, a number by its value, anything else as JSON.
fn equals(json: &JsonText, text: &str) -> bool {
    match json.kind() {
        JsonKind::String => json.as_text().is_some_and(|own| own == text),
        JsonKind::Integer | JsonKind::Real => match (json.as_integer(), text.parse::<i64>()) {
            (Some(own), Ok(other)) => own == other,
            _ => json.as_str() == text || (json.as_real().is_some() && json.as_real() == text.parse::<f64>().ok()),
        },
        _ => json.as_str() == text,
    }
}

/// Of numbers with a number, else of strings with a text.
fn order(json: &JsonText, text: &str) -> Option<Ordering> {
    let Some(real) = text.parse::<f64>().ok().filter(|real| real.is_finite()) else {
        return Some((*json.as_text()?).cmp(text));
    };
    match (json.as_integer(), text.parse::<i64>()) {
        (Some(own), Ok(other)) => Some(own.cmp(&other)),
        _ => json.as_real()?.partial_cmp(&real),
    }
}
