//! What plugins are handed, noted where it is handed over: row hashes, bytes, outcomes. The store keeps it.

use std::sync::Arc;

use telemetry_model::journal::{Handed, HandedRow, IdRuns, JournalKeys, LookedUp, Marks, RelationAccess, Subject};
use telemetry_model::outcome::{PluginVersion, RunOutcome};
use telemetry_model::{Batch, Digest, DigestHasher, DigestKey, Memo};

use crate::grants::Grant;
use crate::guest::Asked;
use crate::manifest::Manifest;
use crate::mask::Leaf;
use crate::metric::MetricRow;
use crate::row_hash::RowHasher;
use crate::settings::NamedTables;

/// What a plugin needs to have its rows noted.
#[derive(Debug)]
pub(crate) struct Recorder {
    subject: Arc<Subject>,
    hasher: RowHasher,
    keys: JournalKeys,
    /// Names of its tables, in the order in which the guest counts them.
    tables: Vec<Arc<str>>,
}

impl Recorder {
    /// Whether it notes the same under the same grant.
    pub(crate) fn is_same(&self, other: &Recorder) -> bool {
        self.subject == other.subject
    }

    pub(crate) fn new(
        key: &DigestKey,
        manifest: &Manifest,
        version: &Arc<PluginVersion>,
        tables: &NamedTables,
        grant: Option<&Grant>,
    ) -> Self {
        let fields: Vec<_> = manifest.reads.iter().map(|read| (read.field.clone(), read.ty)).collect();
        let hasher = RowHasher::new(key, &fields);
        let grant = serde_json::to_string(&grant).unwrap_or_default();
        let digests = tables.iter().map(|(name, table)| (name.as_str().into(), table.digest().into())).collect();
        let subject = Subject::new(Arc::clone(version), manifest.kind.as_str(), manifest.source, fields, &grant).reading(digests);
        let tables = tables.iter().map(|(name, _)| name.as_str().into()).collect();
        Recorder { subject: Arc::new(subject), hasher, keys: JournalKeys::new(key), tables }
    }

    /// Adds what was asked of tables to `sums`.
    fn looked_up(&self, asked: &Asked, sums: &mut Vec<LookedUp>) {
        let named = self.tables.iter().zip(&asked.0).filter(|(_, (count, _))| *count > 0);
        let asked: Vec<_> =
            named.map(|(table, (count, bytes))| LookedUp { table: Arc::clone(table), count: *count, bytes: *bytes }).collect();
        LookedUp::add(sums, &asked);
    }
}

/// Notes what the plugins of one stage are handed of one list of rows. Plugins of equal fields share the hashes.
#[derive(Debug)]
pub(crate) struct Witness {
    rows: usize,
    sets: Vec<(Digest, Vec<Option<Digest>>)>,
    handed: Vec<Handed>,
    now: Option<Seen>,
}

/// What the plugin at hand was handed so far.
#[derive(Debug)]
struct Seen {
    recorder: Arc<Recorder>,
    set: usize,
    rows: Vec<bool>,
    count: usize,
    bytes: u64,
    lookups: Vec<LookedUp>,
}

impl Witness {
    pub(crate) fn new(rows: usize) -> Self {
        Witness { rows, sets: Vec::new(), handed: Vec::new(), now: None }
    }

    /// The next plugin.
    pub(crate) fn begin(&mut self, recorder: Option<Arc<Recorder>>) {
        let Some(recorder) = recorder else { return };
        let set = recorder.hasher.set();
        let known = self.sets.iter().position(|(known, _)| *known == set);
        let set = known.unwrap_or_else(|| {
            self.sets.push((set, vec![None; self.rows]));
            self.sets.len() - 1
        });
        self.now = Some(Seen { recorder, set, rows: vec![false; self.rows], count: 0, bytes: 0, lookups: Vec::new() });
    }

    /// It is about to be handed `batch`, the projection of `chosen`.
    pub(crate) fn handing(&mut self, chosen: &[u32], batch: &Batch) {
        let Some(now) = &mut self.now else { return };
        now.bytes += batch.data.len() as u64;
        for row in chosen {
            if let Some(seen) = now.rows.get_mut(*row as usize) {
                now.count += usize::from(!*seen);
                *seen = true;
            }
        }
        let Some((_, hashes)) = self.sets.get_mut(now.set) else { return };
        if chosen.iter().all(|row| hashes.get(*row as usize).is_some_and(Option::is_some)) {
            return;
        }
        let kept = now.recorder.hasher.batch(batch, |at, hash| {
            if let Some(place) = chosen.get(at).and_then(|row| hashes.get_mut(*row as usize)) {
                *place = Some(hash);
            }
        });
        debug_assert!(kept.is_ok(), "a batch of our own reads back");
    }

    /// It asked its tables.
    pub(crate) fn looked_up(&mut self, asked: &Asked) {
        let Some(now) = self.now.as_mut().filter(|_| !asked.0.is_empty()) else { return };
        now.recorder.looked_up(asked, &mut now.lookups);
    }

    /// The plugin is done; `outcomes` and `output` tell how it fared with each row.
    pub(crate) fn end<'a, I: Iterator<Item = &'a str>>(&mut self, outcomes: &[Option<RunOutcome>], output: impl Fn(usize) -> I) {
        let Some(seen) = self.now.take() else { return };
        let recorder = seen.recorder;
        let Some((_, hashes)) = self.sets.get(seen.set) else { return };
        if seen.count == 0 {
            return;
        }
        let (mut rows, mut memo) = (Vec::with_capacity(seen.count), Memo::default());
        for (row, hash) in hashes.iter().enumerate() {
            let (Some(true), Some(input)) = (seen.rows.get(row).copied(), *hash) else { continue };
            let outcome = outcomes.get(row).copied().flatten().unwrap_or(RunOutcome::Trap);
            rows.push(HandedRow { row: row as u32, outcome, input, output: recorder.keys.output_of_many(output(row), &mut memo) });
        }
        self.handed.push(Handed { subject: Arc::clone(&recorder.subject), rows, bytes: seen.bytes, lookups: seen.lookups });
    }

    pub(crate) fn finish(self) -> Vec<Handed> {
        self.handed
    }
}

/// Notes which leaves one masker is handed, by row. They are never stored, so nobody can make the hash again; it is there for whoever
/// still has what was sent.
#[derive(Debug)]
pub(crate) struct LeafNotes {
    recorder: Arc<Recorder>,
    /// Rising.
    rows: Vec<(u32, Vec<u8>)>,
    bytes: u64,
    lookups: Vec<LookedUp>,
}

impl LeafNotes {
    pub(crate) fn new(recorder: Arc<Recorder>) -> Self {
        LeafNotes { recorder, rows: Vec::new(), bytes: 0, lookups: Vec::new() }
    }

    /// It is about to be handed these leaves, in so many bytes.
    pub(crate) fn handing<'l, 't: 'l>(&mut self, leaves: impl Iterator<Item = &'l Leaf<'t>>, bytes: usize) {
        self.bytes += bytes as u64;
        for leaf in leaves {
            let Some(text) = self.text(leaf.row) else { continue };
            let (before, key, after) = leaf.field.name_parts();
            let name = (before.len() + key.len() + after.len()) as u64;
            text.extend_from_slice(&name.to_le_bytes());
            [before, key, after].iter().for_each(|part| text.extend_from_slice(part.as_bytes()));
            for part in [leaf.part.as_str(), leaf.raw] {
                text.extend_from_slice(&(part.len() as u64).to_le_bytes());
                text.extend_from_slice(part.as_bytes());
            }
        }
    }

    /// It asked its tables.
    pub(crate) fn looked_up(&mut self, asked: &Asked) {
        self.recorder.looked_up(asked, &mut self.lookups);
    }

    /// What is noted of `row`.
    fn text(&mut self, row: u32) -> Option<&mut Vec<u8>> {
        let at = match self.rows.last() {
            Some((last, _)) if *last == row => self.rows.len() - 1,
            Some((last, _)) if *last > row => {
                let place = self.rows.partition_point(|(known, _)| *known < row);
                if self.rows.get(place).is_none_or(|(known, _)| *known != row) {
                    self.rows.insert(place, (row, Vec::new()));
                }
                place
            }
            _ => {
                self.rows.push((row, Vec::with_capacity(512)));
                self.rows.len() - 1
            }
        };
        self.rows.get_mut(at).map(|(_, text)| text)
    }

    /// `None` when nothing was handed over.
    pub(crate) fn finish(self, failed: &[Option<RunOutcome>]) -> Option<Handed> {
        let row = |(row, text): (u32, Vec<u8>)| HandedRow {
            row,
            outcome: failed.get(row as usize).copied().flatten().unwrap_or(RunOutcome::Ok),
            input: self.recorder.keys.aggregate.digest(&text),
            output: None,
        };
        let rows: Vec<_> = self.rows.into_iter().map(row).collect();
        let (subject, bytes, lookups) = (Arc::clone(&self.recorder.subject), self.bytes, self.lookups);
        (!rows.is_empty()).then_some(Handed { subject, rows, bytes, lookups })
    }
}

/// Notes what one metric is handed in one query.
#[derive(Debug)]
pub(crate) struct QueryWitness {
    recorder: Arc<Recorder>,
    lookups: Vec<LookedUp>,
    ids: IdRuns,
    bytes: u64,
    input: DigestHasher,
    marks: Marks,
    said: Option<Digest>,
    outcome: RunOutcome,
}

impl QueryWitness {
    pub(crate) fn new(recorder: Arc<Recorder>) -> Self {
        QueryWitness {
            input: recorder.keys.aggregate.hasher(),
            recorder,
            lookups: Vec::new(),
            ids: IdRuns::default(),
            bytes: 0,
            marks: Marks::default(),
            said: None,
            outcome: RunOutcome::Ok,
        }
    }

    pub(crate) fn ids(&mut self, ids: &[i64]) {
        ids.iter().for_each(|id| self.ids.push(*id));
    }

    pub(crate) fn handing(&mut self, batch: &Batch) {
        self.bytes += batch.data.len() as u64;
        let mut hashes = Vec::with_capacity(batch.rows as usize * 16);
        let marks = &mut self.marks;
        let kept = self.recorder.hasher.batch(batch, |_, hash| {
            hashes.extend_from_slice(&hash.0);
            marks.push(hash);
        });
        debug_assert!(kept.is_ok(), "a batch of the store's reads back");
        self.input.update(&hashes);
    }

    pub(crate) fn said(&mut self, rows: &[MetricRow]) {
        let parts: Vec<String> =
            rows.iter().flat_map(|row| [row.group.to_string(), serde_json::to_string(&row.values).unwrap_or_default()]).collect();
        self.said = self.recorder.keys.output(parts.iter().map(String::as_str));
    }

    /// It asked its tables.
    pub(crate) fn looked_up(&mut self, asked: &Asked) {
        self.recorder.looked_up(asked, &mut self.lookups);
    }

    pub(crate) fn failed(&mut self, outcome: RunOutcome) {
        self.outcome = outcome;
    }

    /// `None` when no row was handed over.
    pub(crate) fn finish(self) -> Option<RelationAccess> {
        (self.ids.rows() > 0).then(|| RelationAccess {
            subject: Arc::clone(&self.recorder.subject),
            ids: self.ids,
            bytes: self.bytes,
            lookups: self.lookups,
            input: self.input.finish(),
            output: self.said,
            marks: self.marks,
            outcome: self.outcome,
        })
    }
}
