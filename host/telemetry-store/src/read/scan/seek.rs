//! Rows of a relation by the values of an indexed attribute of their events.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension};
use telemetry_model::Relation;
use telemetry_model::query::RowQuery;

use super::sources::table;
use crate::read::seeks::Seek;

/// More events than this are not sought one by one when a window bounds the rows.
const MOST: u32 = 50_000;

/// From where the rows come.
#[derive(Debug)]
pub struct Sought {
    /// `from` clause: rows that may pass, each once.
    pub from: String,
    /// Its values.
    pub values: Vec<Value>,
    /// The filter that every such row passes.
    pub answers: Option<usize>,
    /// The attribute.
    pub key: Box<str>,
}

/// Which of `seeks` to use: the first that finds few events, else none where a window has fewer rows.
pub fn choose(connection: &Connection, query: &RowQuery, seeks: Vec<Seek>) -> rusqlite::Result<Option<Sought>> {
    let own_event = matches!(query.relation, Relation::Events | Relation::SecurityAlerts);
    // Only an event's or an alert's own time is that of the row.
    let seeks: Vec<_> = seeks.into_iter().map(|seek| if own_event { seek.within(query.window) } else { seek }).collect();
    let mut few = None;
    for (place, seek) in seeks.iter().enumerate() {
        if seeks.len() == 1 && own_event || !seek.finds_more_than(connection, MOST)? {
            few = Some(place);
            break;
        }
    }
    let bounded = query.window.from.is_some() || query.window.to.is_some();
    let place = match few {
        Some(place) if own_event || !bounded || !has_fewer_rows(connection, query, seeks.get(place))? => place,
        None if own_event || !bounded => 0,
        _ => return Ok(None),
    };
    Ok(seeks.into_iter().nth(place).map(|seek| sought(query.relation, seek)))
}

/// Whether the window has so few rows that each event of `seek` costs more than it saves.
fn has_fewer_rows(connection: &Connection, query: &RowQuery, seek: Option<&Seek>) -> rusqlite::Result<bool> {
    const FEW: u32 = 1_000;
    let table = table(query.relation);
    let sql = format!("select 1 from {} where {time} >= ? and {time} < ? limit 1 offset {FEW}", table.from, time = table.time);
    let bounds = (query.window.from.map_or(i64::MIN, |from| from.0), query.window.to.map_or(i64::MAX, |to| to.0));
    let many = connection.prepare(&sql)?.query_row(bounds, |_| Ok(())).optional()?.is_some();
    match seek {
        Some(seek) if !many => seek.finds_more_than(connection, FEW),
        _ => Ok(false),
    }
}

fn sought(relation: Relation, seek: Seek) -> Sought {
    let Seek { filter, key, sql, mut values, exact, .. } = seek;
    let pairs = |table: &str| {
        format!(
            "(select c.id as id from attribute_values a cross join event_rows e on e.id = a.event \
             cross join {table} c on c.trace = e.trace and c.span = e.span where {sql} \
             union select c.id from attribute_values a cross join {table} c on c.event_id = a.event and c.span is null where {sql}) s \
             cross join {table} r on r.id = s.id"
        )
    };
    let (from, twice, own) = match relation {
        Relation::Events => (format!("attribute_values a cross join event_rows r on r.id = a.event and {sql}"), false, true),
        Relation::SecurityAlerts => {
            (format!("attribute_values a cross join security_alert_rows r on r.event_id = a.event and {sql}"), false, true)
        }
        Relation::LlmCalls => (pairs("llm_call_rows"), true, false),
        Relation::ToolExecutions => (pairs("tool_execution_rows"), true, false),
        Relation::Sessions => {
            let sessions = format!(
                "(select distinct e.session as id from attribute_values a cross join event_rows e on e.id = a.event \
                 where {sql} and e.session is not null) s cross join session_rows r on r.session = s.id"
            );
            (sessions, false, false)
        }
    };
    if twice {
        values.extend(values.clone());
    }
    Sought { from, values, answers: (exact && own).then_some(filter), key }
}
