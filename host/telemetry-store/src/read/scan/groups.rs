//! Dense ids for the combinations of bucket and values that a scan meets.

use std::collections::HashMap;

use telemetry_model::Timestamp;
use telemetry_model::query::{GroupKey, GroupValue};

use super::hash::ByWord;
use super::texts::Texts;

/// A value by the entry of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A text.
    Text(u32),
    /// The JSON text of anything else.
    Json(u32),
}

/// The groups met so far.
#[derive(Debug)]
pub struct Groups {
    bucketed: bool,
    limit: usize,
    ids: HashMap<Box<[i64]>, u32, ByWord>,
    keys: Vec<Box<[i64]>>,
    /// The key of the row at hand: the bucket if there is one, then a code a value.
    key: Vec<i64>,
    last: Option<u32>,
}

/// The code of an absent value. Others are twice the entry of their text, and one more when that is JSON.
const ABSENT: i64 = -1;

impl Groups {
    /// At most `limit` groups.
    pub fn new(bucketed: bool, limit: usize) -> Self {
        Groups { bucketed, limit, ids: HashMap::default(), keys: Vec::new(), key: Vec::new(), last: None }
    }

    /// Begins the key of a row.
    pub fn begin(&mut self) {
        self.key.clear();
    }

    /// Adds the bucket.
    pub fn bucket(&mut self, bucket: Timestamp) {
        self.key.push(bucket.0);
    }

    /// Adds a value by the entry of its text.
    pub fn value(&mut self, value: Option<Entry>) {
        self.key.push(value.map_or(ABSENT, |value| match value {
            Entry::Text(entry) => i64::from(entry) * 2,
            Entry::Json(entry) => i64::from(entry) * 2 + 1,
        }));
    }

    /// The group of the row; `None` when that would be one too many.
    pub fn id(&mut self) -> Option<u32> {
        if let Some(last) = self.last
            && self.keys.get(last as usize).is_some_and(|key| **key == *self.key)
        {
            return Some(last);
        }
        let id = match self.ids.get(&*self.key) {
            Some(id) => *id,
            None if self.keys.len() >= self.limit => return None,
            None => {
                let id = self.keys.len() as u32;
                let key: Box<[i64]> = self.key.as_slice().into();
                self.keys.push(key.clone());
                self.ids.insert(key, id);
                id
            }
        };
        self.last = Some(id);
        Some(id)
    }

    /// How many there are.
    pub fn len(&self) -> u32 {
        self.keys.len() as u32
    }

    /// The key of each, in order of their ids.
    pub fn into_keys(self, texts: &Texts) -> Vec<GroupKey> {
        let mut shared: HashMap<i64, GroupValue, ByWord> = HashMap::default();
        let mut text = |code: &i64| {
            if let Some(known) = shared.get(code) {
                return Some(known.clone());
            }
            let text = texts.get(u32::try_from(*code / 2).ok().filter(|_| *code != ABSENT)?)?.into();
            let value = if *code % 2 == 0 { GroupValue::Text(text) } else { GroupValue::Json(text) };
            shared.insert(*code, value.clone());
            Some(value)
        };
        let keys = self.keys.iter().map(|key| match key.split_first() {
            Some((bucket, values)) if self.bucketed => {
                GroupKey { bucket: Some(Timestamp(*bucket)), values: values.iter().map(&mut text).collect() }
            }
            _ => GroupKey { bucket: None, values: key.iter().map(&mut text).collect() },
        });
        keys.collect()
    }
}
