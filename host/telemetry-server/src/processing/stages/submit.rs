//! The last stage: to the writer's queue, and the reply when it has committed.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use telemetry_model::journal::{Handed, HandedParts};
use telemetry_model::outcome::PluginRun;
use telemetry_model::{Flag, Outcome, Reason, Timestamp};
use telemetry_store::{NewEvent, Reply, StoreError, WriteItem};
use tokio::sync::oneshot;

use super::super::mask::MaskedBody;
use super::super::pipeline::Job;
use super::super::quarantine;
use super::super::unit::{Answer, EventOutcome, IngestError, StrictDetail, Unit, Unread};
use super::work::{Arrival, State, Text, Work};
use super::{Stages, Undecoded};

type Sender<T> = oneshot::Sender<Result<T, IngestError>>;

impl Stages {
    /// Hands each job's events to the writer; the writer's reply answers the job.
    pub(in super::super) fn submit(&self, jobs: Vec<Job>, work: Work) {
        let mut handed = HandedParts::new(work.handed);
        let mut arrivals = work.arrivals.into_iter();
        let mut joined = JoinedRuns::default();
        for ((job, text), masked) in jobs.into_iter().zip(work.texts).zip(work.bodies) {
            match text {
                Ok((text, count)) => {
                    let arrivals = arrivals.by_ref().take(count).collect();
                    self.events(job, text, arrivals, handed.take(count), &mut joined);
                }
                Err(undecoded) => self.body(job, undecoded, masked),
            }
        }
    }

    /// Keeps a note of a body that was not read.
    pub(in super::super) fn note(&self, unread: Unread, reply: Sender<i64>) {
        let received_at = unread.received_at;
        let item = WriteItem::Quarantine(quarantine::unread(unread));
        self.send(vec![item], (Vec::new(), received_at), reply, |outcomes| quarantine_id(&outcomes).unwrap_or_default());
    }

    fn body(&self, job: Job, body: Undecoded, masked: Option<MaskedBody>) {
        let Job { unit, reply } = job;
        let Undecoded { refusal, bytes } = body;
        if unit.strict {
            answer(reply, Answer::Refused { refusal, quarantine_id: None });
            return;
        }
        let entry = quarantine::body(&unit, &bytes, &refusal, masked, self.store.digest_key());
        self.send(vec![WriteItem::Quarantine(entry)], (Vec::new(), unit.received_at), reply, move |outcomes| Answer::Refused {
            refusal,
            quarantine_id: quarantine_id(&outcomes),
        });
    }

    fn events(&self, job: Job, text: Text, arrivals: Vec<Arrival>, handed: Vec<Handed>, joined: &mut JoinedRuns) {
        let Job { unit, reply } = job;
        if unit.strict {
            let details = strict_details(&arrivals);
            if !details.is_empty() {
                // Nothing is stored, but plugins have seen it.
                let noted = self.store.submit_handed(Vec::new(), handed, unit.received_at, Box::new(|_| {}));
                if let Err(error) = noted {
                    tracing::debug!(%error, "rows of a refused request are noted later");
                }
                answer(reply, Answer::Strict(details));
                return;
            }
        }
        if arrivals.is_empty() {
            answer(reply, Answer::Events(Vec::new()));
            return;
        }
        // Only what is refused is kept as its text; the memory of the rest is needed for what is made of it.
        let text = Some(text).filter(|_| !arrivals.iter().all(|arrival| matches!(arrival.state, State::Normalized(_))));
        let mut refused = Vec::new();
        let item = |(index, arrival): (usize, Arrival)| self.item(&unit, text.as_ref(), index, arrival, joined, &mut refused);
        let items = arrivals.into_iter().enumerate().map(item).collect();
        self.send(items, (handed, unit.received_at), reply, |outcomes| Answer::Events(outcomes_of(outcomes, refused)));
    }

    fn item(
        &self,
        unit: &Unit,
        text: Option<&Text>,
        index: usize,
        arrival: Arrival,
        joined: &mut JoinedRuns,
        refused: &mut Vec<RefusedEvent>,
    ) -> WriteItem {
        match arrival.state {
            State::Normalized(normalized) => WriteItem::Event(Box::new(self.store.prepare(NewEvent {
                event: normalized.event,
                facts: normalized.facts,
                derived: arrival.derived,
                runs: joined.join([&arrival.maskers, &arrival.validators, &arrival.enrichers]),
                received_at: unit.received_at,
            }))),
            State::Refused(reasons, claim) => {
                refused.push(RefusedEvent { index, reasons: reasons.clone(), name: claim.name.clone() });
                let text = refused_text(text, &arrival.text, arrival.place);
                WriteItem::Quarantine(quarantine::event(unit, text, reasons, claim, self.store.digest_key()))
            }
            // Normalizing leaves none behind.
            State::Decoded(_) => {
                let text = refused_text(text, &arrival.text, arrival.place);
                WriteItem::Quarantine(quarantine::event(unit, text, Vec::new(), Default::default(), self.store.digest_key()))
            }
        }
    }

    /// Queues `items`; `reply` gets what `map` makes of their outcomes, or why there are none.
    fn send<T: Send + 'static>(
        &self,
        items: Vec<WriteItem>,
        (handed, time): (Vec<Handed>, Timestamp),
        reply: Sender<T>,
        map: impl FnOnce(Vec<Outcome>) -> T + Send + 'static,
    ) {
        let waiting = Arc::new(Mutex::new(Some(reply)));
        let taken = waiting.clone();
        let done: Reply = Box::new(move |result: Result<Vec<Outcome>, StoreError>| {
            settle(&taken, result.map(map).map_err(IngestError::Store));
        });
        if let Err(error) = self.store.submit_handed(items, handed, time, done) {
            settle(&waiting, Err(error.into()));
        }
    }
}

/// The text of an event that is kept for being refused: what masking left of it, or as it was sent.
fn refused_text<'t>(sent: Option<&'t Text>, masked: &'t Option<Box<str>>, place: Range<usize>) -> &'t str {
    masked.as_deref().or_else(|| sent.map(|sent| sent.get(place))).unwrap_or_default()
}

/// Answers whoever still waits.
fn settle<T>(waiting: &Mutex<Option<Sender<T>>>, answer: Result<T, IngestError>) {
    if let Some(reply) = waiting.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // Nobody may be waiting any more.
        let _ = reply.send(answer);
    }
}

fn answer(reply: Sender<Answer>, answer: Answer) {
    let _ = reply.send(Ok(answer));
}

fn quarantine_id(outcomes: &[Outcome]) -> Option<i64> {
    outcomes.iter().find_map(|outcome| match outcome {
        Outcome::Quarantined { quarantine_id } => Some(*quarantine_id),
        _ => None,
    })
}

/// Why one event of a unit is in quarantine.
struct RefusedEvent {
    index: usize,
    reasons: Vec<Reason>,
    name: Option<Box<str>>,
}

fn outcomes_of(outcomes: Vec<Outcome>, refused: Vec<RefusedEvent>) -> Vec<EventOutcome> {
    let mut answers: Vec<_> = outcomes.into_iter().map(|outcome| EventOutcome { outcome, reasons: Vec::new(), name: None }).collect();
    for RefusedEvent { index, reasons, name } in refused {
        if let Some(answer) = answers.get_mut(index) {
            answer.reasons = reasons;
            answer.name = name;
        }
    }
    answers
}

/// Everything that is wrong or odd, save what is not the client's doing.
fn strict_details(arrivals: &[Arrival]) -> Vec<StrictDetail> {
    let details = arrivals.iter().enumerate().flat_map(|(index, arrival)| {
        let reasons: Vec<Reason> = match &arrival.state {
            State::Refused(reasons, _) => reasons.clone(),
            State::Normalized(normalized) => normalized.event.flags.iter().filter(|flag| is_clients(flag)).map(odd).collect(),
            State::Decoded(_) => Vec::new(),
        };
        reasons.into_iter().map(move |reason| StrictDetail { index, reason })
    });
    details.collect()
}

fn is_clients(flag: &Flag) -> bool {
    !flag.code.starts_with("unvalidated:") && !flag.code.starts_with("withheld:")
}

fn odd(flag: &Flag) -> Reason {
    let message = if flag.message.is_empty() { flag.code.replace('-', " ").into() } else { flag.message.clone() };
    Reason { code: Cow::Owned(flag.code.to_string()), field: flag.field.clone(), message, plugin: None }
}

type Runs = Arc<[PluginRun]>;

/// Maskers', validators' and enrichers' runs as one list. Most events of a unit of work share theirs.
#[derive(Default)]
struct JoinedRuns {
    known: Vec<([Runs; 3], Runs)>,
}

impl JoinedRuns {
    /// More different ones than this are not worth remembering.
    const MEMORY: usize = 8;

    fn join(&mut self, parts: [&Runs; 3]) -> Runs {
        let is_same = |(known, _): &&([Runs; 3], _)| known.iter().zip(parts).all(|(known, part)| Arc::ptr_eq(known, part));
        if let Some((_, all)) = self.known.iter().find(is_same) {
            return all.clone();
        }
        let all: Runs = parts.into_iter().flat_map(|part| part.iter().cloned()).collect();
        if self.known.len() < Self::MEMORY {
            self.known.push((parts.map(Clone::clone), all.clone()));
        }
        all
    }
}
