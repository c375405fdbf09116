//! Interned strings.

use rusqlite::{Connection, Result, Statement};

use super::cache::Cache;

/// Longer strings are looked up each time: what the cache takes is bounded, whatever ids and keys clients make up.
const CACHED_LENGTH: usize = 256;

/// Gives strings their ids in `strings`.
pub(crate) struct Strings<'c> {
    connection: &'c Connection,
    cache: Cache<Box<str>, i64>,
    insert: Statement<'c>,
    find: Statement<'c>,
    read: Statement<'c>,
}

impl<'c> Strings<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Result<Self> {
        Ok(Strings {
            connection,
            cache: Cache::new(65_536),
            insert: connection.prepare("insert into strings (text) values (?) on conflict (text) do nothing")?,
            find: connection.prepare("select id from strings where text = ?")?,
            read: connection.prepare("select text from strings where id = ?")?,
        })
    }

    /// The id of `text`, stored if it is new.
    pub(crate) fn id(&mut self, text: &str) -> Result<i64> {
        if let Some(id) = self.cache.get(text) {
            return Ok(id);
        }
        let id = match self.insert.execute([text])? {
            0 => self.find.query_row([text], |row| row.get(0))?,
            _ => self.connection.last_insert_rowid(),
        };
        if text.len() <= CACHED_LENGTH {
            self.cache.insert(text.into(), id);
        }
        Ok(id)
    }

    /// The id of a text that may be missing.
    pub(crate) fn optional(&mut self, text: Option<&str>) -> Result<Option<i64>> {
        text.map(|text| self.id(text)).transpose()
    }

    /// The text of `id`.
    pub(crate) fn text(&mut self, id: i64) -> Result<String> {
        self.read.query_row([id], |row| row.get(0))
    }

    pub(crate) fn clear(&mut self) {
        self.cache.clear();
    }
}
