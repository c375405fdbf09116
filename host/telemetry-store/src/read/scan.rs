//! Rows of one relation as grouped columns: the read of every metric. The database hands over rows; it computes nothing of an answer.

mod attributes;
mod buffer;
mod groups;
mod hash;
mod indexed;
mod instead;
mod plan;
mod seek;
mod sources;
mod table;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::HashMap;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params_from_iter};
use telemetry_model::query::{RowQuery, RowScan, RowSink};
use telemetry_model::{FieldType, Timestamp};

pub use self::instead::Instead;
pub use self::table::{RowTable, Without};

use self::attributes::AttributeReader;
use self::buffer::{Cell, RowBuffer};
use self::groups::{Entry, Groups};
use self::hash::ByWord;
use self::plan::{Origin, Plan, Wanted};
use self::sources::{Reading, Source};
use self::texts::{LookupColumn, Texts};
use super::Snapshot;
use crate::error::StoreError;

/// Why a scan ended early; `E` is the sink's error.
#[derive(Debug, thiserror::Error)]
pub enum ScanError<E> {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The rows have more groups than the query allows.
    #[error("more than {limit} groups")]
    TooManyGroups {
        /// The query's `max_groups`.
        limit: usize,
    },
    /// The values of its groups are too long.
    #[error("the values of the groups have more than {limit} bytes")]
    GroupsTooLarge {
        /// Bytes.
        limit: usize,
    },
    /// The sink stopped the scan.
    #[error("the sink stopped the scan")]
    Sink(E),
    /// [`Stop`](super::Stop) ended it.
    #[error("the scan was stopped")]
    Stopped,
}

/// Bytes of the texts that name groups.
const MAX_GROUP_BYTES: usize = 16 << 20;

impl Snapshot {
    /// Streams the rows of `query` to `sink`: its columns, then a last column of kind `group`. Rows come in no order.
    ///
    /// # Errors
    /// [`ScanError`]. The sink has seen a part of the rows then.
    pub fn scan<S: RowSink>(&self, query: &RowQuery, sink: &mut S) -> Result<RowScan, ScanError<S::Error>> {
        self.scan_rows(query, None, None, sink)
    }

    /// [`Snapshot::scan`] as if what stands in had been written.
    ///
    /// # Errors
    /// As there.
    pub fn scan_instead<S: RowSink>(
        &self,
        query: &RowQuery,
        instead: Option<&Instead>,
        sink: &mut S,
    ) -> Result<RowScan, ScanError<S::Error>> {
        self.scan_rows(query, None, instead, sink)
    }

    /// [`Snapshot::scan`] over the rows whose ids are in a range, its end included, in the order of their ids.
    ///
    /// # Errors
    /// As there.
    pub fn scan_ids<S: RowSink>(&self, query: &RowQuery, ids: (i64, i64), sink: &mut S) -> Result<RowScan, ScanError<S::Error>> {
        self.scan_rows(query, Some(ids), None, sink)
    }

    fn scan_rows<S: RowSink>(
        &self,
        query: &RowQuery,
        ids: Option<(i64, i64)>,
        instead: Option<&Instead>,
        sink: &mut S,
    ) -> Result<RowScan, ScanError<S::Error>> {
        let failed = |error| match self.stop.is_stopped() {
            true => ScanError::Stopped,
            false => ScanError::Store(StoreError::sqlite("scan rows", error)),
        };
        let connection = self.connection();
        let wanted = Wanted { with_ids: sink.wants_ids() || instead.is_some(), ids, by_documents: instead.is_some() };
        let mut plan = plan::plan(connection, query, wanted).map_err(failed)?;
        plan.reads_rows |= instead.is_some() && plan.table.family.is_some();
        let mut statement = connection.prepare(&plan.sql).map_err(failed)?;
        let mut rows = statement.query(params_from_iter(&plan.values)).map_err(failed)?;
        let mut scan = Scan::new(connection, query, &plan, instead).map_err(failed)?;
        let mut found = RowScan { sought: plan.sought.clone(), unindexed: plan.unindexed.clone(), ..RowScan::default() };
        while let Some(row) = rows.next().map_err(failed)? {
            if self.stop.is_stopped() {
                return Err(ScanError::Stopped);
            }
            found.scanned_rows += 1;
            if !scan.passes(row).map_err(failed)? {
                continue;
            }
            found.matched_rows += 1;
            let group = scan.group(row).map_err(failed)?.ok_or(ScanError::TooManyGroups { limit: query.max_groups })?;
            if scan.group_bytes > MAX_GROUP_BYTES {
                return Err(ScanError::GroupsTooLarge { limit: MAX_GROUP_BYTES });
            }
            if scan.take(row, group).map_err(failed)? {
                scan.flush(sink)?;
            }
        }
        scan.flush(sink)?;
        found.groups = scan.groups.into_keys(&scan.texts);
        Ok(found)
    }
}

/// The state of one scan.
struct Scan<'c, 'q> {
    connection: &'c Connection,
    query: &'q RowQuery,
    plan: &'q Plan,
    lookups: Vec<Option<LookupColumn>>,
    texts: Texts,
    attributes: Option<(usize, AttributeReader<'c>)>,
    /// The entries of indexed values.
    known: HashMap<i64, Option<Entry>, ByWord>,
    groups: Groups,
    group_bytes: usize,
    buffer: RowBuffer,
    ids: Vec<i64>,
}

impl<'c, 'q> Scan<'c, 'q> {
    fn new(connection: &'c Connection, query: &'q RowQuery, plan: &'q Plan, instead: Option<&'c Instead>) -> rusqlite::Result<Self> {
        let lookups = plan.sources.iter().map(|source| match source.reading {
            Reading::Lookup(lookup) => Some(LookupColumn::new(lookup)),
            Reading::Plain(_) => None,
        });
        let attributes = plan.documents.map(|first| Ok::<_, rusqlite::Error>((first, AttributeReader::new(connection, plan, instead)?)));
        Ok(Scan {
            connection,
            query,
            plan,
            lookups: lookups.collect(),
            texts: Texts::default(),
            attributes: attributes.transpose()?,
            known: HashMap::default(),
            groups: Groups::new(query.interval.is_some(), query.max_groups),
            group_bytes: 0,
            buffer: RowBuffer::new(query.columns.iter().map(|(_, ty)| *ty).collect()),
            ids: Vec::new(),
        })
    }

    fn passes(&mut self, row: &Row<'_>) -> rusqlite::Result<bool> {
        if let Some(column) = self.plan.passes
            && !matches!(row.get_ref(column)?, ValueRef::Integer(1))
        {
            return Ok(false);
        }
        match &mut self.attributes {
            Some((first, attributes)) => attributes.read(self.plan, *first, row),
            None => Ok(true),
        }
    }

    /// The group of a row; `None` when it is one too many.
    fn group(&mut self, row: &Row<'_>) -> rusqlite::Result<Option<u32>> {
        self.groups.begin();
        if let (Some(interval), Some(column)) = (self.query.interval, self.plan.time) {
            self.groups.bucket(interval.bucket(Timestamp(row.get(column)?)));
        }
        for origin in &self.plan.groups {
            let entry = match origin {
                Origin::Selected(column) => self.entry(row, *column)?,
                other => {
                    let Some((_, attributes)) = &self.attributes else {
                        self.groups.value(None);
                        continue;
                    };
                    let known = attributes.stable(*other).map(|value| (value, self.known.get(&value).copied()));
                    match known {
                        Some((_, Some(entry))) => entry,
                        known => {
                            let before = self.texts.bytes();
                            let entry = attributes.group(*other, &mut self.texts);
                            self.group_bytes += self.texts.bytes() - before;
                            if let Some((value, _)) = known {
                                self.known.insert(value, entry);
                            }
                            entry
                        }
                    }
                }
            };
            self.groups.value(entry);
        }
        Ok(self.groups.id())
    }

    /// Adds the row to the batch; true when that is full.
    fn take(&mut self, row: &Row<'_>, group: u32) -> rusqlite::Result<bool> {
        for (index, origin) in self.plan.columns.iter().enumerate() {
            let cell = match origin {
                Origin::Selected(column) => self.cell(row, *column)?,
                other => match &self.attributes {
                    Some((_, attributes)) => attributes.cell(*other, &mut self.buffer),
                    None => Cell::Absent,
                },
            };
            self.buffer.push(index, cell);
        }
        if let Some(column) = self.plan.id {
            self.ids.push(row.get(column)?);
        }
        Ok(self.buffer.end_row(group))
    }

    fn flush<S: RowSink>(&mut self, sink: &mut S) -> Result<(), ScanError<S::Error>> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let batch = self.buffer.take(self.texts.entries());
        if self.plan.id.is_some() {
            sink.ids(&self.ids);
            self.ids.clear();
        }
        sink.rows(batch, self.groups.len()).map_err(ScanError::Sink)
    }

    fn cell(&mut self, row: &Row<'_>, column: usize) -> rusqlite::Result<Cell> {
        let Some(source) = self.plan.sources.get(column) else { return Ok(Cell::Absent) };
        match (row.get_ref(column)?, source.reading) {
            (ValueRef::Null, _) => Ok(Cell::Absent),
            (ValueRef::Integer(id), Reading::Lookup(_)) => Ok(self.looked_up(column, id)?.map_or(Cell::Absent, Cell::Interned)),
            (ValueRef::Integer(value), Reading::Plain(FieldType::Time)) => Ok(Cell::Time(value)),
            (ValueRef::Integer(value), Reading::Plain(FieldType::Boolean)) => Ok(Cell::Boolean(value != 0)),
            (ValueRef::Integer(value), Reading::Plain(_)) => Ok(Cell::Integer(value)),
            (ValueRef::Real(value), _) => Ok(Cell::Real(value)),
            (value, _) => {
                let (start, end) = self.buffer.keep(value.as_str()?);
                Ok(Cell::Text(start, end))
            }
        }
    }

    /// The entry of a value.
    fn entry(&mut self, row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Entry>> {
        let reading = self.plan.sources.get(column).map(|source: &Source| source.reading);
        let text = match (row.get_ref(column)?, reading) {
            (ValueRef::Null, _) => return Ok(None),
            (ValueRef::Integer(id), Some(Reading::Lookup(_))) => {
                return Ok(self.looked_up(column, id)?.map(Entry::Text));
            }
            (ValueRef::Integer(value), Some(Reading::Plain(FieldType::Time))) => {
                return Ok(Some(Entry::Text(self.texts.intern(&Timestamp(value).to_string()))));
            }
            (ValueRef::Integer(value), Some(Reading::Plain(FieldType::Boolean))) => (value != 0).to_string(),
            (ValueRef::Integer(value), _) => value.to_string(),
            (ValueRef::Real(value), _) => serde_json::Value::from(value).to_string(),
            (value, Some(Reading::Plain(FieldType::Json))) => value.as_str()?.to_owned(),
            (value, _) => return Ok(Some(Entry::Text(self.texts.intern(value.as_str()?)))),
        };
        Ok(Some(Entry::Json(self.texts.intern(&text))))
    }

    fn looked_up(&mut self, column: usize, id: i64) -> rusqlite::Result<Option<u32>> {
        match self.lookups.get_mut(column) {
            Some(Some(lookup)) => lookup.entry(self.connection, &mut self.texts, id),
            _ => Ok(None),
        }
    }
}
