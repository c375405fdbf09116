//! What an entry is hashed over: the same bytes when it is written and when it is verified.

use telemetry_model::journal::JournalKeys;

/// A row of `journal_entries`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryRow {
    /// Its number; entries have no gaps.
    pub id: i64,
    /// UTC nanoseconds.
    pub time: i64,
    /// `write`, `query`, `job`, `offline` or `catalog`.
    pub kind: String,
    /// The first event of a write.
    pub first_event: Option<i64>,
    /// The last one.
    pub last_event: Option<i64>,
    /// The first entry of the quarantine.
    pub first_quarantine: Option<i64>,
    /// The last one.
    pub last_quarantine: Option<i64>,
    /// Rows that were handed in and not stored.
    pub unstored: i64,
    /// The last event that a query could see.
    pub as_of: Option<i64>,
    /// JSON.
    pub detail: Option<String>,
    /// Four bytes a row.
    pub marks: Option<Vec<u8>>,
    /// The hash over all of it and the one before.
    pub chain: Vec<u8>,
}

/// A row of `journal_accesses`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessRow {
    /// `journal_subjects.id`.
    pub subject: i64,
    /// The digest of the subject.
    pub subject_digest: Vec<u8>,
    /// Rows handed in.
    pub rows: i64,
    /// Bytes copied in.
    pub bytes: i64,
    /// Which rows: of a write a bit each (`None` for all), else ids as runs.
    pub members: Option<Vec<u8>>,
    /// `[[place, "trap"], ..]`.
    pub outcomes: Option<String>,
    /// Over the row hashes.
    pub input: Vec<u8>,
    /// Over those of what came back; `None` when nothing did.
    pub output: Option<Vec<u8>>,
    /// Of a relation's rows.
    pub marks: Option<Vec<u8>>,
    /// `[["table", count, bytes], ..]` of what it asked of tables; `None` when nothing.
    pub lookups: Option<String>,
}

impl EntryRow {
    /// Rows that the entry is about: events, quarantine, unstored.
    pub fn rows(&self) -> i64 {
        self.events() + self.quarantined() + self.unstored
    }

    /// How many events.
    pub fn events(&self) -> i64 {
        span(self.first_event, self.last_event)
    }

    /// How many entries of the quarantine.
    pub fn quarantined(&self) -> i64 {
        span(self.first_quarantine, self.last_quarantine)
    }

    /// The hash of the entry behind `previous`.
    pub fn link(&self, keys: &JournalKeys, previous: &[u8], accesses: &[AccessRow]) -> [u8; 32] {
        let mut text = Text(Vec::with_capacity(256));
        text.bytes(Some(previous));
        [Some(self.id), Some(self.time)].into_iter().for_each(|number| text.number(number));
        text.bytes(Some(self.kind.as_bytes()));
        [self.first_event, self.last_event, self.first_quarantine, self.last_quarantine, Some(self.unstored), self.as_of]
            .into_iter()
            .for_each(|number| text.number(number));
        text.bytes(self.detail.as_deref().map(str::as_bytes));
        text.bytes(self.marks.as_deref());
        text.number(Some(accesses.len() as i64));
        for access in accesses {
            text.bytes(Some(&access.subject_digest));
            text.number(Some(access.rows));
            text.number(Some(access.bytes));
            text.bytes(access.members.as_deref());
            text.bytes(access.outcomes.as_deref().map(str::as_bytes));
            text.bytes(Some(&access.input));
            text.bytes(access.output.as_deref());
            text.bytes(access.marks.as_deref());
        }
        // Apart, so that entries without any are hashed as they were before there were tables.
        for (place, lookups) in accesses.iter().enumerate().filter_map(|(place, access)| Some((place, access.lookups.as_deref()?))) {
            text.number(Some(place as i64));
            text.bytes(Some(lookups.as_bytes()));
        }
        keys.chain.wide(&text.0)
    }
}

fn span(first: Option<i64>, last: Option<i64>) -> i64 {
    match (first, last) {
        (Some(first), Some(last)) => last.saturating_sub(first).saturating_add(1).max(0),
        _ => 0,
    }
}

/// Parts, each with its length or a mark that there is none.
struct Text(Vec<u8>);

impl Text {
    fn bytes(&mut self, part: Option<&[u8]>) {
        let length = part.map_or(u64::MAX, |part| part.len() as u64);
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(part.unwrap_or_default());
    }

    fn number(&mut self, number: Option<i64>) {
        match number {
            Some(number) => self.bytes(Some(&number.to_le_bytes())),
            None => self.bytes(None),
        }
    }
}
