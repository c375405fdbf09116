//! The values of indexed attributes of a window's events, read at once: for groups, which need no more of an event.

use std::collections::HashMap;
use std::rc::Rc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params};
use telemetry_model::JsonText;
use telemetry_model::query::Window;

use super::hash::ByWord;
use super::plan::Plan;
use crate::indexed::WHOLE_TEXT;

/// More values than this are not held in memory.
const MOST_VALUES: usize = 1 << 20;
/// More different values than this are read in one go, whatever the window.
const MOST_DIFFERENT: usize = 4_096;

/// By event.
#[derive(Debug)]
pub struct IndexedValues {
    window: Window,
    keys: Vec<KeyValues>,
}

/// The values of one key.
#[derive(Debug, Default)]
struct KeyValues {
    events: HashMap<i64, u32, ByWord>,
    /// As JSON; `None`: the index does not tell how it was sent.
    values: Vec<Option<Rc<str>>>,
}

impl IndexedValues {
    /// Of the plan's keys; `None` when there are too many.
    pub fn read(connection: &Connection, plan: &Plan) -> rusqlite::Result<Option<Self>> {
        let mut keys = Vec::with_capacity(plan.keys.len());
        for key in &plan.keys {
            let Some(id) = key.id else { return Ok(None) };
            let Some(values) = KeyValues::read(connection, id, plan.window)? else { return Ok(None) };
            keys.push(values);
        }
        Ok(Some(IndexedValues { window: plan.window, keys }))
    }

    /// Whether the events of this time are in it.
    pub fn covers(&self, time: i64) -> bool {
        self.window.from.is_none_or(|from| from.0 <= time) && self.window.to.is_none_or(|to| time < to.0)
    }

    /// Fills the places that are empty; false when the event's document must be read.
    pub fn find(&self, event: i64, found: &mut [Option<Rc<str>>]) -> bool {
        for (key, place) in self.keys.iter().zip(found) {
            if place.is_some() {
                continue;
            }
            let Some(value) = key.events.get(&event) else { continue };
            match key.values.get(*value as usize) {
                Some(Some(json)) => *place = Some(Rc::clone(json)),
                _ => return false,
            }
        }
        true
    }
}

impl KeyValues {
    fn read(connection: &Connection, key: i64, window: Window) -> rusqlite::Result<Option<Self>> {
        let mut values = KeyValues::default();
        let bounded = window.from.is_some() || window.to.is_some();
        if bounded && values.read_window(connection, key, window)? {
            return Ok((values.events.len() <= MOST_VALUES).then_some(values));
        }
        let mut values = KeyValues::default();
        let mut statement = connection.prepare_cached("select value, event from attribute_values where key = ?1 order by value")?;
        let mut rows = statement.query([key])?;
        let mut last: Option<rusqlite::types::Value> = None;
        while let Some(row) = rows.next()? {
            let value = row.get_ref(0)?;
            if last.as_ref().is_none_or(|last| ValueRef::from(last) != value) {
                values.values.push(json(value));
                last = Some(value.try_into()?);
            }
            values.events.insert(row.get(1)?, values.values.len() as u32 - 1);
            if values.events.len() > MOST_VALUES {
                return Ok(None);
            }
        }
        Ok(Some(values))
    }

    /// Value by value, each from its first event in the window on; false when there are too many different ones.
    fn read_window(&mut self, connection: &Connection, key: i64, window: Window) -> rusqlite::Result<bool> {
        let (from, to) = (window.from.map_or(i64::MIN, |from| from.0), window.to.map_or(i64::MAX, |to| to.0));
        let mut first = connection.prepare_cached("select value from attribute_values where key = ?1 order by value limit 1")?;
        let mut next =
            connection.prepare_cached("select value from attribute_values where key = ?1 and value > ?2 order by value limit 1")?;
        let mut events = connection
            .prepare_cached("select event, value from attribute_values where key = ?1 and value = ?2 and time >= ?3 and time < ?4")?;
        let mut value: Option<rusqlite::types::Value> = first.query_row([key], |row| row.get(0)).optional()?;
        while let Some(at) = value {
            if self.values.len() >= MOST_DIFFERENT {
                return Ok(false);
            }
            // An integer and a real may be equal; of the real the spelling is unknown.
            let first = self.values.len() as u32;
            self.values.extend([json(ValueRef::from(&at)), None]);
            let mut rows = events.query(params![key, at, from, to])?;
            while let Some(row) = rows.next()? {
                let value = row.get_ref(1)?;
                let is_told = value == ValueRef::from(&at);
                if !is_told && self.values.get(first as usize).is_some_and(Option::is_none) {
                    // The real came first.
                    if let Some(slot) = self.values.get_mut(first as usize + 1) {
                        *slot = json(value);
                    }
                }
                self.events.insert(row.get(0)?, first + u32::from(!is_told));
            }
            if self.events.len() > MOST_VALUES {
                return Ok(true);
            }
            value = next.query_row(params![key, at], |row| row.get(0)).optional()?;
        }
        Ok(true)
    }
}

/// The JSON that groups and compares as what was sent; `None` when the index cannot tell.
fn json(value: ValueRef<'_>) -> Option<Rc<str>> {
    match value {
        ValueRef::Integer(integer) => Some(JsonText::integer(integer).into_inner().into()),
        ValueRef::Text(text) if text.len() <= WHOLE_TEXT => Some(JsonText::string(std::str::from_utf8(text).ok()?).into_inner().into()),
        ValueRef::Blob(json) if json.len() <= WHOLE_TEXT => Some(std::str::from_utf8(json).ok()?.into()),
        _ => None,
    }
}
