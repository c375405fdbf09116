//! Bytes of a request to decoded events: strict JSON on the fast path, what Python writes when it has to be, nothing else.
//!
//! A refusal names its cause and never quotes what was sent. Nothing here recurses; every cost is linear in the bytes.

mod batch;
mod envelope;
mod inflate;
mod mend;
mod refusal;
mod scan;
mod text;

use std::borrow::Cow;
use std::ops::Range;

use telemetry_model::{Flag, RawEvent};

use super::flags;
use mend::{Mend, Mends};

pub use inflate::{Encoding, inflate};
pub use refusal::{Refusal, RefusalKind};

/// Levels of nesting that an event may have, its own braces being the first.
pub const MAX_DEPTH: usize = 100;

/// What a body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One event.
    Single,
    /// `{"events": [..]}` or an array, of at most so many.
    Batch {
        /// More are refused as a whole.
        max_events: usize,
    },
}

/// A body whose text is JSON of the shape asked for.
#[derive(Debug)]
pub struct Decoded<'a> {
    /// The text that was parsed: the body's own, or a mended copy.
    pub text: Cow<'a, str>,
    /// In input order: the event, or why this item of a batch is none; and where it stands in `text`.
    pub items: Vec<(Result<RawEvent, Refusal>, Range<usize>)>,
}

/// Decodes a body.
///
/// # Errors
/// When the body as a whole is refused; items of a batch are refused one by one.
pub fn decode(bytes: &[u8], shape: Shape) -> Result<Decoded<'_>, Refusal> {
    let body = text::read(bytes)?;
    let mut decoded = match scan::has_lone_surrogate(body.text) {
        true => decode_mended(body.text, shape),
        false => match items(body.text, shape, &Mends::default()) {
            Ok(items) => Ok(Decoded { text: Cow::Borrowed(body.text), items }),
            Err(_) if is_python(body.text) => decode_mended(body.text, shape),
            Err(refusal) => Err(refusal),
        },
    }?;
    if body.had_mark {
        decoded.items.iter_mut().filter_map(|(item, _)| item.as_mut().ok()).for_each(|event| {
            flags::push_flag(&mut event.flags, Flag::new("byte-order-mark", None));
        });
    }
    Ok(decoded)
}

/// Reads an event again whose strings were changed, and leaves what was odd about it.
///
/// # Errors
/// As [`decode`]; there is none when only the inside of strings was changed.
pub(super) fn again(text: &str, before: &RawEvent) -> Result<RawEvent, Refusal> {
    let mut event = item(text, 0..text.len(), &Mends::default())?;
    event.size = before.size;
    // A flag that names a field is found again, under the field's new name.
    before.flags.iter().filter(|flag| flag.field.is_none()).for_each(|flag| flags::push_flag(&mut event.flags, flag.clone()));
    Ok(event)
}

fn is_python(text: &str) -> bool {
    ["NaN", "Infinity"].iter().any(|token| memchr::memmem::find(text.as_bytes(), token.as_bytes()).is_some())
}

fn decode_mended(text: &str, shape: Shape) -> Result<Decoded<'static>, Refusal> {
    let (text, mends) = mend::mend(text);
    let items = items(&text, shape, &mends)?;
    Ok(Decoded { text: Cow::Owned(text), items })
}

type Items = Vec<(Result<RawEvent, Refusal>, Range<usize>)>;

fn items(text: &str, shape: Shape, mends: &Mends) -> Result<Items, Refusal> {
    match shape {
        Shape::Single => Ok(vec![(Ok(item(text, 0..text.len(), mends)?), 0..text.len())]),
        Shape::Batch { max_events } => {
            let ranges = batch::ranges(text, max_events)?;
            let decoded = ranges.into_iter().map(|range| (item(text, range.clone(), mends), range));
            Ok(decoded.collect())
        }
    }
}

fn item(text: &str, range: Range<usize>, mends: &Mends) -> Result<RawEvent, Refusal> {
    let part = text.get(range.clone()).unwrap_or_default();
    if scan::is_deeper_than(MAX_DEPTH, part) {
        return Err(Refusal::new(RefusalKind::TooDeep, "too-deep", format!("nested deeper than {MAX_DEPTH} levels")));
    }
    let mut event = envelope::read(part)?;
    for (mend, code) in [(Mend::NotANumber, "not-a-number"), (Mend::LoneSurrogate, "lone-surrogate")] {
        if mends.any(&range, mend) {
            flags::push_flag(&mut event.flags, Flag::new(code, None));
        }
    }
    Ok(event)
}

#[cfg(test)]
mod tests;
