//! Masking what is stored already: after a masker was switched on, or learned something new.

use serde_json::json;
use telemetry_model::{DigestKey, Timestamp};
use telemetry_plugins::{Catalog, Leaf, LeafField, LeafPart, PluginKind};
use telemetry_store::{EntryKind, NewEntry, Rewritten, Store, StoreError, StoreSettings, StoredKind, StoredText, rewrite};

use super::leaves::Leaves;
use super::{List, spliced, take_row};

/// Why stored texts were not masked. None was changed then.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Nothing would mask.
    #[error("no masker is on")]
    NoMasker,
    /// One that is on cannot run.
    #[error("masker `{id}` cannot run: {reason}")]
    Failing {
        /// Which.
        id: String,
        /// Why.
        reason: String,
    },
    /// The writer took no entry.
    #[error("the journal took no entry")]
    Journal,
    /// The file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Runs the maskers of `plugins` over every text in the database. The server must be stopped.
///
/// # Errors
/// When no masker can run, one fails on a text, or the file cannot be written: then nothing is changed.
pub fn replay(plugins: &Catalog, settings: &StoreSettings, now: Timestamp) -> Result<Rewritten, ReplayError> {
    if let Some((id, reason)) = plugins.failing_maskers().into_iter().next() {
        return Err(ReplayError::Failing { id, reason });
    }
    if !plugins.has_maskers() {
        return Err(ReplayError::NoMasker);
    }
    note(plugins, settings, now)?;
    Ok(rewrite(settings, &mut |key, texts| masked(plugins, key, texts))?)
}

/// Says in the journal what is about to see every text.
fn note(plugins: &Catalog, settings: &StoreSettings, now: Timestamp) -> Result<(), ReplayError> {
    let maskers = plugins.statuses().into_iter().filter(|status| status.kind == Some(PluginKind::Masker));
    let maskers: Vec<_> = maskers.filter_map(|status| Some(json!({ "id": status.id, "derivation": status.derivation? }))).collect();
    let detail = json!({ "command": "mask replay", "maskers": maskers }).to_string();
    let entry = NewEntry { time: now, kind: EntryKind::Offline, as_of: None, detail: Some(detail), accesses: Vec::new() };
    let store = Store::open(settings.clone())?;
    let (tell, told) = std::sync::mpsc::channel();
    let noted = store.journal(entry, Box::new(move |result| drop(tell.send(result))));
    let noted = noted.map_err(|_| ReplayError::Journal).and_then(|()| told.recv().map_err(|_| ReplayError::Journal)?.map_err(Into::into));
    store.close();
    noted.map(drop)
}

fn masked(plugins: &Catalog, key: &DigestKey, texts: &[StoredText]) -> Result<Vec<Option<String>>, String> {
    // Each text counts as sent by somebody else: one that a masker fails on is no reason to leave others out.
    let sources: Vec<u64> = (0..texts.len() as u64).collect();
    let mut list = List::new(plugins.mask(&sources), plugins.min_leaf_bytes(), false);
    for (row, text) in (0..).zip(texts) {
        let part = match text.kind {
            StoredKind::Json => {
                Leaves::anywhere(&text.text, row).for_each(|found| list.leaf(found.leaf, found.at));
                continue;
            }
            StoredKind::Value | StoredKind::Body => LeafPart::Value,
            StoredKind::Id => LeafPart::Id,
            StoredKind::Name => LeafPart::Name,
        };
        let field = LeafField::Fixed("stored");
        list.leaf(Leaf { row, field, part, raw: &text.text, is_escaped: false, pointer: None }, 0);
    }
    let (hits, masked) = list.finish();
    if let Some(id) = masked.withheld.iter().flatten().next() {
        return Err(format!("`{id}` failed on it"));
    }
    let mut rest = &hits[..];
    let one = |(row, text): (u32, &StoredText)| {
        let hits = take_row(&mut rest, row);
        if hits.is_empty() {
            return None;
        }
        Some(if text.kind == StoredKind::Json { spliced(&text.text, hits, key) } else { plain(text, hits, key) })
    };
    Ok((0..).zip(texts).map(one).collect())
}

/// Text that is no JSON: its replacement is taken as it is.
fn plain(text: &StoredText, hits: &[super::Hit<'_>], key: &DigestKey) -> String {
    let mut out = text.text.clone();
    for hit in hits {
        hit.spans.iter().rev().for_each(|span| out.replace_range(span.start as usize..span.end as usize, &span.replacement));
        if hit.leaf.part != LeafPart::Value {
            super::splice::push_mark(&hit.leaf, key, &mut out);
        }
    }
    out
}
