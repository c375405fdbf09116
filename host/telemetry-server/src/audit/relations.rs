//! Entries of queries: rows of a relation by their ids. Later events may have changed a call or a session; then that is said.

use std::collections::BTreeMap;
use std::convert::Infallible;

use telemetry_model::journal::{IdRuns, Marks, mark};
use telemetry_model::query::{RowQuery, RowSink, Window};
use telemetry_model::{Batch, Digest, Relation};
use telemetry_plugins::RowHasher;
use telemetry_store::{AccessRow, EntryRow, ScanError, StoreError, Without};

use super::Why;
use super::check::{Check, Known, place};
use super::stored::Rebuilt;

/// Hashes rows as they come.
struct Hashes<'h> {
    hasher: &'h RowHasher,
    ids: Vec<i64>,
    found: BTreeMap<i64, Digest>,
}

impl RowSink for Hashes<'_> {
    type Error = Infallible;

    fn wants_ids(&self) -> bool {
        true
    }

    fn ids(&mut self, ids: &[i64]) {
        self.ids = ids.to_vec();
    }

    fn rows(&mut self, batch: Batch, _group_count: u32) -> Result<(), Infallible> {
        let (ids, found) = (&self.ids, &mut self.found);
        let read = self.hasher.batch(&batch, |row, hash| {
            if let Some(id) = ids.get(row) {
                found.insert(*id, hash);
            }
        });
        debug_assert!(read.is_ok(), "a batch of the store's reads back");
        Ok(())
    }
}

impl Check<'_> {
    pub(super) fn relation(&mut self, entry: &EntryRow, access: &AccessRow) -> Result<(), StoreError> {
        let Some(known) = self.known(access)? else { return Ok(()) };
        let plugin = known.subject.plugin.plugin_id.to_string();
        let runs = access.members.as_deref().and_then(IdRuns::read);
        let marks = access.marks.as_deref().and_then(Marks::read);
        let (Some(runs), Some((per, marks))) = (runs, marks) else {
            self.audit.wrong(place(entry), format!("its references for `{plugin}` do not read"));
            return Ok(());
        };
        if !named(entry.detail.as_deref(), "instead").is_empty() {
            let count = runs.iter().fold(0u64, |sum, (_, count)| sum.saturating_add(*count));
            self.unproven(Why::OtherValues, count, entry, &known);
            return Ok(());
        }
        let relation = known.subject.source;
        let mut rows: Vec<(i64, Option<Digest>)> = Vec::new();
        for (first, count) in runs {
            let last = first.saturating_add(i64::try_from(count).unwrap_or(i64::MAX) - 1);
            if entry.kind != "query" && &*known.subject.kind != "metric" {
                rows.extend(self.rows_again(entry, &known, first, last)?);
                continue;
            }
            let mut sink = Hashes { hasher: &known.hasher, ids: Vec::new(), found: BTreeMap::new() };
            self.snapshot.scan_ids(&query(relation, &known.subject.fields), (first, last), &mut sink).map_err(store_error)?;
            rows.extend((first..=last).map(|id| (id, sink.found.get(&id).copied())));
        }
        self.audit.rows += rows.iter().filter(|(_, hash)| hash.is_some()).count() as u64;
        let purged = rows.iter().filter(|(_, hash)| hash.is_none()).count() as u64;
        self.unproven(Why::Purged, purged, entry, &known);
        let (mut changed, mut differing) = (0, 0);
        for (block, stored) in rows.chunks(per as usize).zip(&marks) {
            let sum = block.iter().try_fold(0u32, |sum, (_, hash)| Some(sum.wrapping_add(mark((*hash)?))));
            if sum.is_none_or(|sum| sum == *stored) {
                continue;
            }
            if entry.id < self.masked_again {
                self.unproven(Why::MaskedAgain, block.len() as u64, entry, &known);
                differing += 1;
                continue;
            }
            if self.any_changed(relation, block, entry.as_of)? {
                changed += block.len() as u64;
                continue;
            }
            differing += 1;
            let (first, last) = (block.first().map_or(0, |(id, _)| *id), block.last().map_or(0, |(id, _)| *id));
            let name = if first == last { format!("{relation} {first}") } else { format!("{relation} {first} to {last}") };
            self.audit.wrong(name, format!("not what `{plugin}` was handed ({})", place(entry)));
        }
        self.unproven(Why::Changed, changed, entry, &known);
        let over = self.keys.over(rows.iter().map(|(_, hash)| *hash));
        if purged == 0 && changed == 0 && differing == 0 && over.0.as_slice() != access.input {
            self.audit.wrong(place(entry), format!("its rows are not what `{plugin}` was handed"));
        }
        Ok(())
    }

    /// The hashes of rows as plugins that run on stored rows are given them: without what enrichers wrote that the entry's detail names.
    fn rows_again(&self, entry: &EntryRow, known: &Known, first: i64, last: i64) -> Result<Vec<(i64, Option<Digest>)>, StoreError> {
        let subject = &known.subject;
        if &*subject.kind == "validator" {
            return self.sent_again(known, first, last);
        }
        let fields: Vec<_> = subject.fields.iter().map(|(field, _)| field.clone()).collect();
        let named = named(entry.detail.as_deref(), "without");
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        let without = match &entry.detail {
            None => Without::RowEnrichers,
            Some(_) if named.is_empty() => Without::Plugin(&subject.plugin.plugin_id),
            Some(_) => Without::Plugins(&named),
        };
        let mut found: BTreeMap<i64, Digest> = BTreeMap::new();
        let mut next = first;
        while next <= last {
            let ids: Vec<i64> = (next..=last).take(256).collect();
            let table = self.snapshot.rows(subject.source, &ids, &fields, without)?;
            let hashes = known.hasher.rows(&table).unwrap_or_default();
            found.extend(table.ids().iter().copied().zip(hashes));
            // A table that ended early goes on behind its last row.
            next = table
                .ids()
                .last()
                .copied()
                .filter(|_| table.ids().len() < ids.len())
                .or(ids.last().copied())
                .unwrap_or(last)
                .saturating_add(1);
        }
        Ok((first..=last).map(|id| (id, found.get(&id).copied())).collect())
    }

    /// The hashes of events as validators are given them.
    fn sent_again(&self, known: &Known, first: i64, last: i64) -> Result<Vec<(i64, Option<Digest>)>, StoreError> {
        let derivation = &*known.subject.plugin.derivation;
        let mut rows = Vec::new();
        for id in first..=last {
            let made = self.snapshot.event(id)?.as_ref().and_then(Rebuilt::raw);
            rows.push((id, made.and_then(|made| made.hash(&known.hasher, derivation))));
        }
        Ok(rows)
    }

    fn any_changed(&self, relation: Relation, block: &[(i64, Option<Digest>)], as_of: Option<i64>) -> Result<bool, StoreError> {
        for (id, _) in block {
            if self.snapshot.journal_changed(relation, *id, as_of.unwrap_or_default())? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The plugins that the detail of an entry names under `name`: `without` those whose attributes the rows were without, `instead` those of
/// which they had others than are stored.
fn named(detail: Option<&str>, name: &str) -> Vec<String> {
    let detail: serde_json::Value = detail.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let named = detail.get(name).and_then(serde_json::Value::as_array).into_iter().flatten();
    named.filter_map(serde_json::Value::as_str).map(str::to_owned).collect()
}

fn query(relation: Relation, columns: &[(telemetry_model::Field, telemetry_model::FieldType)]) -> RowQuery {
    RowQuery {
        relation,
        columns: columns.to_vec(),
        window: Window::default(),
        filters: Vec::new(),
        group_by: Vec::new(),
        interval: None,
        max_groups: 1,
    }
}

fn store_error(error: ScanError<Infallible>) -> StoreError {
    match error {
        ScanError::Store(error) => error,
        ScanError::Stopped | ScanError::TooManyGroups { .. } | ScanError::GroupsTooLarge { .. } => StoreError::Closed,
        ScanError::Sink(never) => match never {},
    }
}
