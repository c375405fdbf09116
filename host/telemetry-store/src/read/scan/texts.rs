//! Texts behind ids, looked up once a scan instead of joined once a row, and the texts that name groups.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::hash::ByWord;
use super::sources::Lookup;

/// Texts seen by one scan: equal texts have one entry, and an entry never moves.
#[derive(Debug, Default)]
pub struct Texts {
    entries: Vec<Box<str>>,
    by_text: HashMap<Box<str>, u32>,
    bytes: usize,
}

impl Texts {
    /// The entry of `text`.
    pub fn intern(&mut self, text: &str) -> u32 {
        if let Some(entry) = self.by_text.get(text) {
            return *entry;
        }
        self.bytes += text.len();
        let entry = self.entries.len() as u32;
        self.entries.push(text.into());
        self.by_text.insert(text.into(), entry);
        entry
    }

    /// The text of an entry.
    pub fn get(&self, entry: u32) -> Option<&str> {
        self.entries.get(entry as usize).map(|text| &**text)
    }

    /// Bytes of all of them.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All entries.
    pub fn entries(&self) -> &[Box<str>] {
        &self.entries
    }
}

/// The texts of one column's ids.
#[derive(Debug)]
pub struct LookupColumn {
    lookup: Lookup,
    known: HashMap<i64, Option<u32>, ByWord>,
    last: Option<(i64, Option<u32>)>,
}

impl LookupColumn {
    /// Nothing is known yet.
    pub fn new(lookup: Lookup) -> Self {
        LookupColumn { lookup, known: HashMap::default(), last: None }
    }

    /// The entry of the text behind `id`; `None` when it has none.
    pub fn entry(&mut self, connection: &Connection, texts: &mut Texts, id: i64) -> rusqlite::Result<Option<u32>> {
        if let Some((last, entry)) = self.last
            && last == id
        {
            return Ok(entry);
        }
        let entry = match self.known.get(&id) {
            Some(entry) => *entry,
            None => {
                let text = find(connection, self.lookup, id)?;
                let entry = text.map(|text| texts.intern(&text));
                self.known.insert(id, entry);
                entry
            }
        };
        self.last = Some((id, entry));
        Ok(entry)
    }
}

fn find(connection: &Connection, lookup: Lookup, id: i64) -> rusqlite::Result<Option<String>> {
    let sql = match lookup {
        Lookup::String => "select text from strings where id = ?1",
        Lookup::KindName => "select name from event_kinds where id = ?1",
        Lookup::KindLevel => "select level from event_kinds where id = ?1",
        Lookup::KindSchemaVersion => "select schema_version from event_kinds where id = ?1",
        Lookup::KindChannel => "select channel from event_kinds where id = ?1",
        Lookup::KindFamily => "select family from event_kinds where id = ?1",
        Lookup::CallSpan => "select span from llm_call_rows where id = ?1",
        Lookup::Status => return Ok(Some(status(id).to_owned())),
    };
    let text: Option<Option<String>> = connection.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?;
    Ok(text.flatten())
}

/// The status behind `roles`: 1 it began, 2 it ended, 4 it failed.
pub fn status(roles: i64) -> &'static str {
    match roles {
        failed if failed & 4 != 0 => "error",
        ended if ended & 2 != 0 => "success",
        _ => "open",
    }
}
