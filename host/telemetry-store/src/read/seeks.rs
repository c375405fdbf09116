//! Filters on indexed attributes: as conditions on `attribute_values`, which hold for every event that passes.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use telemetry_model::Field;
use telemetry_model::query::{Comparison, Filter, Window};

use crate::indexed::{WHOLE_TEXT, complete, cut};

/// Numbers of at least so much are not all told apart as doubles.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// A text to compare with is cut to so many bytes: less than what stored ones are cut to, wherever their characters end.
const BOUND_TEXT: usize = 100;

/// Conditions on `attribute_values a`.
#[derive(Clone, Debug)]
pub struct Seek {
    /// The filter's place among those of the query.
    pub filter: usize,
    /// The attribute's key.
    pub key: Box<str>,
    /// Constant fragments.
    pub sql: String,
    /// Their values.
    pub values: Vec<Value>,
    /// Whether every event that meets them passes the filter.
    pub exact: bool,
    /// Whether they fix one value, so that the index gives events in order of time.
    pub ordered: bool,
}

/// The filters that can be sought, and the attributes of those that cannot.
pub fn seeks(connection: &Connection, filters: &[Filter]) -> rusqlite::Result<(Vec<Seek>, Vec<Field>)> {
    let (mut found, mut others) = (Vec::new(), Vec::new());
    for (place, filter) in filters.iter().enumerate() {
        let Field::Attribute(key) = &filter.field else { continue };
        match complete(connection, key)?.and_then(|id| seek(place, key, id, filter)) {
            Some(seek) => found.push(seek),
            None => others.push(filter.field.clone()),
        }
    }
    Ok((found, others))
}

impl Seek {
    /// Adds that the event's time lies in `window`.
    pub fn within(mut self, window: Window) -> Self {
        for (sql, time) in [(" and a.time >= ?", window.from), (" and a.time < ?", window.to)] {
            if let Some(time) = time {
                self.sql.push_str(sql);
                self.values.push(Value::Integer(time.0));
            }
        }
        self
    }

    /// Whether more than `most` events meet the conditions.
    pub fn finds_more_than(&self, connection: &Connection, most: u32) -> rusqlite::Result<bool> {
        let sql = format!("select 1 from attribute_values a where {} limit 1 offset {most}", self.sql);
        Ok(connection.prepare(&sql)?.query_row(params_from_iter(&self.values), |_| Ok(())).optional()?.is_some())
    }
}

fn seek(filter_place: usize, key: &str, id: i64, filter: &Filter) -> Option<Seek> {
    let mut seek = Seek {
        filter: filter_place,
        key: key.into(),
        sql: "a.key = ?".to_owned(),
        values: vec![Value::Integer(id)],
        exact: true,
        ordered: false,
    };
    match filter.comparison {
        Comparison::Equal => equal(&mut seek, &filter.values)?,
        other => match filter.values.as_slice() {
            [value] => ordered(&mut seek, other, value)?,
            _ => return None,
        },
    }
    Some(seek)
}

fn equal(seek: &mut Seek, texts: &[String]) -> Option<()> {
    let mut values = Vec::new();
    for text in texts {
        values.push(Value::Text(cut(text).to_owned()));
        // A list, a truth value or a number beyond all types has such a text; nothing else begins like one of them.
        if matches!(&**text, "true" | "false") || text.trim_start_matches('-').starts_with(|c: char| matches!(c, '[' | '{' | '0'..='9')) {
            values.push(Value::Blob(cut(text).as_bytes().to_vec()));
        }
        seek.exact &= text.len() <= WHOLE_TEXT;
        match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(integer), _) => {
                values.push(Value::Integer(integer));
                if integer.unsigned_abs() as f64 >= EXACT {
                    values.push(Value::Real(integer as f64));
                    seek.exact = false;
                }
            }
            (_, Ok(real)) if real.abs() < EXACT => values.push(Value::Real(real)),
            (_, Ok(real)) if real.is_finite() => return None,
            _ => {}
        }
    }
    seek.ordered = values.len() == 1;
    let marks = vec!["?"; values.len()].join(", ");
    seek.sql.push_str(if seek.ordered { " and a.value = " } else { " and a.value in (" });
    seek.sql.push_str(&marks);
    if !seek.ordered {
        seek.sql.push(')');
    }
    seek.values.extend(values);
    Some(())
}

/// Numbers stand before all texts, texts before all blobs; no text stands before the empty one, and no blob.
fn ordered(seek: &mut Seek, comparison: Comparison, text: &str) -> Option<()> {
    let number = match (text.parse::<i64>(), text.parse::<f64>()) {
        (_, Ok(real)) if real.is_finite() && real.abs() >= EXACT => return None,
        (Ok(integer), _) => Some(Value::Integer(integer)),
        (_, Ok(real)) if real.is_finite() => Some(Value::Real(real)),
        _ => None,
    };
    let greater = matches!(comparison, Comparison::Greater | Comparison::AtLeast);
    seek.sql.push_str(match (comparison, &number) {
        (Comparison::Less, Some(_)) => " and a.value < ?",
        (Comparison::AtMost, Some(_)) => " and a.value <= ?",
        (Comparison::Greater, Some(_)) => " and a.value < '' and a.value > ?",
        (Comparison::AtLeast, Some(_)) => " and a.value < '' and a.value >= ?",
        (_, None) if greater => " and a.value < x'' and a.value >= ?",
        _ => " and a.value >= '' and a.value <= ?",
    });
    // Texts are cut.
    seek.exact = number.is_some();
    seek.values.push(number.unwrap_or_else(|| {
        let end = if greater { text.floor_char_boundary(BOUND_TEXT) } else { text.len() };
        Value::Text(text.get(..end).unwrap_or_default().to_owned())
    }));
    Some(())
}
