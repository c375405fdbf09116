//! The index of attributes: new events as they are stored, earlier ones a few at a time when nothing waits, and dropped keys away.

use rusqlite::{Connection, OptionalExtension, Result, Statement, params};

use super::events::EventIds;
use crate::indexed::{IndexValue, IndexedKey};
use crate::prepare::PreparedEvent;
use crate::read::documents::{Documents, EventDocuments, WantedKey};

/// Events of one step, or values.
const STEP: i64 = 256;

pub(crate) struct Indexed<'c> {
    keys: Vec<i64>,
    insert: Statement<'c>,
}

impl<'c> Indexed<'c> {
    pub(crate) fn new(connection: &'c Connection, keys: &[IndexedKey]) -> Result<Self> {
        let insert = connection.prepare("insert into attribute_values (key, value, time, event) values (?, ?, ?, ?)")?;
        Ok(Indexed { keys: keys.iter().map(|key| key.id).collect(), insert })
    }

    /// Adds the values of a stored event.
    pub(crate) fn store(&mut self, prepared: &PreparedEvent, ids: &EventIds) -> Result<()> {
        for (place, value) in &prepared.indexed {
            if let Some(key) = self.keys.get(*place) {
                self.insert.execute(params![key, value, prepared.event.timestamp.0, ids.event])?;
            }
        }
        Ok(())
    }
}

/// What the index lacks, worked off in small transactions of its own between those of requests.
pub(crate) struct Upkeep<'c> {
    connection: &'c Connection,
    pending: bool,
}

impl<'c> Upkeep<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Upkeep { connection, pending: true }
    }

    /// Whether there may be something to do.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending
    }

    /// Does a little. After a failure the rest waits for the next start.
    pub(crate) fn step(&mut self) {
        match self.connection.unchecked_transaction().and_then(|transaction| {
            let more = step(&transaction)?;
            transaction.commit()?;
            Ok(more)
        }) {
            Ok(more) => self.pending = more,
            Err(error) => {
                tracing::warn!(error = %error, "store.index.failed");
                self.pending = false;
            }
        }
    }
}

/// False when nothing was left to do.
fn step(connection: &Connection) -> Result<bool> {
    let dropped: Option<i64> =
        connection.prepare_cached("select key from attribute_keys where dropped limit 1")?.query_row([], |row| row.get(0)).optional()?;
    if let Some(key) = dropped {
        take_away(connection, key)?;
        return Ok(true);
    }
    let sql = "select filled, target from attribute_keys where filled < target order by filled limit 1";
    let Some((filled, target)) = connection.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()? else {
        return Ok(false);
    };
    fill(connection, filled, target)?;
    Ok(true)
}

fn take_away(connection: &Connection, key: i64) -> Result<()> {
    let sql = "delete from attribute_values where key = ?1 and (value, time, event) in (
                   select value, time, event from attribute_values where key = ?1 limit ?2)";
    if connection.prepare_cached(sql)?.execute([key, STEP * 4])? == 0 {
        connection.execute("delete from attribute_keys where key = ?", [key])?;
        tracing::info!("store.index.removed");
    }
    Ok(())
}

/// Fills the next events in for all keys that have come as far as this.
fn fill(connection: &Connection, filled: i64, target: i64) -> Result<()> {
    let sql = "select k.key, s.text from attribute_keys k join strings s on s.id = k.key where k.filled = ?1 and k.target = ?2";
    let keys: Vec<WantedKey> = connection
        .prepare_cached(sql)?
        .query_map([filled, target], |row| Ok(WantedKey { id: Some(row.get(0)?), key: row.get::<_, String>(1)?.into() }))?
        .collect::<Result<_>>()?;
    let mut events = connection.prepare_cached(
        "select id, timestamp, attributes, context, derived from event_rows where id > ?1 and id <= ?2 order by id limit ?3",
    )?;
    let mut insert = connection.prepare_cached("insert into attribute_values (key, value, time, event) values (?, ?, ?, ?)")?;
    let mut documents = Documents::new(connection);
    let (mut last, mut count) = (filled, 0);
    let mut rows = events.query([filled, target, STEP])?;
    while let Some(row) = rows.next()? {
        (last, count) = (row.get(0)?, count + 1);
        let time: i64 = row.get(1)?;
        let event =
            EventDocuments { attributes: row.get_ref(2)?.as_str()?, context: row.get(3)?, derived: row.get_ref(4)?.as_str_or_null()? };
        let mut found = vec![None; keys.len()];
        documents.find(event, &keys, &mut found)?;
        for (key, json) in keys.iter().zip(&found) {
            if let Some(value) = json.as_deref().and_then(IndexValue::of) {
                insert.execute(params![key.id, value, time, last])?;
            }
        }
    }
    if count < STEP {
        last = target;
        tracing::info!(keys = keys.len(), events = target, "store.index.filled");
    }
    connection.execute("update attribute_keys set filled = ?1 where filled = ?2 and target = ?3", [last, filled, target])?;
    Ok(())
}
