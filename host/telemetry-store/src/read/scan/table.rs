//! Some rows with some of their fields, as plugins read them: what enrichers that run after the commit are given.

use rusqlite::OptionalExtension;
use telemetry_model::query::{RowQuery, Window};
use telemetry_model::{Family, Field, FieldType, Relation, Rows, Value};

use super::buffer::RowBuffer;
use super::{Scan, plan};
use crate::error::StoreError;
use crate::read::Snapshot;

/// Bytes of text after which a table ends early.
const MOST_BYTES: usize = 8 << 20;

/// What a table leaves out, so that plugins see what they saw live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Without<'a> {
    /// What any enricher wrote of a call or execution.
    RowEnrichers,
    /// What this plugin wrote, and all that plugins wrote from an event's attributes as a whole.
    Plugin(&'a str),
    /// The same of several plugins.
    Plugins(&'a [&'a str]),
}

/// Rows of one relation, in the order asked for.
#[derive(Debug)]
pub struct RowTable {
    relation: Relation,
    fields: Vec<Field>,
    ids: Vec<i64>,
    buffer: RowBuffer,
    interned: Vec<Box<str>>,
    families: Vec<Family>,
}

impl RowTable {
    /// The rows' ids: those that there are, the first so many when they would be too large together.
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }
}

impl Snapshot {
    /// The `fields` of the rows of `relation` with these ids.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn rows(&self, relation: Relation, ids: &[i64], fields: &[Field], without: Without<'_>) -> Result<RowTable, StoreError> {
        self.read("read rows for enrichers", |connection| {
            let mut columns: Vec<_> = fields.iter().map(|field| (field.clone(), field.fixed_type().unwrap_or(FieldType::Json))).collect();
            if relation == Relation::Events {
                columns.push((Field::Fixed(Relation::Events, "family"), FieldType::Text));
            }
            let query = RowQuery {
                relation,
                columns,
                window: Window::default(),
                filters: Vec::new(),
                group_by: Vec::new(),
                interval: None,
                max_groups: 1,
            };
            let mut plan = plan::plan(connection, &query, plan::Wanted::default())?;
            plan.leave_out(connection, without)?;
            plan.sql.push_str(" where r.id = ?");
            let mut statement = connection.prepare(&plan.sql)?;
            let mut scan = Scan::new(connection, &query, &plan, None)?;
            let mut found = Vec::with_capacity(ids.len());
            for id in ids {
                let taken = statement.query_row([id], |row| {
                    scan.passes(row)?;
                    scan.take(row, 0)
                });
                if taken.optional()?.is_some() {
                    found.push(*id);
                }
                if scan.buffer.text_bytes() >= MOST_BYTES {
                    break;
                }
            }
            let Scan { buffer, texts, .. } = scan;
            let mut table = RowTable {
                relation,
                fields: fields.to_vec(),
                ids: found,
                buffer,
                interned: texts.entries().to_vec(),
                families: Vec::new(),
            };
            table.families = (0..table.ids.len()).map(|row| table.read_family(row)).collect();
            Ok(table)
        })
    }
}

impl RowTable {
    fn read_family(&self, row: usize) -> Family {
        match self.relation {
            Relation::LlmCalls => Family::Llm,
            Relation::ToolExecutions => Family::Tool,
            Relation::SecurityAlerts => Family::Security,
            Relation::Sessions => Family::Other,
            Relation::Events => match self.buffer.cell(self.fields.len(), row, &self.interned) {
                Value::Text(text) => Family::ALL.into_iter().find(|family| family.as_str() == text).unwrap_or(Family::Other),
                _ => Family::Other,
            },
        }
    }
}

impl Rows for RowTable {
    fn len(&self) -> usize {
        self.ids.len()
    }

    fn family(&self, row: usize) -> Family {
        self.families.get(row).copied().unwrap_or(Family::Other)
    }

    fn value(&self, row: usize, field: &Field) -> Value<'_> {
        match self.fields.iter().position(|known| known == field) {
            Some(column) => self.buffer.cell(column, row, &self.interned),
            None => Value::Absent,
        }
    }

    fn source(&self, _row: usize) -> u64 {
        0
    }
}
