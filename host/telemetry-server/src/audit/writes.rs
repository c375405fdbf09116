//! Entries of transactions: events and the quarantine, row by row.

use std::sync::Arc;

use telemetry_model::Digest;
use telemetry_model::journal::mark;
use telemetry_store::{AccessRow, EntryRow, StoreError};

use super::Why;
use super::check::{Check, Known, place};
use super::stored::Rebuilt;

/// One access of an entry while its rows are made again.
struct Made<'a> {
    access: &'a AccessRow,
    known: Arc<Known>,
    inputs: Vec<Option<Digest>>,
    outputs: Vec<Option<Digest>>,
}

/// A row as validators and as enrichers saw it, or why it cannot be made again.
#[derive(Default)]
struct Row {
    raw: Option<Rebuilt>,
    normalized: Option<Rebuilt>,
    why: Option<Why>,
}

impl Check<'_> {
    pub(super) fn write(&mut self, entry: &EntryRow, accesses: &[AccessRow]) -> Result<(), StoreError> {
        let mut made = Vec::with_capacity(accesses.len());
        for access in accesses {
            let Some(known) = self.known(access)? else { continue };
            if &*known.subject.kind == "masker" {
                self.unproven(Why::Masker, access.rows.unsigned_abs(), entry, &known);
                continue;
            }
            made.push(Made { access, known, inputs: Vec::new(), outputs: Vec::new() });
        }
        let marks = entry.marks.as_deref().unwrap_or_default();
        let mut differing = 0;
        for at in 0..entry.rows().unsigned_abs() {
            let row = self.row(entry, at as i64)?;
            let mut complete = Some(0u32);
            // Each keeps the row, also behind one that cannot be made again.
            for made in made.iter_mut().filter(|made| made.access.has(at)) {
                complete = made.row(&self.keys, &row, complete);
            }
            let stored = marks.get(at as usize * 4..at as usize * 4 + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
            if let (Some(sum), Some(stored)) = (complete, stored)
                && sum != stored
            {
                differing += 1;
                if entry.id < self.masked_again {
                    let readers: Vec<_> = made.iter().filter(|made| made.access.has(at)).map(|made| Arc::clone(&made.known)).collect();
                    readers.iter().for_each(|known| self.unproven(Why::MaskedAgain, 1, entry, known));
                    continue;
                }
                self.audit.wrong(self.name(entry, at as i64), format!("is not what plugins were handed ({})", place(entry)));
            }
            if let Some(why) = row.why {
                let readers: Vec<_> = made.iter().filter(|made| made.access.has(at)).map(|made| Arc::clone(&made.known)).collect();
                readers.iter().for_each(|known| self.unproven(why, 1, entry, known));
            }
        }
        made.iter().for_each(|made| self.compare(entry, made, differing));
        Ok(())
    }

    fn row(&self, entry: &EntryRow, at: i64) -> Result<Row, StoreError> {
        let gone = |why| Row { why: Some(why), ..Row::default() };
        if at < entry.events() {
            let Some(event) = self.snapshot.event(entry.first_event.unwrap_or_default() + at)? else { return Ok(gone(Why::Purged)) };
            let provenance = self.snapshot.provenance(&event)?;
            let raw = Rebuilt::raw(&event);
            let why = raw.is_none().then_some(Why::FlagsCut);
            return Ok(Row { raw, normalized: Some(Rebuilt::normalized(&event, &provenance)), why });
        }
        if at < entry.events() + entry.quarantined() {
            let id = entry.first_quarantine.unwrap_or_default() + at - entry.events();
            let body = self.snapshot.quarantine_entry(id)?.and_then(|found| found.body);
            let raw = body.and_then(|body| Rebuilt::quarantined(body.as_str()));
            return Ok(Row { why: raw.is_none().then_some(Why::Purged), raw, normalized: None });
        }
        Ok(gone(Why::NotStored))
    }

    fn name(&self, entry: &EntryRow, at: i64) -> String {
        match at < entry.events() {
            true => format!("event {}", entry.first_event.unwrap_or_default() + at),
            false => format!("quarantine {}", entry.first_quarantine.unwrap_or_default() + at - entry.events()),
        }
    }

    fn compare(&mut self, entry: &EntryRow, made: &Made<'_>, differing: u64) {
        let plugin = &made.known.subject.plugin.plugin_id;
        self.audit.rows += made.inputs.iter().flatten().count() as u64;
        if made.inputs.len() as i64 != made.access.rows {
            self.audit.wrong(place(entry), format!("names {} rows of `{plugin}`, but has {}", made.access.rows, made.inputs.len()));
        }
        if made.inputs.iter().any(Option::is_none) {
            return;
        }
        // The rows themselves were named, if they differ.
        if self.keys.over(made.inputs.iter().copied()).0.as_slice() != made.access.input && differing == 0 {
            self.audit.wrong(place(entry), format!("its rows are not what `{plugin}` was handed"));
        }
        if &*made.known.subject.kind != "enricher" {
            let said = u64::from(made.access.output.is_some());
            self.unproven(Why::ValidatorOutput, said, entry, &made.known);
            return;
        }
        let has_output = made.outputs.iter().any(Option::is_some);
        let output = has_output.then(|| self.keys.over(made.outputs.iter().copied()).0.to_vec());
        if output != made.access.output && entry.id >= self.masked_again {
            let rows = format!("events {} to {}", entry.first_event.unwrap_or_default(), entry.last_event.unwrap_or_default());
            self.audit.wrong(rows, format!("what `{plugin}` wrote is not what it gave ({})", place(entry)));
        }
    }
}

impl Made<'_> {
    /// Makes one row again; the sum of the marks so far, `None` when one is missing.
    fn row(&mut self, keys: &telemetry_model::journal::JournalKeys, row: &Row, sum: Option<u32>) -> Option<u32> {
        let derivation = &*self.known.subject.plugin.derivation;
        let rebuilt = if &*self.known.subject.kind == "enricher" { &row.normalized } else { &row.raw };
        let input = rebuilt.as_ref().and_then(|rebuilt| rebuilt.hash(&self.known.hasher, derivation));
        self.inputs.push(input);
        self.outputs.push(rebuilt.as_ref().and_then(|rebuilt| keys.output(rebuilt.written(derivation))));
        Some(sum?.wrapping_add(mark(input?)))
    }
}
