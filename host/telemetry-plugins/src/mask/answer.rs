//! What a masker answers, checked before anything of it is used.

use std::sync::Arc;

use telemetry_model::{Batch, BatchView, FieldType, Value};

use super::Span;
use super::columns::LeafBatch;
use super::seen::Found;
use crate::call::CallError;
use crate::wire::expanded;

/// `leaf`, `start`, `end`, `replacement`.
const TYPES: [FieldType; 4] = [FieldType::Integer, FieldType::Integer, FieldType::Integer, FieldType::Text];
/// A replacement has at most so many bytes.
const MAX_REPLACEMENT: usize = 256;
/// All replacements of a leaf together have at most twice its bytes and so many more.
const MAX_GROWTH: usize = 256;

/// What was found in each leaf of `sent`.
///
/// # Errors
/// What breaks the contract; then nothing of the answer counts.
pub(super) fn read(sent: &LeafBatch, answer: &Batch, output_limit: usize) -> Result<Vec<Found>, CallError> {
    let contract = |text: String| CallError::Contract(text);
    let view = BatchView::check(answer, &TYPES).map_err(|error| contract(error.to_string()))?;
    let leaves = sent.batch.rows as usize;
    if view.groups().is_some() {
        return Err(contract("a `group` column nobody asked for".into()));
    }
    if expanded(&view) > output_limit {
        return Err(CallError::Output(output_limit));
    }
    let mut found: Vec<Found> = vec![None; leaves];
    let mut spans: Vec<(usize, Span)> = (0..view.rows()).map(|row| span(&view, row)).collect::<Result<_, _>>()?;
    spans.sort_by_key(|(leaf, span)| (*leaf, span.start));
    let mut spans = spans.into_iter().peekable();
    while let Some((leaf, _)) = spans.peek() {
        let leaf = *leaf;
        let slot = found.get_mut(leaf).ok_or_else(|| contract(format!("a span of leaf {leaf} of {leaves}")))?;
        let list: Arc<[Span]> = std::iter::from_fn(|| spans.next_if(|(of, _)| *of == leaf)).map(|(_, span)| span).collect();
        check(&list, sent.text(leaf).unwrap_or_default()).map_err(|problem| contract(format!("leaf {leaf}: {problem}")))?;
        *slot = Some(list);
    }
    Ok(found)
}

fn span(view: &BatchView<'_>, row: usize) -> Result<(usize, Span), CallError> {
    let [Some(leaf), Some(start), Some(end), Some(replacement)] = [0, 1, 2, 3].map(|column: usize| view.columns().get(column)) else {
        return Err(CallError::Contract("columns are missing".into()));
    };
    let (Value::Integer(leaf), Value::Integer(start), Value::Integer(end), Value::Text(replacement)) =
        (leaf.value(row), start.value(row), end.value(row), replacement.value(row))
    else {
        return Err(CallError::Contract(format!("span {row} lacks a value")));
    };
    let place = |value: i64| u32::try_from(value).map_err(|_| CallError::Contract(format!("span {row}: {value} is no place")));
    let leaf = place(leaf)? as usize;
    Ok((leaf, Span { start: place(start)?, end: place(end)?, replacement: replacement.into() }))
}

fn check(spans: &[Span], text: &str) -> Result<(), &'static str> {
    let mut before = 0;
    let mut written = 0;
    for Span { start, end, replacement } in spans {
        let (start, end) = (*start as usize, *end as usize);
        if start < before {
            return Err("spans overlap");
        }
        if start >= end || !text.is_char_boundary(start) || !text.is_char_boundary(end) {
            return Err("a span is empty, past the end or cuts a character");
        }
        if replacement.len() > MAX_REPLACEMENT {
            return Err("a replacement is longer than 256 bytes");
        }
        before = end;
        written += replacement.len();
    }
    if written > 2 * text.len() + MAX_GROWTH { Err("the replacements are much longer than the leaf") } else { Ok(()) }
}
