//! [`RawEvent`] to [`Event`] and [`Facts`], or the reasons why not. Pure: the same input gives the same output.
//!
//! What an agent sent stays as it was sent; what had to be understood in spite of its form is flagged.

mod envelope;
mod facts;
mod llm;
mod messages;
mod python;
mod security;
mod tool;

use telemetry_model::facts::Facts;
use telemetry_model::{DigestKey, Event, RawEvent, Reason};

/// An event and what it says of its call, execution or alert.
#[derive(Clone, Debug)]
pub struct Normalized {
    /// Every member has its type.
    pub event: Event,
    /// The input of correlation.
    pub facts: Facts,
}

/// Normalizes `raw`; `key` makes the digests of messages.
///
/// # Errors
/// All reasons why there can be no event: `missing-name`, `name-not-text`, `missing-timestamp`, `timestamp-unreadable`,
/// `timestamp-out-of-range`, `too-many-attributes`.
pub fn normalize(raw: RawEvent, key: &DigestKey) -> Result<Normalized, Vec<Reason>> {
    let mut event = envelope::event(raw)?;
    let facts = facts::read(&mut event, key);
    Ok(Normalized { event, facts })
}

#[cfg(test)]
mod tests;
