//! Values that stand in for what some plugins wrote of some rows: what other versions of them would have written.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use rusqlite::Connection;
use telemetry_model::Relation;

use super::plan::{Plan, versions_of};
use crate::read::documents::{Documents, EventDocuments};

/// More memory than this, about, is not taken.
const MOST_BYTES: usize = 64 << 20;
/// What a row and one of its values take beside the text, about.
const ROW_BYTES: usize = 48;
const VALUE_BYTES: usize = 24;

/// What a row has: keys by their place in [`Instead::keys`], and the JSON.
type Values = Box<[(usize, Rc<str>)]>;

/// Attributes by row. A row that is not in it has what is stored; of one that is, nothing counts that `plugins` wrote.
#[derive(Debug)]
pub struct Instead {
    relation: Relation,
    plugins: Vec<Box<str>>,
    keys: Vec<Box<str>>,
    rows: HashMap<i64, Values>,
    texts: HashSet<Rc<str>>,
    bytes: usize,
}

impl Instead {
    /// Nothing yet, of rows of `relation`: events, or calls or executions. Only values under `keys` are kept.
    pub fn new(relation: Relation, plugins: &[&str], keys: impl IntoIterator<Item = Box<str>>) -> Self {
        let plugins = plugins.iter().map(|id| (*id).into()).collect();
        Instead { relation, plugins, keys: keys.into_iter().collect(), rows: HashMap::new(), texts: HashSet::new(), bytes: 0 }
    }

    /// The attributes of a row: keys and JSON texts. False, and nothing is kept, when they would take more than 64 MiB in all.
    pub fn put<'v>(&mut self, row: i64, values: impl Iterator<Item = (&'v str, &'v str)>) -> bool {
        let mut kept = Vec::new();
        for (key, json) in values {
            let Some(place) = self.keys.iter().position(|known| **known == *key) else { continue };
            kept.push((place, self.text(json)));
        }
        self.bytes += ROW_BYTES + kept.len() * VALUE_BYTES;
        if self.bytes > MOST_BYTES {
            return false;
        }
        self.rows.insert(row, kept.into());
        true
    }

    /// Equal texts are kept once.
    fn text(&mut self, json: &str) -> Rc<str> {
        if let Some(known) = self.texts.get(json) {
            return Rc::clone(known);
        }
        let text: Rc<str> = json.into();
        self.bytes += json.len() + VALUE_BYTES;
        self.texts.insert(Rc::clone(&text));
        text
    }
}

/// A row's event, or a call or execution itself: what wrote attributes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// An enricher over events, of the event of this id.
    Event(i64),
    /// An enricher over calls or executions, of the row of this id.
    Row(i64),
}

/// Reads documents with [`Instead`].
pub struct StandIn<'c> {
    instead: &'c Instead,
    documents: Documents<'c>,
    /// For each of the plan's keys its place among those of `instead`.
    places: Vec<Option<usize>>,
    of_events: bool,
}

impl<'c> StandIn<'c> {
    /// For the keys of `plan`.
    pub fn new(connection: &'c Connection, plan: &Plan, instead: &'c Instead) -> rusqlite::Result<Self> {
        let plugins: Vec<&str> = instead.plugins.iter().map(|id| &**id).collect();
        let documents = Documents::without(connection, versions_of(connection, &plugins)?);
        let place = |key: &str| instead.keys.iter().position(|known| **known == *key);
        let places = plan.keys.iter().map(|wanted| place(&wanted.key)).collect();
        Ok(StandIn { instead, documents, places, of_events: instead.relation == Relation::Events })
    }

    /// [`Documents::find`] with what stands in; false when what is stored counts for this row.
    pub fn find(
        &mut self,
        written: Written,
        event: EventDocuments<'_>,
        plan: &Plan,
        found: &mut [Option<Rc<str>>],
    ) -> rusqlite::Result<bool> {
        let row = match (written, self.of_events) {
            (Written::Event(id), true) | (Written::Row(id), false) => self.instead.rows.get(&id),
            _ => None,
        };
        let Some(values) = row else { return Ok(false) };
        self.documents.find(event, &plan.keys, found)?;
        for (place, wanted) in found.iter_mut().zip(&self.places) {
            let value = values.iter().find(|(key, json)| Some(*key) == *wanted && &**json != "null");
            if let (None, Some((_, json))) = (&place, value) {
                *place = Some(Rc::clone(json));
            }
        }
        Ok(true)
    }
}
