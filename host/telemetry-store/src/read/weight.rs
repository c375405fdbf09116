//! What events take of memory until they are a JSON answer, told from what is stored about their size.

use rusqlite::{Connection, OptionalExtension, Result};

/// Of the events of one answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weight {
    kept: u64,
    largest: u64,
    sent: u64,
}

/// Text of the largest event beside the event itself while it is put together: a content as a column, as a piece, and in the text
/// that grows.
const BUILDING: u64 = 3;
/// Of a small event: its strings, and the attributes that many events share.
const EVENT_BYTES: u64 = 2048;
/// An attribute whose value is a digit takes 12 bytes of its document; as key and value in memory it takes this many times that, and
/// while its event is put together so many times more. An event has few enough attributes that a longer document has longer values.
const KEPT: u64 = 8;
const SPREAD: u64 = 24;
const MANY_ATTRIBUTES: u64 = 2 << 20;
/// Bytes as sent after which a page ends.
const PAGE_BYTES: u64 = 16 << 20;

impl Weight {
    /// Adds an event; whether there is one.
    pub(super) fn add(&mut self, connection: &Connection, id: i64) -> Result<bool> {
        let sql = "select size, octet_length(attributes) from event_rows where id = ?1";
        let found = connection.prepare_cached(sql)?.query_row([id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
        let Some((size, document)) = found.optional()? else { return Ok(false) };
        let (size, document) = (size.unsigned_abs(), document.unsigned_abs().min(MANY_ATTRIBUTES));
        // As an event, and again as a part of the answer.
        self.kept += EVENT_BYTES + 2 * size + KEPT * document;
        self.largest = self.largest.max(BUILDING * size + SPREAD * document);
        self.sent += size;
        Ok(true)
    }

    /// Whether these are enough for a page.
    pub(super) fn is_a_page(&self) -> bool {
        self.sent >= PAGE_BYTES
    }

    /// The most bytes at once.
    pub(super) fn peak(&self) -> u64 {
        self.kept + self.largest
    }
}
