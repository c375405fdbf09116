//! Maskers: what must not be kept of an event's strings.
//!
//! Leaves in, spans out. Each leaf is seen by each masker on its own, as it was sent; what they find is joined, so that their order
//! means nothing. A leaf that was scanned before is not scanned again. What a masker fails on alone is withheld, never let through.

mod answer;
mod attempts;
mod columns;
mod join;
mod keyed;
mod once;
mod seen;
mod sources;

use std::borrow::Cow;
use std::sync::Arc;

use telemetry_model::journal::Handed;
use telemetry_model::json::unescape;
use telemetry_model::outcome::{PluginRun, RunOutcome};

use crate::journal::LeafNotes;
use crate::plugin::Plugin;
use crate::runs::Outcomes;
use crate::settings::Limits;
use attempts::Attempts;
use keyed::Keys;
pub(crate) use once::mask_once;
use seen::Seen;
use sources::Sources;

/// Where a string stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeafPart {
    /// A value.
    Value,
    /// A key of an object.
    Key,
    /// The value of a member that identifies something: trace, span, agent, session, idempotency key.
    Id,
    /// The event's name.
    Name,
}

impl LeafPart {
    /// All parts, in the order of their codes.
    pub const ALL: [LeafPart; 4] = [LeafPart::Value, LeafPart::Key, LeafPart::Id, LeafPart::Name];

    /// The word in the column `part`.
    pub fn as_str(self) -> &'static str {
        match self {
            LeafPart::Value => "value",
            LeafPart::Key => "key",
            LeafPart::Id => "id",
            LeafPart::Name => "name",
        }
    }
}

/// The member of an event that a leaf belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeafField<'a> {
    /// `event.name`, or `event` for the envelope's own keys.
    Fixed(&'a str),
    /// An attribute by its key as it stands in JSON, quotes left out.
    Attribute(&'a str),
    /// Another member of the envelope by its key as it stands in JSON, quotes left out.
    Extra(&'a str),
}

impl LeafField<'_> {
    /// The text in the column `field`.
    pub fn name(&self) -> Cow<'_, str> {
        match self.name_parts() {
            ("", name, "") => Cow::Borrowed(name),
            (before, key, after) => Cow::Owned([before, key, after].concat()),
        }
    }

    /// The same in three parts.
    pub(crate) fn name_parts(&self) -> (&str, &str, &str) {
        match self {
            LeafField::Fixed(name) => ("", name, ""),
            LeafField::Attribute(key) => ("attributes[\"", key, "\"]"),
            LeafField::Extra(key) => ("extra[\"", key, "\"]"),
        }
    }

    fn key(&self) -> (&str, u32) {
        match self {
            LeafField::Fixed(name) => (name, 0),
            LeafField::Attribute(key) => (key, 4),
            LeafField::Extra(key) => (key, 8),
        }
    }
}

/// One string of an event.
#[derive(Clone, Debug)]
pub struct Leaf<'a> {
    /// Its row, below the number of rows.
    pub row: u32,
    /// The member it belongs to.
    pub field: LeafField<'a>,
    /// Where it stands there.
    pub part: LeafPart,
    /// As sent: what stands between the quotes.
    pub raw: &'a str,
    /// Whether `raw` has escapes of JSON; without, it is taken as it is.
    pub is_escaped: bool,
    /// A JSON pointer from the event, when a masker asks for it.
    pub pointer: Option<Box<str>>,
}

impl<'a> Leaf<'a> {
    /// The text that spans are about.
    pub fn text(&self) -> Cow<'a, str> {
        if self.is_escaped { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }

    /// What else a masker is told of it, as a number of six bits.
    fn tag(&self) -> u32 {
        self.field.key().1 | self.part as u32 | u32::from(self.is_escaped) << 4
    }
}

/// What is to be replaced in a leaf's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte of the unescaped text.
    pub start: u32,
    /// Behind its last byte; both lie between characters.
    pub end: u32,
    /// What stands there instead.
    pub replacement: Box<str>,
}

/// The maskers of a catalog, in the order in which they were loaded.
#[derive(Default)]
pub(crate) struct Maskers {
    on: Vec<Arc<Masker>>,
    /// Those that are on and cannot run: id and why.
    down: Vec<(Arc<str>, String)>,
}

pub(crate) struct Masker {
    plugin: Arc<Plugin>,
    id: Arc<str>,
    keys: Keys,
    seen: Seen,
    sources: Sources,
}

impl Maskers {
    /// Adds a masker; one that ran `before` stays as it is, with what it has seen.
    pub(crate) fn push(&mut self, plugin: Arc<Plugin>, before: Option<&Maskers>) {
        let known = before.and_then(|before| before.on.iter().find(|masker| Arc::ptr_eq(&masker.plugin, &plugin)));
        let id = Arc::from(&*plugin.manifest.id);
        let fresh = || Arc::new(Masker { plugin, id, keys: Keys::random(), seen: Seen::new(), sources: Sources::default() });
        self.on.push(known.map_or_else(fresh, Arc::clone));
    }

    pub(crate) fn push_down(&mut self, id: &str, reason: String) {
        self.down.push((id.into(), reason));
    }

    /// Whether there is anything to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.on.is_empty() && self.down.is_empty()
    }

    /// Those that cannot run now, and why.
    pub(crate) fn failing(&self) -> Vec<(String, String)> {
        let open = self.on.iter().filter(|masker| masker.plugin.breaker().is_open(std::time::Instant::now()));
        let open = open.map(|masker| (masker.id.to_string(), "left out for a while: its calls kept failing".to_owned()));
        self.down.iter().map(|(id, reason)| (id.to_string(), reason.clone())).chain(open).collect()
    }

    /// Whether a call may hold its thread.
    pub(crate) fn may_wait(&self) -> bool {
        self.on.iter().any(|masker| masker.plugin.may_wait())
    }

    /// Raw leaves of fewer bytes need not be handed in.
    pub(crate) fn min_bytes(&self) -> usize {
        self.on.iter().map(|masker| masker.min_bytes()).min().unwrap_or(usize::MAX)
    }

    pub(crate) fn wants_pointers(&self) -> bool {
        self.on.iter().any(|masker| masker.plugin.manifest.leaves.pointer)
    }

    pub(crate) fn start<'a>(&'a self, limits: &'a Limits, sources: &'a [u64]) -> Masking<'a> {
        let failed = vec![None; sources.len()];
        let notes = self.on.iter().map(|masker| masker.plugin.recorder().map(LeafNotes::new)).collect();
        Masking { maskers: self, limits, sources, failed: self.on.iter().map(|_| failed.clone()).collect(), notes }
    }
}

impl Masker {
    fn min_bytes(&self) -> usize {
        self.plugin.manifest.leaves.min_bytes as usize
    }

    /// What it remembers a leaf by.
    fn key(&self, leaf: &Leaf<'_>) -> u128 {
        let (field, _) = leaf.field.key();
        self.keys.hash([leaf.raw.as_bytes(), field.as_bytes()], leaf.tag())
    }

    /// Whether it has seen this leaf and found nothing, or is never handed it.
    fn is_clean(&self, leaf: &Leaf<'_>) -> bool {
        leaf.raw.len() < self.min_bytes() || self.seen.is_clean(self.key(leaf))
    }

    /// The same of two leaves. Two that were seen clean on their own are remembered together: one look-up for both.
    fn are_clean(&self, first: &Leaf<'_>, second: &Leaf<'_>) -> [bool; 2] {
        let ((one, _), (two, _)) = (first.field.key(), second.field.key());
        let parts = [first.raw.as_bytes(), one.as_bytes(), second.raw.as_bytes(), two.as_bytes()];
        let key = self.keys.hash(parts, first.tag() << 8 | second.tag());
        if self.seen.is_clean(key) {
            return [true; 2];
        }
        let clean = [first, second].map(|leaf| self.is_clean(leaf));
        if clean == [true; 2] {
            self.seen.put(key, &None);
        }
        clean
    }
}

/// What was found in a leaf: its place in the list handed in, and its spans, rising and apart.
pub type FoundLeaf = (usize, Arc<[Span]>);

/// The maskers at work on rows. Leaves may be handed in in several lists, so that no list grows large.
pub struct Masking<'a> {
    maskers: &'a Maskers,
    limits: &'a Limits,
    sources: &'a [u64],
    /// For each masker the rows it failed on.
    failed: Vec<Vec<Option<RunOutcome>>>,
    /// For each masker what it was handed, if that is noted.
    notes: Vec<Option<LeafNotes>>,
}

/// What became of the rows.
#[derive(Clone, Debug, Default)]
pub struct Masked {
    /// For each row the masker that could not see to it, if any: everything that may be content must be withheld.
    pub withheld: Vec<Option<Arc<str>>>,
    /// Which maskers ran on the row.
    pub runs: Vec<Arc<[PluginRun]>>,
    /// What each masker was handed, if that is noted: rows of which it scanned a leaf.
    pub handed: Vec<Handed>,
}

impl Masking<'_> {
    /// Whether it is known that no masker finds anything in `leaf`: it need not be handed in.
    pub fn is_clean(&self, leaf: &Leaf<'_>) -> bool {
        !self.maskers.on.is_empty() && self.maskers.on.iter().all(|masker| masker.is_clean(leaf))
    }

    /// The same of two leaves at once, as a key and its value.
    pub fn are_clean(&self, first: &Leaf<'_>, second: &Leaf<'_>) -> [bool; 2] {
        let mut clean = [!self.maskers.on.is_empty(); 2];
        for masker in &self.maskers.on {
            let of_this = masker.are_clean(first, second);
            clean.iter_mut().zip(of_this).for_each(|(clean, of_this)| *clean &= of_this);
        }
        clean
    }

    /// What is to be replaced in `leaves`, by place; leaves of one row stand together. Rows that fail are told at the end.
    pub fn leaves(&mut self, leaves: &[Leaf<'_>]) -> Vec<FoundLeaf> {
        let mut all = Vec::new();
        for ((masker, failed), notes) in self.maskers.on.iter().zip(&mut self.failed).zip(&mut self.notes) {
            let mut attempts = Attempts { masker, limits: self.limits, sources: self.sources, failed, notes };
            all = join::join(all, attempts.run(leaves));
        }
        all
    }

    /// What became of the rows.
    pub fn finish(self) -> Masked {
        let rows = self.sources.len();
        let down = self.maskers.down.first().map(|(id, _)| Arc::clone(id));
        let mut withheld = vec![down; rows];
        let mut outcomes = Outcomes::new(rows);
        let mut handed = Vec::new();
        for ((masker, failed), notes) in self.maskers.on.iter().zip(self.failed).zip(self.notes) {
            handed.extend(notes.and_then(|notes| notes.finish(&failed)));
            for (slot, _) in withheld.iter_mut().zip(&failed).filter(|(slot, failed)| slot.is_none() && failed.is_some()) {
                *slot = Some(Arc::clone(&masker.id));
            }
            let column = failed.into_iter().map(|failed| failed.or(Some(RunOutcome::Ok))).collect();
            outcomes.push(&masker.plugin.version, column);
        }
        Masked { withheld, runs: outcomes.finish(), handed }
    }
}
