//! Attributes of the events behind a row.
//!
//! An event and an alert have their own. A call or execution has those of its first event, then of its others by time; a session
//! those of its events by time. The first that is there and not null counts.

use std::rc::Rc;

use rusqlite::{Connection, Row, Statement, ToSql};
use telemetry_model::json::kind_of;
use telemetry_model::{JsonKind, JsonText};

use super::buffer::{Cell, RowBuffer};
use super::groups::Entry;
use super::plan::{Origin, Plan};
use super::texts::Texts;
use crate::read::documents::{Documents, EventDocuments, StoredAttribute};

/// Reads the attributes that a plan wants, row by row.
pub struct AttributeReader<'c> {
    connection: &'c Connection,
    documents: Documents<'c>,
    found: Vec<Option<Rc<str>>>,
    all: Option<String>,
}

impl<'c> AttributeReader<'c> {
    /// Over the snapshot of `connection`.
    pub fn new(connection: &'c Connection, plan: &Plan) -> Self {
        let found = vec![None; plan.keys.len()];
        AttributeReader { connection, documents: Documents::new(connection), found, all: None }
    }

    /// Reads the attributes of `row`, and tells whether it passes the filters on them.
    pub fn read(&mut self, plan: &Plan, first: usize, row: &Row<'_>) -> rusqlite::Result<bool> {
        self.found.iter_mut().for_each(|place| *place = None);
        self.all = None;
        match (plan.table.event, plan.table.family) {
            (Some("r.id"), _) => {
                let event = EventDocuments {
                    attributes: row.get_ref(first + 1)?.as_str()?,
                    context: row.get(first + 2)?,
                    derived: row.get_ref(first + 3)?.as_str_or_null()?,
                };
                self.documents.find(event, &plan.keys, &mut self.found)?;
                if plan.wants_all() {
                    self.all = Some(object(&self.documents.all(event)?));
                }
            }
            (Some(_), family) => {
                let event: i64 = row.get(first)?;
                self.events(plan, EVENT, &[&event])?;
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
        Ok(plan.attribute_filters.iter().all(|(origin, values)| self.equals_any(*origin, values)))
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
    fn others(&mut self, plan: &Plan, family: &str, event: i64, first: usize, row: &Row<'_>) -> rusqlite::Result<()> {
        let (trace, span): (Option<i64>, Option<String>) = (row.get(first + 1)?, row.get(first + 2)?);
        let (start, end): (i64, Option<i64>) = (row.get(first + 3)?, row.get(first + 4)?);
        let (Some(trace), Some(span)) = (trace, span) else { return Ok(()) };
        let end = end.unwrap_or(start);
        let (start, end) = if end < start { (end, start) } else { (start, end) };
        self.events(plan, OTHERS, &[&trace, &start, &end, &span, &family, &event])
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
            self.documents.find(event, &plan.keys, &mut self.found)?;
            if self.complete() {
                break;
            }
        }
        Ok(())
    }

    fn equals_any(&self, origin: Origin, values: &[String]) -> bool {
        self.json(origin).is_some_and(|json| {
            let json = JsonText::parse(json).unwrap_or_else(|_| JsonText::null());
            values.iter().any(|value| equals(&json, value))
        })
    }
}

pub(super) const EVENT: &str = "select attributes, context, derived from event_rows where id = ?1";
pub(super) const OTHERS: &str = "select e.attributes, e.context, e.derived from event_rows e join event_kinds k on k.id = e.kind
    where e.trace = ?1 and e.timestamp >= ?2 and e.timestamp <= ?3 and e.span = ?4 and k.family = ?5 and e.id <> ?6
    order by e.timestamp, e.id";
pub(super) const SESSION: &str = "select attributes, context, derived from event_rows where session = ?1 order by timestamp, id";

/// Text with the text of a string, a number by its value, anything else as JSON.
fn equals(json: &JsonText, text: &str) -> bool {
    match json.kind() {
        JsonKind::String => json.as_text().is_some_and(|own| own == text),
        JsonKind::Integer | JsonKind::Real => match (json.as_integer(), text.parse::<i64>()) {
            (Some(own), Ok(other)) => own == other,
            _ => json.as_str() == text || (json.as_real().is_some() && json.as_real() == text.parse::<f64>().ok()),
        },
        _ => json.as_str() == text,
    }
}

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
    let mut text = String::from("{");
    for attribute in attributes {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(JsonText::string(&attribute.key).as_str());
        text.push(':');
        text.push_str(&attribute.json);
    }
    text.push('}');
    text
}
