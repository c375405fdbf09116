//! From a typed query to SQL: constant fragments and bound values only.
//!
//! The window and what an index leads with stand in the `where` clause. Every other filter is one more column of the answer, so that
//! the rows read to answer are counted as they are.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension};
use telemetry_model::query::{Comparison, Filter, RowQuery, Window};
use telemetry_model::{Field, FieldType, Relation, Timestamp};

use super::Without;
use super::seek::choose;
use super::sources::{Lookup, Reading, Source, Table, source, table};
use crate::indexed::complete;
use crate::read::documents::WantedKey;
use crate::read::seeks::seeks;

/// Where the value of a column or group comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A column of the SQL.
    Selected(usize),
    /// An attribute of the row's events.
    Attribute(usize),
    /// All attributes of the row's event.
    Attributes,
}

/// What a scan runs and how it reads the answer.
#[derive(Debug)]
pub struct Plan {
    /// The statement.
    pub sql: String,
    /// Its bound values.
    pub values: Vec<Value>,
    /// Its first columns.
    pub sources: Vec<Source>,
    /// The column that says whether the row passes the filters.
    pub passes: Option<usize>,
    /// The first of the columns from which attributes are read.
    pub documents: Option<usize>,
    /// The row's id, when it is wanted.
    pub id: Option<usize>,
    /// The query's columns.
    pub columns: Vec<Origin>,
    /// The query's groups.
    pub groups: Vec<Origin>,
    /// The row's own time, when there are buckets.
    pub time: Option<usize>,
    /// The attributes that are read.
    pub keys: Vec<WantedKey>,
    /// Filters on attributes that each row is asked for.
    pub attribute_filters: Vec<(Origin, Filter)>,
    /// The attributes are groups and filters only and all of them are indexed: read from there.
    pub by_index: bool,
    /// The query's window.
    pub window: Window,
    /// The attribute by which rows are sought.
    pub sought: Option<Field>,
    /// Attributes whose filters are scanned for.
    pub unindexed: Vec<Field>,
    /// Some of the attributes are ones that enrichers over rows have written.
    pub reads_rows: bool,
    /// What enrichers over rows wrote is not read.
    pub without_rows: bool,
    /// `plugin_versions.id` of what is not read, and nothing of plugins among all attributes of an event.
    pub without: Vec<i64>,
    /// The table.
    pub table: Table,
}

impl Plan {
    /// Leaves out what `without` says.
    pub fn leave_out(&mut self, connection: &Connection, without: Without<'_>) -> rusqlite::Result<()> {
        let one;
        let plugins = match without {
            Without::RowEnrichers => {
                self.without_rows = true;
                return Ok(());
            }
            Without::Plugin(plugin) => {
                one = [plugin];
                &one[..]
            }
            Without::Plugins(plugins) => plugins,
        };
        // Even a plugin that wrote nothing so far saw no other's among all attributes.
        self.without.push(0);
        self.without.extend(versions_of(connection, plugins)?);
        Ok(())
    }

    /// Whether a column or group is all attributes of an event.
    pub fn wants_all(&self) -> bool {
        let filters = self.attribute_filters.iter().map(|(origin, _)| origin);
        self.columns.iter().chain(&self.groups).chain(filters).any(|origin| *origin == Origin::Attributes)
    }
}

/// `plugin_versions.id` of all versions of these plugins.
pub(super) fn versions_of(connection: &Connection, plugins: &[&str]) -> rusqlite::Result<Vec<i64>> {
    let mut versions = Vec::new();
    let mut statement = connection.prepare_cached("select id from plugin_versions where plugin_id = ?1")?;
    for plugin in plugins {
        for version in statement.query_map([plugin], |row| row.get(0))? {
            versions.push(version?);
        }
    }
    Ok(versions)
}

/// What the attributes of a row are found by, per relation; the first column is the event's or the session's id.
fn document_columns(relation: Relation) -> &'static [&'static str] {
    match relation {
        Relation::Events => &["r.id", "r.attributes", "r.context", "r.derived"],
        Relation::LlmCalls | Relation::ToolExecutions => &["r.event_id", "r.trace", "r.span", "r.start_time", "r.end_time", "r.derived"],
        Relation::Sessions => &["r.session"],
        Relation::SecurityAlerts => &["r.event_id"],
    }
}

/// The same when attributes are read from their index: an event is known by its id.
fn event_columns(relation: Relation) -> &'static [&'static str] {
    match relation {
        Relation::Events => &["r.id"],
        other => document_columns(other),
    }
}

/// What a scan wants beside its query.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// The rows' ids.
    pub with_ids: bool,
    /// Only rows whose ids are in this range, its end included, in their order.
    pub ids: Option<(i64, i64)>,
    /// Attributes are read from the events themselves, never from their index: other values may stand in for them.
    pub by_documents: bool,
}

/// Plans `query`; texts that filters compare with are looked up on `connection`.
pub fn plan(connection: &Connection, query: &RowQuery, wanted: Wanted) -> rusqlite::Result<Plan> {
    let Wanted { with_ids, ids, by_documents } = wanted;
    let mut build = Build { connection, relation: query.relation, sources: Vec::new(), keys: Vec::new(), all: false };
    let columns = query.columns.iter().map(|(field, _)| build.origin(field)).collect::<rusqlite::Result<Vec<_>>>()?;
    let groups = query.group_by.iter().map(|field| build.origin(field)).collect::<rusqlite::Result<Vec<_>>>()?;
    let table = table(query.relation);
    let time = query.interval.map(|_| build.select(Source { sql: table.time, reading: Reading::Plain(FieldType::Time) }));
    let mut conditions = Conditions::default();
    let mut tests = Conditions::default();
    if let Some(from) = query.window.from {
        conditions.add(&[table.time, " >= ?"], [Value::Integer(from.0)]);
    }
    if let Some(to) = query.window.to {
        conditions.add(&[table.time, " < ?"], [Value::Integer(to.0)]);
    }
    if let Some((first, last)) = ids {
        conditions.add(&["r.rowid between ? and ?"], [Value::Integer(first), Value::Integer(last)]);
    }
    let (found, unindexed) = seeks(connection, &query.filters)?;
    let sought = if by_documents { None } else { choose(connection, query, found)? };
    let mut attribute_filters = Vec::new();
    for (place, filter) in query.filters.iter().enumerate() {
        match build.fixed(&filter.field) {
            Some((name, source)) => {
                let (operand, values) = build.comparable(source, filter)?;
                let into = if is_indexed(query.relation, name) { &mut conditions } else { &mut tests };
                into.add_filter(operand, filter.comparison, values);
            }
            None if sought.as_ref().is_some_and(|sought| sought.answers == Some(place)) => {}
            None => attribute_filters.push((build.origin(&filter.field)?, filter.clone())),
        }
    }
    let reads_rows = build.reads_rows()?;
    let by_index = !by_documents && sought.is_none() && build.reads_index(&columns)?;
    let mut selected: Vec<String> = build.sources.iter().map(|source| source.sql.to_owned()).collect();
    let passes = (!tests.sql.is_empty()).then(|| {
        selected.push(tests.sql);
        selected.len() - 1
    });
    let documents = (!build.keys.is_empty() || build.all).then(|| {
        let first = selected.len();
        let columns = if by_index { event_columns(query.relation) } else { document_columns(query.relation) };
        selected.extend(columns.iter().map(|column| (*column).to_owned()));
        first
    });
    let id = with_ids.then(|| {
        selected.push("r.rowid".to_owned());
        selected.len() - 1
    });
    if selected.is_empty() {
        selected.push("1".to_owned());
    }
    let filter = if conditions.sql.is_empty() { String::new() } else { format!(" where {}", conditions.sql) };
    let from = sought.as_ref().map_or(table.from, |sought| &sought.from);
    let order = if ids.is_some() { " order by r.rowid" } else { "" };
    let sql = format!("select {} from {from}{filter}{order}", selected.join(", "));
    let mut values = tests.values;
    let sought = sought.map(|sought| {
        values.extend(sought.values);
        Field::Attribute(sought.key)
    });
    values.extend(conditions.values);
    let (window, Build { sources, keys, .. }) = (query.window, build);
    Ok(Plan {
        sql,
        values,
        sources,
        passes,
        documents,
        id,
        columns,
        groups,
        time,
        keys,
        attribute_filters,
        by_index,
        window,
        sought,
        unindexed,
        reads_rows,
        without_rows: false,
        without: Vec::new(),
        table,
    })
}

/// Whether an index leads with the field and goes on with the row's time.
fn is_indexed(relation: Relation, name: &str) -> bool {
    match relation {
        Relation::Events => matches!(name, "agent_id" | "session_id" | "trace_id"),
        _ => name == "agent_id",
    }
}

/// Conditions joined by `and`, with the values bound in them.
#[derive(Default)]
struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    fn add(&mut self, fragments: &[&str], values: impl IntoIterator<Item = Value>) {
        if !self.sql.is_empty() {
            self.sql.push_str(" and ");
        }
        fragments.iter().for_each(|fragment| self.sql.push_str(fragment));
        self.values.extend(values);
    }

    /// `operand in (?, ..)`, or a comparison with any: without values nothing matches, and a null never does.
    fn add_filter(&mut self, operand: &str, comparison: Comparison, values: Vec<Value>) {
        if comparison == Comparison::Equal || values.is_empty() {
            let marks = vec!["?"; values.len()].join(", ");
            return self.add(&[operand, " in (", &marks, ")"], values);
        }
        for value in values {
            self.add(&[operand, " ", comparison.sign(), " ?"], [value]);
        }
    }
}

struct Build<'c> {
    connection: &'c Connection,
    relation: Relation,
    sources: Vec<Source>,
    keys: Vec<WantedKey>,
    all: bool,
}

impl Build<'_> {
    fn origin(&mut self, field: &Field) -> rusqlite::Result<Origin> {
        if let Some((_, source)) = self.fixed(field) {
            return Ok(Origin::Selected(self.select(source)));
        }
        let Field::Attribute(key) = field else {
            self.all = true;
            return Ok(Origin::Attributes);
        };
        if let Some(known) = self.keys.iter().position(|wanted| wanted.key == *key) {
            return Ok(Origin::Attribute(known));
        }
        self.keys.push(WantedKey::find(self.connection, key)?);
        Ok(Origin::Attribute(self.keys.len() - 1))
    }

    /// Whether enrichers over rows have written one of the keys.
    fn reads_rows(&self) -> rusqlite::Result<bool> {
        if !matches!(self.relation, Relation::LlmCalls | Relation::ToolExecutions) {
            return Ok(false);
        }
        let mut statement = self.connection.prepare_cached("select exists (select 1 from row_keys where key = ?1)")?;
        for key in self.keys.iter().filter_map(|key| key.id) {
            if statement.query_row([key], |row| row.get(0))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether every attribute that is read is a group or a filter, and indexed.
    fn reads_index(&self, columns: &[Origin]) -> rusqlite::Result<bool> {
        let is_fixed = |origin: &Origin| matches!(origin, Origin::Selected(_));
        if self.keys.is_empty() || self.all || self.relation == Relation::Sessions || !columns.iter().all(is_fixed) {
            return Ok(false);
        }
        for key in &self.keys {
            if complete(self.connection, &key.key)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn fixed(&self, field: &Field) -> Option<(&'static str, Source)> {
        match field {
            Field::Fixed(relation, name) if *relation == self.relation => source(*relation, name).map(|source| (*name, source)),
            _ => None,
        }
    }

    fn select(&mut self, source: Source) -> usize {
        self.sources.iter().position(|known| *known == source).unwrap_or_else(|| {
            self.sources.push(source);
            self.sources.len() - 1
        })
    }

    /// What to compare with which values. A text that no row can have is left out.
    fn comparable(&self, source: Source, filter: &Filter) -> rusqlite::Result<(&'static str, Vec<Value>)> {
        let values = &filter.values;
        Ok(match source.reading {
            Reading::Plain(ty) => (source.sql, values.iter().filter_map(|text| plain(text, ty)).collect()),
            Reading::Lookup(Lookup::Status) => (STATUS, values.iter().map(|text| Value::Text(text.clone())).collect()),
            Reading::Lookup(Lookup::CallSpan) => (CALL_SPAN, values.iter().map(|text| Value::Text(text.clone())).collect()),
            Reading::Lookup(lookup) => {
                let mut ids = Vec::new();
                for text in values {
                    self.ids(lookup, text, &mut ids)?;
                }
                (source.sql, ids)
            }
        })
    }

    fn ids(&self, lookup: Lookup, text: &str, ids: &mut Vec<Value>) -> rusqlite::Result<()> {
        let sql = match lookup {
            Lookup::String => {
                let sql = "select id from strings where text = ?1";
                let id: Option<i64> = self.connection.prepare_cached(sql)?.query_row([text], |row| row.get(0)).optional()?;
                ids.extend(id.map(Value::Integer));
                return Ok(());
            }
            Lookup::KindName => "select id from event_kinds where name = ?1",
            Lookup::KindLevel => "select id from event_kinds where level = upper(?1)",
            Lookup::KindSchemaVersion => "select id from event_kinds where schema_version = ?1",
            Lookup::KindChannel => "select id from event_kinds where channel = ?1",
            Lookup::KindFamily => "select id from event_kinds where family = ?1",
            Lookup::Status | Lookup::CallSpan => return Ok(()),
        };
        let mut statement = self.connection.prepare_cached(sql)?;
        for id in statement.query_map([text], |row| row.get(0))? {
            ids.push(Value::Integer(id?));
        }
        Ok(())
    }
}

const STATUS: &str = "case when r.roles & 4 then 'error' when r.roles & 2 then 'success' else 'open' end";
const CALL_SPAN: &str = "(select c.span from llm_call_rows c where c.id = r.conversation)";

/// `text` as a value that a column of type `ty` can be equal to.
fn plain(text: &str, ty: FieldType) -> Option<Value> {
    match ty {
        FieldType::Boolean => match text {
            "true" | "1" => Some(Value::Integer(1)),
            "false" | "0" => Some(Value::Integer(0)),
            _ => None,
        },
        FieldType::Integer | FieldType::Real => match text.parse::<i64>() {
            Ok(integer) => Some(Value::Integer(integer)),
            Err(_) => text.parse::<f64>().ok().filter(|real| real.is_finite()).map(Value::Real),
        },
        FieldType::Time => Timestamp::parse(text).ok().map(|time| Value::Integer(time.0)),
        FieldType::Text => Some(Value::Text(text.to_owned())),
        FieldType::Json | FieldType::Bytes => None,
    }
}
