//! Attributes of the events behind a row.
//!
//! An event and an alert have their own. A call or execution has those of its first event, then of its others by time; a session
//! those of its events by time. The first that is there and not null counts.

use std::rc::Rc;

use rusqlite::{Connection, Row, Statement, ToSql};
use telemetry_model::json::kind_of;
use telemetry_model::query::Filter;
use telemetry_model::{JsonKind, JsonText};

use super::buffer::{Cell, RowBuffer};
use super::groups::Entry;
use super::indexed::IndexedValues;
use super::instead::{Instead, StandIn, Written};
use super::plan::{Origin, Plan};
use super::texts::Texts;
use crate::read::compare::passes;
use crate::read::documents::{Documents, EventDocuments, StoredAttribute};

/// Reads the attributes that a plan wants, row by row.
pub struct AttributeReader<'c> {
    connection: &'c Connection,
    documents: Documents<'c>,
    instead: Option<StandIn<'c>>,
    found: Vec<Option<Rc<str>>>,
    all: Option<String>,
    values: Option<IndexedValues>,
    /// What was found stands in `values`, where it stays.
    stays: bool,
}

impl<'c> AttributeReader<'c> {
    /// Over the snapshot of `connection`, as if `instead` had been written.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn new(connection: &'c Connection, plan: &Plan, instead: Option<&'c Instead>) -> rusqlite::Result<Self> {
        let found = vec![None; plan.keys.len()];
        let values = if plan.by_index { IndexedValues::read(connection, plan)? } else { None };
        Ok(AttributeReader {
            connection,
            documents: Documents::without(connection, plan.without.clone()),
            instead: instead.map(|instead| StandIn::new(connection, plan, instead)).transpose()?,
            found,
            all: None,
            values,
            stays: false,
        })
    }

    /// Reads the attributes of `row`, and tells whether it passes the filters on them.
    pub fn read(&mut self, plan: &Plan, first: usize, row: &Row<'_>) -> rusqlite::Result<bool> {
        self.found.iter_mut().for_each(|place| *place = None);
        self.all = None;
        self.stays = self.read_index(plan, first, row)?;
        if !self.stays {
            self.read_documents(plan, first, row)?;
        }
        Ok(plan.attribute_filters.iter().all(|(origin, filter)| self.passes(*origin, filter)))
    }

    /// Reads them from their index; false when it does not tell all of them as they were sent.
    fn read_index(&mut self, plan: &Plan, first: usize, row: &Row<'_>) -> rusqlite::Result<bool> {
        let Some(values) = &mut self.values else { return Ok(false) };
        let event: i64 = row.get(first)?;
        if !values.find(event, &mut self.found) {
            return Ok(false);
        }
        let Some(family) = plan.table.family.filter(|_| !self.found.iter().all(Option::is_some)) else { return Ok(true) };
        let Some(others) = others(family, event, first, row)? else { return Ok(true) };
        let mut statement = self.connection.prepare_cached(OTHER_IDS)?;
        let mut rows = statement.query(others.values().as_slice())?;
        while let Some(row) = rows.next()? {
            if !values.covers(row.get(1)?) || !values.find(row.get(0)?, &mut self.found) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn read_documents(&mut self, plan: &Plan, first: usize, row: &Row<'_>) -> rusqlite::Result<()> {
        self.found.iter_mut().for_each(|place| *place = None);
        match (plan.table.event, plan.table.family) {
            (Some("r.id"), _) if plan.by_index => self.events(plan, EVENT, &[&row.get::<_, i64>(first)?])?,
            (Some("r.id"), _) => {
                let event = EventDocuments {
                    attributes: row.get_ref(first + 1)?.as_str()?,
                    context: row.get(first + 2)?,
                    derived: row.get_ref(first + 3)?.as_str_or_null()?,
                };
                self.find(plan, Written::Event(row.get(first)?), event)?;
                if plan.wants_all() {
                    let whole = if plan.without.is_empty() { event } else { EventDocuments { derived: None, ..event } };
                    self.all = Some(object(&self.documents.all(whole)?));
                }
            }
            (Some(_), family) => {
                let event: i64 = row.get(first)?;
                // What an enricher wrote of the row it wrote where no event had anything.
                if plan.reads_rows && !plan.without_rows {
                    let derived = EventDocuments { attributes: "[]", context: None, derived: row.get_ref(first + 5)?.as_str_or_null()? };
                    // Without its id nothing stands in for it.
                    let id = plan.id.map_or(Ok(0), |column| row.get(column))?;
                    self.find(plan, Written::Row(id), derived)?;
                }
                if !self.complete() {
                    self.events(plan, EVENT, &[&event])?;
                }
                if let Some(family) = family
                    && !self.complete()
                {
                    self.others(plan, family, event, first, row)?;
                }
            }
            (None, _) => {
                let session: i64 = row.get(first)?;
                self.events(plan, SESSION, &[&session])?;
            }
        }
        Ok(())
    }

    /// A number for the value of a group that is the same whenever the value is; `None` when only the text tells.
    pub fn stable(&self, origin: Origin) -> Option<i64> {
        match origin {
            Origin::Attribute(index) if self.stays => Some(self.found.get(index)?.as_ref().map_or(0, |json| json.as_ptr().addr() as i64)),
            _ => None,
        }
    }

    /// The value as a cell of `buffer`.
    pub fn cell(&self, origin: Origin, buffer: &mut RowBuffer) -> Cell {
        self.json(origin).map_or(Cell::Absent, |json| cell_of(json, buffer))
    }

    /// The value as a group: a string by its text, anything else by its JSON text, in which equal reals are written alike.
    pub fn group(&self, origin: Origin, texts: &mut Texts) -> Option<Entry> {
        let json = self.json(origin)?;
        Some(match kind_of(json) {
            JsonKind::String => match JsonText::parse(json).ok().as_ref().and_then(JsonText::as_text) {
                Some(text) => Entry::Text(texts.intern(&text)),
                None => Entry::Json(texts.intern(json)),
            },
            JsonKind::Real => match json.parse::<f64>() {
                Ok(real) if real.is_finite() => Entry::Json(texts.intern(&serde_json::Value::from(real).to_string())),
                _ => Entry::Json(texts.intern(json)),
            },
            _ => Entry::Json(texts.intern(json)),
        })
    }

    fn json(&self, origin: Origin) -> Option<&str> {
        match origin {
            Origin::Attribute(index) => self.found.get(index)?.as_deref(),
            Origin::Attributes => self.all.as_deref(),
            Origin::Selected(_) => None,
        }
    }

    fn complete(&self) -> bool {
        self.found.iter().all(Option::is_some)
    }

    /// The other events of a call or execution.
    fn others(&mut self, plan: &Plan, family: &'static str, event: i64, first: usize, row: &Row<'_>) -> rusqlite::Result<()> {
        match others(family, event, first, row)? {
            Some(others) => self.events(plan, OTHERS, &others.values()),
            None => Ok(()),
        }
    }

    fn events(&mut self, plan: &Plan, sql: &str, values: &[&dyn ToSql]) -> rusqlite::Result<()> {
        let connection = self.connection;
        let mut statement = connection.prepare_cached(sql)?;
        self.each(plan, &mut statement, values)
    }

    fn each(&mut self, plan: &Plan, statement: &mut Statement<'_>, values: &[&dyn ToSql]) -> rusqlite::Result<()> {
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            let event =
                EventDocuments { attributes: row.get_ref(0)?.as_str()?, context: row.get(1)?, derived: row.get_ref(2)?.as_str_or_null()? };
            self.find(plan, Written::Event(row.get(3)?), event)?;
            if self.complete() {
                break;
            }
        }
        Ok(())
    }

    fn find(&mut self, plan: &Plan, written: Written, event: EventDocuments<'_>) -> rusqlite::Result<()> {
        if let Some(instead) = &mut self.instead
            && instead.find(written, event, plan, &mut self.found)?
        {
            return Ok(());
        }
        self.documents.find(event, &plan.keys, &mut self.found)
    }

    fn passes(&self, origin: Origin, filter: &Filter) -> bool {
        self.json(origin).is_some_and(|json| passes(json, filter))
    }
}

/// What finds the other events of a call or execution.
struct Others {
    trace: i64,
    start: i64,
    end: i64,
    span: String,
    family: &'static str,
    event: i64,
}

impl Others {
    fn values(&self) -> [&dyn ToSql; 6] {
        [&self.trace, &self.start, &self.end, &self.span, &self.family, &self.event]
    }
}

fn others(family: &'static str, event: i64, first: usize, row: &Row<'_>) -> rusqlite::Result<Option<Others>> {
    let (trace, span): (Option<i64>, Option<String>) = (row.get(first + 1)?, row.get(first + 2)?);
    let (start, end): (i64, Option<i64>) = (row.get(first + 3)?, row.get(first + 4)?);
    let (Some(trace), Some(span)) = (trace, span) else { return Ok(None) };
    let end = end.unwrap_or(start);
    let (start, end) = if end < start { (end, start) } else { (start, end) };
    Ok(Some(Others { trace, start, end, span, family, event }))
}

pub(super) const EVENT: &str = "select attributes, context, derived, id from event_rows where id = ?1";
pub(super) const OTHERS: &str = "select e.attributes, e.context, e.derived, e.id from event_rows e join event_kinds k on k.id = e.kind
    where e.trace = ?1 and e.timestamp >= ?2 and e.timestamp <= ?3 and e.span = ?4 and k.family = ?5 and e.id <> ?6
    order by e.timestamp, e.id";
pub(super) const OTHER_IDS: &str = "select e.id, e.timestamp from event_rows e join event_kinds k on k.id = e.kind
    where e.trace = ?1 and e.timestamp >= ?2 and e.timestamp <= ?3 and e.span = ?4 and k.family = ?5 and e.id <> ?6
    order by e.timestamp, e.id";
pub(super) const SESSION: &str = "select attributes, context, derived, id from event_rows where session = ?1 order by timestamp, id";

fn cell_of(json: &str, buffer: &mut RowBuffer) -> Cell {
    let other = |buffer: &mut RowBuffer| {
        let (start, end) = buffer.keep(json);
        Cell::Json(start, end)
    };
    match kind_of(json) {
        JsonKind::Null => Cell::Absent,
        JsonKind::Boolean => Cell::Boolean(json == "true"),
        JsonKind::Integer => json.parse().map_or_else(|_| other(buffer), Cell::Integer),
        JsonKind::Real => match json.parse::<f64>() {
            Ok(real) if real.is_finite() => Cell::Real(real),
            _ => other(buffer),
        },
        JsonKind::String => {
            let inner = json.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
            let (start, end) = match memchr::memchr(b'\\', inner.as_bytes()) {
                None => buffer.keep(inner),
                Some(_) => buffer.keep(&serde_json::from_str::<String>(json).unwrap_or_default()),
            };
            Cell::Text(start, end)
        }
        JsonKind::Array | JsonKind::Object => other(buffer),
    }
}

/// All attributes as one JSON object.
pub fn object(attributes: &[StoredAttribute]) -> String {
    let size = attributes.iter().map(|attribute| attribute.key.len() + attribute.json.len() + 4).sum::<usize>();
    let mut text = String::with_capacity(size + 2);
    text.push('{');
    for attribute in attributes {
        if text.len() > 1 {
            text.push(',');
        }
        JsonText::write_string(&attribute.key, &mut text);
        text.push(':');
        text.push_str(&attribute.json);
    }
    text.push('}');
    text
}
