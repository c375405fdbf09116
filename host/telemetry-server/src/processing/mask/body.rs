//! Bodies that hold no events. One that is JSON all the same is masked string by string; other text as one value, and when undoing what
//! looks like escapes in it brings more to light, nothing of it is kept.

use telemetry_model::json::unescape;
use telemetry_model::{DigestKey, JsonText};
use telemetry_plugins::{Leaf, LeafField, LeafPart};

use super::{Hit, Job, List, splice, spliced};
use crate::processing::stages::{Text, Undecoded};
use crate::processing::{quarantine, rows};

/// What may be kept of a body.
#[derive(Clone, Debug)]
pub(in crate::processing) enum MaskedBody {
    /// This text.
    Text(String),
    /// Its digest only.
    Nothing,
}

/// A body that was refused, its text to be kept.
pub(super) struct RefusedBody<'t> {
    pub job: usize,
    pub source: u64,
    text: &'t str,
    is_json: bool,
    unescaped: Option<String>,
}

/// Those of which text would be kept.
pub(super) fn refused<'t>(jobs: &[Job], texts: &'t [Result<(Text, usize), Undecoded>]) -> Vec<RefusedBody<'t>> {
    let all = jobs.iter().zip(texts).enumerate();
    all.filter_map(|(job, (sent, text))| {
        let Undecoded { refusal, bytes } = text.as_ref().err().filter(|_| !sent.unit.strict)?;
        let text = quarantine::text(bytes, refusal)?;
        let is_json = JsonText::parse(text).is_ok();
        let unescaped = (!is_json && text.contains('\\')).then(|| unescape(text));
        Some(RefusedBody { job, source: rows::source(&sent.unit.source, ""), text, is_json, unescaped })
    })
    .collect()
}

impl<'t> RefusedBody<'t> {
    pub(super) fn list(&'t self, row: u32, list: &mut List<'_, 't>) {
        if self.is_json {
            return list.event(row, self.text);
        }
        let whole = |raw| Leaf { row, field: LeafField::Fixed("body"), part: LeafPart::Value, raw, is_escaped: false, pointer: None };
        list.leaf(whole(self.text), 0);
        if let Some(unescaped) = &self.unescaped {
            list.leaf(whole(unescaped), UNESCAPED);
        }
    }

    pub(super) fn masked(&self, hits: &[Hit<'_>], is_withheld: bool, key: &DigestKey) -> MaskedBody {
        if is_withheld {
            return MaskedBody::Nothing;
        }
        if self.is_json {
            return MaskedBody::Text(spliced(self.text, hits, key));
        }
        let count = |at: usize| hits.iter().filter(|hit| hit.at == at).map(|hit| hit.spans.len()).sum::<usize>();
        if self.unescaped.is_some() && count(0) != count(UNESCAPED) {
            return MaskedBody::Nothing;
        }
        let mut out = String::with_capacity(self.text.len());
        match hits.iter().find(|hit| hit.at == 0) {
            Some(hit) => splice::splice(&hit.leaf, &hit.spans, key, &mut out),
            None => out.push_str(self.text),
        }
        MaskedBody::Text(out)
    }
}

/// Where the unescaped variant is said to begin.
const UNESCAPED: usize = usize::MAX;
