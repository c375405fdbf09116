//! The walk over the entries: numbers, subjects, chain, and what each is about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use telemetry_model::DigestKey;
use telemetry_model::journal::{JournalKeys, Subject};
use telemetry_plugins::RowHasher;
use telemetry_store::{AccessRow, EntryRow, Head, Snapshot, StoreError};

use super::{Audit, Why};

/// Entries of one read.
const STRETCH: u32 = 64;

/// The state of a verification.
pub(super) struct Check<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) keys: JournalKeys,
    pub(super) audit: Audit,
    /// The detail of the last catalog.
    pub(super) catalog: Option<String>,
    /// Digests of all components that were handed anything.
    pub(super) components: BTreeSet<(String, String)>,
    key: DigestKey,
    known: BTreeMap<i64, Option<Arc<Known>>>,
    /// The last entry after which stored texts were masked again.
    pub(super) masked_again: i64,
    /// The last event that an entry names.
    covered: Option<i64>,
    /// Plugins ran without a journal since then.
    is_off: bool,
}

/// A subject whose text is what it was.
pub(super) struct Known {
    pub(super) subject: Subject,
    pub(super) hasher: RowHasher,
}

impl<'s> Check<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, key: &DigestKey) -> Self {
        Check {
            snapshot,
            keys: JournalKeys::new(key),
            audit: Audit::default(),
            catalog: None,
            components: BTreeSet::new(),
            key: key.clone(),
            known: BTreeMap::new(),
            masked_again: 0,
            covered: None,
            is_off: false,
        }
    }

    pub(super) fn run(&mut self, head: Option<Head>) -> Result<(), StoreError> {
        self.masked_again = self.snapshot.journal_masked_again()?;
        let mut last = Head::default();
        let mut is_found = head.is_none_or(|head| head.entry == 0);
        loop {
            let stretch = self.snapshot.journal_entries(last.entry + 1, STRETCH)?;
            if stretch.is_empty() {
                break;
            }
            for (entry, accesses) in &stretch {
                self.link(entry, accesses, &mut last);
                if let Some(head) = head.filter(|head| head.entry == entry.id) {
                    is_found = true;
                    if head.chain != last.chain {
                        self.audit.wrong(place(entry), "differs from the head that was kept outside of the database");
                    }
                }
                self.entry(entry, accesses)?;
            }
        }
        if let (false, Some(head)) = (is_found, head) {
            let problem = format!("ends at entry {}, but had entry {}: its end was cut off", last.entry, head.entry);
            self.audit.wrong("the journal", problem);
        }
        self.gap(i64::MAX)?;
        self.audit.head_entry = last.entry;
        self.audit.head = last.hex();
        Ok(())
    }

    pub(super) fn finish(mut self) -> Audit {
        self.audit.holds = self.audit.finding_count == 0;
        self.audit
    }

    /// Number and hash. Goes on from what the entry says, so that one edit is found in one place.
    fn link(&mut self, entry: &EntryRow, accesses: &[AccessRow], last: &mut Head) {
        self.audit.entries += 1;
        if entry.id != last.entry + 1 {
            let missing = match entry.id - last.entry {
                2 => format!("entry {}", last.entry + 1),
                _ => format!("entries {} to {}", last.entry + 1, entry.id - 1),
            };
            self.audit.wrong(missing, "missing");
        } else if entry.link(&self.keys, &last.chain, accesses).as_slice() != entry.chain {
            self.audit.wrong(place(entry), "is not what was appended, or stands in another place: its hash does not follow from it");
        }
        *last = Head { entry: entry.id, chain: entry.chain.as_slice().try_into().unwrap_or_default() };
    }

    fn entry(&mut self, entry: &EntryRow, accesses: &[AccessRow]) -> Result<(), StoreError> {
        match entry.kind.as_str() {
            "write" => {
                if let Some(first) = entry.first_event {
                    self.gap(first)?;
                    self.covered = entry.last_event;
                    self.is_off = false;
                }
                self.write(entry, accesses)
            }
            "catalog" => {
                let detail = entry.detail.as_deref().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
                self.is_off |= detail.is_some_and(|detail| detail.get("journal") == Some(&false.into()));
                self.catalog.clone_from(&entry.detail);
                Ok(())
            }
            _ => accesses.iter().try_for_each(|access| self.relation(entry, access)),
        }
    }

    /// Events between those of two entries: plugins may not have run on them.
    fn gap(&mut self, before: i64) -> Result<(), StoreError> {
        let Some(after) = self.covered.filter(|_| !self.is_off) else { return Ok(()) };
        if before > after + 1 {
            let found = self.snapshot.journal_uncovered(after, before)?;
            if let Some(first) = found.first {
                let problem = format!("plugins ran on {} events from here on, which no entry names", found.events);
                self.audit.wrong(format!("event {first}"), problem);
            }
        }
        Ok(())
    }

    /// The subject of an access; `None` when it is not what it was.
    pub(super) fn known(&mut self, access: &AccessRow) -> Result<Option<Arc<Known>>, StoreError> {
        if let Some(known) = self.known.get(&access.subject) {
            return Ok(known.clone());
        }
        let known = match self.snapshot.journal_subject(access.subject)? {
            None => {
                self.audit.wrong(format!("subject {}", access.subject), "missing");
                None
            }
            Some((digest, text)) => {
                let subject = Subject::parse(&text).filter(|_| self.keys.subject.digest(text.as_bytes()).0.as_slice() == digest);
                if subject.is_none() {
                    self.audit.wrong(format!("subject {}", access.subject), "is not what was written: its digest does not follow from it");
                }
                subject.map(|subject| {
                    let (id, digest) = (subject.plugin.plugin_id.to_string(), subject.plugin.digest.to_string());
                    self.components.insert((id, digest));
                    let hasher = RowHasher::new(&self.key, &subject.fields);
                    Arc::new(Known { subject, hasher })
                })
            }
        };
        self.known.insert(access.subject, known.clone());
        Ok(known)
    }

    pub(super) fn unproven(&mut self, why: Why, count: u64, entry: &EntryRow, known: &Known) {
        self.audit.unproven(why, count, || format!("{}, `{}`: {count}", place(entry), known.subject.plugin.plugin_id));
    }
}

pub(super) fn place(entry: &EntryRow) -> String {
    format!("entry {}", entry.id)
}
