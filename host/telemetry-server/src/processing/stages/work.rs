//! The events of the joined units on their way through the stages.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use telemetry_model::journal::Handed;
use telemetry_model::outcome::{Derived, PluginRun};
use telemetry_model::{Flag, RawEvent, Reason};

use super::super::decode::{self, Decoded, Refusal, Shape};
use super::super::flags;
use super::super::mask::MaskedBody;
use super::super::normalize::Normalized;
use super::super::pipeline::Job;
use super::super::quarantine::Claim;
use super::super::rows::{self, EventRows, RawRows};
use super::{Body, Undecoded};

/// All events of the joined units, those of a unit together and in input order.
pub(in super::super) struct Work {
    /// For each job its text and how many events it holds, or why its body is refused.
    pub(in super::super) texts: Vec<Result<(Text, usize), Undecoded>>,
    /// For each job whose body is refused what may be kept of it, when there are maskers.
    pub(in super::super) bodies: Vec<Option<MaskedBody>>,
    pub(in super::super) arrivals: Vec<Arrival>,
    /// What plugins were handed of the arrivals.
    pub(in super::super) handed: Vec<Handed>,
}

/// The text that a job's events were read from: the body itself, or what became of it when it was mended.
pub(in super::super) struct Text {
    bytes: Vec<u8>,
    /// Behind a byte order mark.
    start: usize,
}

impl Text {
    /// All of it.
    pub(in super::super) fn as_str(&self) -> &str {
        self.bytes.get(self.start..).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// What stands at `place`.
    pub(super) fn get(&self, place: Range<usize>) -> &str {
        let bytes = self.bytes.get(place.start + self.start..place.end + self.start);
        bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// One event.
pub(in super::super) struct Arrival {
    /// Where it stands in its job's text.
    pub(in super::super) place: Range<usize>,
    /// Its own text, when masking changed it.
    pub(in super::super) text: Option<Box<str>>,
    pub(in super::super) state: State,
    /// What validators refuse it for, until it is refused.
    pub(super) rejected: Vec<Reason>,
    pub(in super::super) maskers: Arc<[PluginRun]>,
    pub(super) validators: Arc<[PluginRun]>,
    pub(super) enrichers: Arc<[PluginRun]>,
    pub(super) derived: Vec<Derived>,
    /// Who sent it, hashed.
    pub(in super::super) source: u64,
}

/// How far an event came.
pub(in super::super) enum State {
    Decoded(Box<RawEvent>),
    Normalized(Box<Normalized>),
    Refused(Vec<Reason>, Claim),
}

impl Work {
    /// Decodes the bodies of all jobs.
    pub(in super::super) fn decode(jobs: &[Job], bodies: Vec<Body>) -> Self {
        let mut work = Work {
            texts: Vec::with_capacity(jobs.len()),
            bodies: vec![None; jobs.len()],
            arrivals: Vec::with_capacity(jobs.len()),
            handed: Vec::new(),
        };
        let none: Arc<[PluginRun]> = Arc::from([]);
        for (job, body) in jobs.iter().zip(bodies) {
            let text = body.and_then(|bytes| {
                let (text, items) = read(bytes, job.unit.shape)?;
                let count = items.len();
                work.arrivals.extend(items.into_iter().map(|(item, place)| arrival(job, item, place, &none)));
                Ok((text, count))
            });
            work.texts.push(text);
        }
        work
    }

    /// Events that are decoded and no further.
    pub(super) fn decoded(&self) -> RawRows<'_> {
        let rows = self.arrivals.iter().filter_map(|arrival| match &arrival.state {
            State::Decoded(event) => Some((&**event, arrival.source)),
            _ => None,
        });
        RawRows(rows.collect())
    }

    /// As [`Work::decoded`], in the same order.
    pub(super) fn decoded_mut(&mut self) -> impl Iterator<Item = &mut Arrival> {
        self.arrivals.iter_mut().filter(|arrival| matches!(arrival.state, State::Decoded(_)))
    }

    /// Keeps what plugins were handed of the events that `is_row` holds of, in order.
    pub(super) fn note(&mut self, mut handed: Vec<Handed>, is_row: impl Fn(&State) -> bool) {
        if handed.is_empty() {
            return;
        }
        let places: Vec<u32> = (0..).zip(&self.arrivals).filter(|(_, arrival)| is_row(&arrival.state)).map(|(place, _)| place).collect();
        for row in handed.iter_mut().flat_map(|handed| &mut handed.rows) {
            row.row = places.get(row.row as usize).copied().unwrap_or(u32::MAX);
        }
        self.handed.extend(handed);
    }

    /// Events that are normalized.
    pub(super) fn normalized(&self) -> EventRows<'_> {
        let rows = self.arrivals.iter().filter_map(|arrival| match &arrival.state {
            State::Normalized(normalized) => Some((&normalized.event, arrival.source)),
            _ => None,
        });
        EventRows(rows.collect())
    }

    /// As [`Work::normalized`], in the same order.
    pub(super) fn normalized_mut(&mut self) -> impl Iterator<Item = &mut Arrival> {
        self.arrivals.iter_mut().filter(|arrival| matches!(arrival.state, State::Normalized(_)))
    }
}

impl Arrival {
    /// The state, leaving the event refused for nothing until it gets its next.
    pub(super) fn take(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Refused(Vec::new(), Claim::default()))
    }

    /// Flags a decoded event.
    pub(in super::super) fn flag(&mut self, flag: Flag) {
        if let State::Decoded(event) = &mut self.state {
            flags::push_flag(&mut event.flags, flag);
        }
    }
}

type Items = Vec<(Result<RawEvent, Refusal>, Range<usize>)>;

/// Decodes a body. Only one of the body and its mended copy is left.
fn read(bytes: Vec<u8>, shape: Shape) -> Result<(Text, Items), Undecoded> {
    let (start, mended, items) = match decode::decode(&bytes, shape) {
        Ok(Decoded { text: Cow::Borrowed(text), items }) => (bytes.len() - text.len(), None, items),
        Ok(Decoded { text: Cow::Owned(text), items }) => (0, Some(text.into_bytes()), items),
        Err(refusal) => return Err(Undecoded { refusal, bytes }),
    };
    Ok((Text { bytes: mended.unwrap_or(bytes), start }, items))
}

fn arrival(job: &Job, item: Result<RawEvent, Refusal>, place: Range<usize>, none: &Arc<[PluginRun]>) -> Arrival {
    let (state, source) = match item {
        Ok(mut event) => {
            job.unit.flags.iter().for_each(|flag| flags::push_flag(&mut event.flags, flag.clone()));
            let source = rows::source(&job.unit.source, event.agent_id.text().unwrap_or_default());
            (State::Decoded(Box::new(event)), source)
        }
        Err(refusal) => (State::Refused(vec![refusal.reason], Claim::default()), rows::source(&job.unit.source, "")),
    };
    let none = || none.clone();
    Arrival {
        place,
        text: None,
        state,
        rejected: Vec::new(),
        maskers: none(),
        validators: none(),
        enrichers: none(),
        derived: Vec::new(),
        source,
    }
}
