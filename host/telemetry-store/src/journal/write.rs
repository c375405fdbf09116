//! Appending: one entry for each transaction that stores rows, and those that come by themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Result, Statement, params};
use telemetry_model::journal::{Handed, HandedRow, JournalKeys, LookedUp, RelationAccess, Subject, mark};
use telemetry_model::outcome::RunOutcome;
use telemetry_model::{DigestKey, Outcome};

use super::chain::{AccessRow, EntryRow};
use super::head::Head;
use super::{ACCESSES, NewEntry, Notes};
use crate::writer::outcome_word;

/// Rows that were handed over and not stored, kept until the next entry; beyond so many they are dropped with a line in the log.
const MAX_ORPHANS: usize = 1 << 20;

/// What was handed over by requests that came to nothing, by request.
#[derive(Debug, Default)]
pub(crate) struct Orphans(Mutex<Vec<Vec<Handed>>>);

impl Orphans {
    pub(crate) fn add(&self, handed: Vec<Handed>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = |handed: &[Handed]| handed.iter().map(|handed| handed.rows.len()).sum::<usize>();
        match waiting.iter().map(|handed| rows(handed)).sum::<usize>() {
            ..MAX_ORPHANS if !handed.is_empty() => waiting.push(handed),
            ..MAX_ORPHANS => {}
            _ => tracing::error!(rows = rows(&handed), "journal.rows.lost"),
        }
    }

    fn take(&self) -> Vec<Vec<Handed>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(crate) struct JournalWriter<'c> {
    keys: JournalKeys,
    orphans: Arc<Orphans>,
    /// Of these, what the transaction at hand takes up.
    taken: Vec<Vec<Handed>>,
    head: Option<Head>,
    subjects: HashMap<Box<str>, (i64, Vec<u8>)>,
    find_head: Statement<'c>,
    find_subject: Statement<'c>,
    insert_subject: Statement<'c>,
    insert_entry: Statement<'c>,
    insert_access: Statement<'c>,
    add_total: Statement<'c>,
    add_lookups: Statement<'c>,
}

/// What one subject was handed of all requests of a transaction.
struct Joined<'n> {
    subject: &'n Arc<Subject>,
    rows: Vec<(u32, &'n HandedRow)>,
    bytes: u64,
    lookups: Vec<LookedUp>,
}

impl<'c> JournalWriter<'c> {
    pub(crate) fn new(connection: &'c Connection, key: &DigestKey, orphans: Arc<Orphans>) -> Result<Self> {
        Ok(JournalWriter {
            keys: JournalKeys::new(key),
            orphans,
            taken: Vec::new(),
            head: None,
            subjects: HashMap::new(),
            find_head: connection.prepare("select id, chain from journal_entries order by id desc limit 1")?,
            find_subject: connection.prepare("select id from journal_subjects where digest = ?")?,
            insert_subject: connection.prepare("insert into journal_subjects (digest, plugin_id, text) values (?, ?, ?)")?,
            insert_entry: connection.prepare(
                "insert into journal_entries (
                     id, time, kind, first_event, last_event, first_quarantine, last_quarantine, unstored, as_of, detail, marks, chain)
                 values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?,
            insert_access: connection.prepare(
                "insert into journal_accesses (id, subject, rows, bytes, members, outcomes, input, output, marks, lookups)
                 values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?,
            add_total: connection.prepare(
                "insert into journal_totals (subject, entries, rows, bytes, first_time, last_time) values (?1, 1, ?2, ?3, ?4, ?4)
                 on conflict (subject) do update set entries = entries + 1, rows = rows + excluded.rows, bytes = bytes + excluded.bytes,
                     last_time = max(last_time, excluded.last_time)",
            )?,
            add_lookups: connection.prepare(
                "insert into journal_lookup_totals (subject, table_name, lookups, bytes)
                 select ?1, j.value ->> 0, j.value ->> 1, j.value ->> 2 from json_each(?2) j where true
                 on conflict (subject, table_name) do update set lookups = lookups + excluded.lookups, bytes = bytes + excluded.bytes",
            )?,
        })
    }

    /// After a rollback nothing that was remembered holds.
    pub(crate) fn clear(&mut self) {
        self.head = None;
        self.subjects.clear();
        std::mem::take(&mut self.taken).into_iter().for_each(|handed| self.orphans.add(handed));
    }

    /// The transaction is durable: the chain's end, when something was appended since the start.
    pub(crate) fn committed(&mut self) -> Option<Head> {
        self.taken.clear();
        self.head
    }

    /// These rows were handed over and will not be stored.
    pub(crate) fn not_stored(&self, handed: Vec<Handed>) {
        self.orphans.add(handed);
    }

    /// Appends what the requests of a transaction bring, whose items came to `outcomes`.
    pub(crate) fn append(&mut self, notes: &[&Notes], outcomes: &[Vec<Outcome>]) -> Result<()> {
        self.taken = self.orphans.take();
        let taken = std::mem::take(&mut self.taken);
        let written = self.write(notes, outcomes, &taken);
        self.taken = taken;
        written?;
        notes.iter().filter_map(|notes| notes.entry.as_ref()).try_for_each(|entry| self.by_itself(entry))
    }

    fn write(&mut self, notes: &[&Notes], outcomes: &[Vec<Outcome>], orphans: &[Vec<Handed>]) -> Result<()> {
        if orphans.is_empty() && notes.iter().all(|notes| notes.handed.is_empty()) {
            return Ok(());
        }
        let mut entry = entry_of(outcomes);
        entry.time = notes.iter().map(|notes| notes.time.0).max().unwrap_or_default();
        let mut places = Places::new(&entry);
        let mut joined = Vec::new();
        for (notes, outcomes) in notes.iter().zip(outcomes) {
            places.next_request();
            join(&mut joined, &notes.handed, &mut |row| places.of(row, outcomes.get(row as usize)));
        }
        for handed in orphans {
            places.next_request();
            join(&mut joined, handed, &mut |row| places.of(row, None));
        }
        entry.unstored = places.unstored;
        let rows = entry.rows() as usize;
        let mut marks = vec![0u32; rows];
        let mut accesses = Vec::with_capacity(joined.len());
        for mut joined in joined {
            joined.rows.sort_unstable_by_key(|(place, _)| *place);
            // What a masker was handed is never stored: its hash would keep the mark from being made again.
            let marked = if &*joined.subject.kind == "masker" { &[][..] } else { &joined.rows };
            for (place, row) in marked {
                if let Some(sum) = marks.get_mut(*place as usize) {
                    *sum = sum.wrapping_add(mark(row.input));
                }
            }
            accesses.push(self.access(&joined, rows)?);
        }
        entry.marks = Some(marks.into_iter().flat_map(u32::to_le_bytes).collect());
        self.insert(entry, &accesses)
    }

    fn access(&mut self, joined: &Joined<'_>, rows: usize) -> Result<AccessRow> {
        let (subject, subject_digest) = self.subject(joined.subject)?;
        let all = joined.rows.len() == rows;
        let mut members = vec![0u8; if all { 0 } else { rows.div_ceil(8) }];
        for (place, _) in &joined.rows {
            if let Some(byte) = members.get_mut(*place as usize / 8) {
                *byte |= 1 << (place % 8);
            }
        }
        let failed: Vec<_> = joined.rows.iter().filter(|(_, row)| row.outcome != RunOutcome::Ok).collect();
        let failed: Vec<_> = failed.iter().map(|(place, row)| (place, outcome_word(row.outcome))).collect();
        let has_output = joined.rows.iter().any(|(_, row)| row.output.is_some());
        Ok(AccessRow {
            subject,
            subject_digest,
            rows: joined.rows.len() as i64,
            bytes: joined.bytes as i64,
            members: (!all).then_some(members),
            outcomes: (!failed.is_empty()).then(|| serde_json::to_string(&failed).unwrap_or_default()),
            input: self.keys.over(joined.rows.iter().map(|(_, row)| Some(row.input))).0.to_vec(),
            output: has_output.then(|| self.keys.over(joined.rows.iter().map(|(_, row)| row.output)).0.to_vec()),
            marks: None,
            lookups: LookedUp::text(&joined.lookups),
        })
    }

    fn by_itself(&mut self, new: &NewEntry) -> Result<()> {
        let entry = EntryRow {
            time: new.time.0,
            kind: new.kind.as_str().to_owned(),
            as_of: new.as_of,
            detail: new.detail.clone(),
            ..EntryRow::default()
        };
        let accesses = new.accesses.iter().map(|access| self.of_relation(access)).collect::<Result<Vec<_>>>()?;
        self.insert(entry, &accesses)
    }

    fn of_relation(&mut self, access: &RelationAccess) -> Result<AccessRow> {
        let (subject, subject_digest) = self.subject(&access.subject)?;
        let failed = access.outcome != RunOutcome::Ok;
        Ok(AccessRow {
            subject,
            subject_digest,
            rows: access.ids.rows() as i64,
            bytes: access.bytes as i64,
            members: Some(access.ids.clone().into_bytes()),
            outcomes: failed.then(|| format!("[[null,\"{}\"]]", outcome_word(access.outcome))),
            input: access.input.0.to_vec(),
            output: access.output.map(|output| output.0.to_vec()),
            marks: Some(access.marks.clone().into_bytes()),
            lookups: LookedUp::text(&access.lookups),
        })
    }

    fn insert(&mut self, mut entry: EntryRow, accesses: &[AccessRow]) -> Result<()> {
        let head = match self.head {
            Some(head) => head,
            None => self.find_head.query_row([], |row| Ok(Head { entry: row.get(0)?, chain: row.get(1)? })).optional()?.unwrap_or_default(),
        };
        entry.id = head.entry + 1;
        let chain = entry.link(&self.keys, &head.chain, accesses);
        self.insert_entry.execute(params![
            entry.id,
            entry.time,
            entry.kind,
            entry.first_event,
            entry.last_event,
            entry.first_quarantine,
            entry.last_quarantine,
            entry.unstored,
            entry.as_of,
            entry.detail,
            entry.marks,
            chain,
        ])?;
        for (place, access) in accesses.iter().enumerate() {
            let id = entry.id * ACCESSES + place as i64;
            let AccessRow { subject, rows, bytes, members, outcomes, input, output, marks, lookups, .. } = access;
            self.insert_access.execute(params![id, subject, rows, bytes, members, outcomes, input, output, marks, lookups])?;
            self.add_total.execute(params![subject, rows, bytes, entry.time])?;
            if lookups.is_some() {
                self.add_lookups.execute(params![subject, lookups])?;
            }
        }
        self.head = Some(Head { entry: entry.id, chain });
        Ok(())
    }

    fn subject(&mut self, subject: &Subject) -> Result<(i64, Vec<u8>)> {
        if let Some(known) = self.subjects.get(subject.text()) {
            return Ok(known.clone());
        }
        let digest = self.keys.subject.digest(subject.text().as_bytes()).0.to_vec();
        let found = self.find_subject.query_row([&digest], |row| row.get(0)).optional()?;
        let id = match found {
            Some(id) => id,
            None => self.insert_subject.insert(params![digest, subject.plugin.plugin_id, subject.text()])?,
        };
        self.subjects.insert(subject.text().into(), (id, digest.clone()));
        Ok((id, digest))
    }
}

/// Where the rows of a transaction stand in its entry: events, quarantine, what is not stored.
struct Places {
    first_event: i64,
    events: i64,
    first_quarantine: i64,
    quarantined: i64,
    unstored: i64,
    /// Of the request at hand, by item.
    given: HashMap<u32, u32>,
}

impl Places {
    fn new(entry: &EntryRow) -> Self {
        let (first_event, first_quarantine) = (entry.first_event.unwrap_or_default(), entry.first_quarantine.unwrap_or_default());
        Places {
            first_event,
            events: entry.events(),
            first_quarantine,
            quarantined: entry.quarantined(),
            unstored: 0,
            given: HashMap::new(),
        }
    }

    fn next_request(&mut self) {
        self.given.clear();
    }

    fn of(&mut self, item: u32, outcome: Option<&Outcome>) -> u32 {
        match outcome {
            Some(Outcome::Accepted { event_id }) => (*event_id - self.first_event) as u32,
            Some(Outcome::Quarantined { quarantine_id }) => (self.events + *quarantine_id - self.first_quarantine) as u32,
            Some(Outcome::Duplicate { .. }) | None => {
                let (stored, unstored) = (self.events + self.quarantined, &mut self.unstored);
                *self.given.entry(item).or_insert_with(|| {
                    *unstored += 1;
                    (stored + *unstored - 1) as u32
                })
            }
        }
    }
}

/// The references of what was stored.
fn entry_of(outcomes: &[Vec<Outcome>]) -> EntryRow {
    let mut entry = EntryRow { kind: "write".to_owned(), ..EntryRow::default() };
    for outcome in outcomes.iter().flatten() {
        match outcome {
            Outcome::Accepted { event_id } => widen(&mut entry.first_event, &mut entry.last_event, *event_id),
            Outcome::Quarantined { quarantine_id } => widen(&mut entry.first_quarantine, &mut entry.last_quarantine, *quarantine_id),
            Outcome::Duplicate { .. } => {}
        }
    }
    entry
}

fn widen(first: &mut Option<i64>, last: &mut Option<i64>, id: i64) {
    *first = Some(first.map_or(id, |first| first.min(id)));
    *last = Some(last.map_or(id, |last| last.max(id)));
}

fn join<'n>(joined: &mut Vec<Joined<'n>>, handed: &'n [Handed], place: &mut dyn FnMut(u32) -> u32) {
    for handed in handed {
        let known =
            joined.iter().position(|known| Arc::ptr_eq(known.subject, &handed.subject) || known.subject.text() == handed.subject.text());
        let at = known.unwrap_or_else(|| {
            joined.push(Joined { subject: &handed.subject, rows: Vec::new(), bytes: 0, lookups: Vec::new() });
            joined.len() - 1
        });
        if let Some(joined) = joined.get_mut(at) {
            joined.bytes += handed.bytes;
            LookedUp::add(&mut joined.lookups, &handed.lookups);
            joined.rows.extend(handed.rows.iter().map(|row| (place(row.row), row)));
        }
    }
}
