//! A masker on trial: leaves given as JSON objects, texts as it leaves them.

use serde_json::{Value as Json, json};
use telemetry_model::outcome::RunOutcome;
use telemetry_plugins::{Catalog, Leaf, LeafField, LeafPart};

use crate::trial::TrialError;

/// What `{"text": .., "part"?: .., "field"?: .., "pointer"?: ..}` becomes, each leaf an event of its own.
///
/// # Errors
/// Names a leaf without a text, and one that the masker fails on.
pub(crate) fn masked(catalog: &Catalog, rows: &[Json]) -> Result<Vec<Json>, TrialError> {
    let leaves = read_all(rows)?;
    let sources: Vec<u64> = (0..rows.len() as u64).collect();
    let mut masking = catalog.mask(&sources);
    let found = masking.leaves(&leaves);
    for (row, run) in masking.finish().runs.iter().enumerate().flat_map(|(row, runs)| runs.iter().map(move |run| (row, run))) {
        if run.outcome != RunOutcome::Ok {
            return Err(TrialError::Failed { row, outcome: format!("{:?}", run.outcome) });
        }
    }
    let mut texts: Vec<String> = leaves.iter().map(|leaf| leaf.raw.to_owned()).collect();
    for (place, spans) in found {
        let Some(text) = texts.get_mut(place) else { continue };
        // From behind, so that places stay what they are.
        spans.iter().rev().for_each(|span| text.replace_range(span.start as usize..span.end as usize, &span.replacement));
    }
    Ok(texts.into_iter().map(|text| json!(text)).collect())
}

/// The leaves that `rows` name.
///
/// # Errors
/// Names one without a text.
pub(crate) fn read_all(rows: &[Json]) -> Result<Vec<Leaf<'_>>, TrialError> {
    (0..).zip(rows).map(|(row, leaf)| read(row, leaf)).collect()
}

fn read(row: u32, leaf: &Json) -> Result<Leaf<'_>, TrialError> {
    let text = |name: &str| leaf.get(name).and_then(Json::as_str);
    let raw = text("text").ok_or_else(|| TrialError::Row(format!("a leaf has no `text`: {leaf}")))?;
    let part = match text("part") {
        None => LeafPart::Value,
        Some(word) => LeafPart::ALL
            .into_iter()
            .find(|part| part.as_str() == word)
            .ok_or_else(|| TrialError::Row(format!("`part` is one of value, key, id, name, not `{word}`")))?,
    };
    let field = match text("field") {
        None => LeafField::Attribute("text"),
        Some(name) => match name.strip_prefix("attributes[\"").and_then(|rest| rest.strip_suffix("\"]")) {
            Some(key) => LeafField::Attribute(key),
            None => LeafField::Fixed(name),
        },
    };
    Ok(Leaf { row, field, part, raw, is_escaped: false, pointer: text("pointer").map(Into::into) })
}
