//! The stages of the write path. Each takes all events of the joined units; what is refused stays in its place with its reasons.

pub(super) mod dry;
mod submit;
mod work;

use std::borrow::Cow;
use std::sync::Arc;

use telemetry_model::{Flag, Reason};
use telemetry_plugins::{Catalog, Registry, Severity, Violation};
use telemetry_store::Store;

use super::decode::{self, Refusal};
use super::normalize;
use super::pipeline::Job;
use super::quarantine::Claim;
use super::unit::IngestError;
pub(super) use work::{Arrival, State, Text, Work};

/// What the stages work with.
pub(super) struct Stages {
    pub store: Store,
    pub plugins: Arc<Registry>,
}

/// The bytes of a body after decompression. Of one that cannot be decompressed, the bytes that were sent stand beside.
pub(super) type Body = Result<Vec<u8>, Undecoded>;

/// A body that holds no events, and why.
#[derive(Debug)]
pub(super) struct Undecoded {
    pub(super) refusal: Refusal,
    pub(super) bytes: Vec<u8>,
}

impl Stages {
    /// Undoes compression. A job for which there is no memory is answered and left out.
    pub(super) fn receive(&self, jobs: Vec<Job>) -> (Vec<Job>, Vec<Body>) {
        jobs.into_iter().filter_map(receive).unzip()
    }

    /// Asks the validators: what they reject is refused, what they flag is flagged.
    pub(super) fn validate(&self, plugins: &Catalog, work: &mut Work) {
        let rows = work.decoded();
        if rows.0.is_empty() {
            return;
        }
        let mut validation = plugins.validate(&rows);
        work.note(std::mem::take(&mut validation.handed), |state| matches!(state, State::Decoded(_)));
        let said = validation.violations.into_iter().zip(validation.unvalidated).zip(validation.runs);
        for (arrival, ((violations, unvalidated), runs)) in work.decoded_mut().zip(said) {
            arrival.validators = runs;
            for plugin in unvalidated {
                let code = format!("unvalidated:{}", plugin.plugin_id);
                arrival.flag(Flag { code: Cow::Owned(code), field: None, message: "".into() });
            }
            let (rejects, flagged): (Vec<_>, Vec<_>) = violations.into_iter().partition(|said| said.severity == Severity::Reject);
            flagged.into_iter().map(flag).for_each(|flag| arrival.flag(flag));
            arrival.rejected = rejects.into_iter().map(reason).collect();
        }
    }

    /// Types what may be stored; the rest is refused with everything that is wrong with it.
    pub(super) fn normalize(&self, work: &mut Work) {
        let key = self.store.digest_key();
        for arrival in work.decoded_mut() {
            let State::Decoded(event) = arrival.take() else { continue };
            let claim = Claim::of(&event);
            let mut reasons = std::mem::take(&mut arrival.rejected);
            arrival.state = match normalize::normalize(*event, key) {
                Ok(normalized) if reasons.is_empty() => State::Normalized(Box::new(normalized)),
                Ok(_) => State::Refused(reasons, claim),
                Err(own) => {
                    reasons.retain(|said| !own.iter().any(|own| is_closer(own, said)));
                    let unsaid = |reason: &Reason| !reasons.iter().any(|said| said.code == reason.code && said.field == reason.field);
                    let own: Vec<_> = own.into_iter().filter(unsaid).collect();
                    reasons.extend(own);
                    State::Refused(reasons, claim)
                }
            };
        }
    }

    /// Lets the enrichers add their attributes.
    pub(super) fn enrich(&self, plugins: &Catalog, work: &mut Work) {
        let rows = work.normalized();
        if rows.0.is_empty() {
            return;
        }
        let mut enrichment = plugins.enrich(&rows);
        work.note(std::mem::take(&mut enrichment.handed), |state| matches!(state, State::Normalized(_)));
        let said = enrichment.derived.into_iter().zip(enrichment.runs);
        for (arrival, (derived, runs)) in work.normalized_mut().zip(said) {
            arrival.derived = derived;
            arrival.enrichers = runs;
        }
    }
}

fn receive(mut job: Job) -> Option<(Job, Body)> {
    let bytes = std::mem::take(&mut job.unit.bytes);
    let Some(encoding) = job.unit.encoding else { return Some((job, Ok(bytes))) };
    match decode::inflate(&bytes, encoding, job.unit.limit) {
        Ok(body) if job.unit.lease.grow(body.len()).is_err() => {
            // Nobody may be waiting any more.
            let _ = job.reply.send(Err(IngestError::Overloaded));
            None
        }
        Ok(body) => Some((job, Ok(body))),
        Err(refusal) => Some((job, Err(Undecoded { refusal, bytes }))),
    }
}

/// A validator is given a time or none: only the host can tell one out of range from one that is unreadable.
fn is_closer(own: &Reason, said: &Reason) -> bool {
    own.code == "timestamp-out-of-range" && said.code == "timestamp-unreadable" && said.field == own.field
}

fn flag(said: Violation) -> Flag {
    Flag { code: Cow::Owned(said.code.into()), field: Some(as_sent(said.field)), message: said.message }
}

fn reason(said: Violation) -> Reason {
    let plugin = Some(said.plugin.plugin_id.clone());
    Reason { code: Cow::Owned(said.code.into()), field: Some(as_sent(said.field)), message: said.message, plugin }
}

/// A member of the envelope by the name it was sent under: plugins write `event.name`.
fn as_sent(field: Box<str>) -> Box<str> {
    field.strip_prefix("event.").map(Into::into).unwrap_or(field)
}
