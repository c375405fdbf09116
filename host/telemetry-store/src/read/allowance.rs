//! What one answer may take of memory while it is built: told before, and asked for when it does not do.

use rusqlite::{Row, Rows};

use super::Snapshot;
use crate::error::StoreError;

/// Bytes of text after which a listing is refused: its pages are numbered, so they cannot end early.
const LIST_BYTES: u64 = 16 << 20;
/// Times that listed text is in memory at once: as a row, as a JSON value, as an answer, and what the answer grew out of.
const LIST_COPIES: u64 = 4;
/// What a row takes beside its text.
const ROW_BYTES: u64 = 300;

impl Snapshot {
    /// The same, refusing with [`StoreError::Needs`] what takes more than `bytes` of memory until it is a JSON answer. Without
    /// this call nothing is refused.
    #[must_use]
    pub fn within(mut self, bytes: u64) -> Self {
        self.allowance = bytes;
        self
    }

    /// Passes when `bytes` are allowed.
    pub(super) fn admit(&self, bytes: u64) -> Result<(), StoreError> {
        if bytes > self.allowance { Err(StoreError::Needs { bytes }) } else { Ok(()) }
    }

    /// What a listing may still take.
    pub(super) fn meter(&self) -> Meter {
        Meter(LIST_BYTES.min(self.allowance / LIST_COPIES))
    }

    /// A listing that was kept within its [`Meter`], or why it was not.
    pub(super) fn metered<T>(&self, listing: Option<T>) -> Result<T, StoreError> {
        let most = LIST_BYTES * LIST_COPIES;
        match listing {
            Some(listing) => Ok(listing),
            None if self.allowance >= most => Err(StoreError::TooLarge { limit: LIST_BYTES }),
            None => Err(StoreError::Needs { bytes: self.allowance.saturating_mul(8).min(most) }),
        }
    }
}

/// Bytes of text that a listing may still have.
pub(super) struct Meter(u64);

impl Meter {
    /// Every row through `map`; `None` as soon as they are too large.
    pub(super) fn collect<T>(
        &mut self,
        rows: &mut Rows<'_>,
        mut map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<Vec<T>>> {
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let Some(left) = self.0.checked_sub(ROW_BYTES + text_bytes(row)?) else { return Ok(None) };
            self.0 = left;
            all.push(map(row)?);
        }
        Ok(Some(all))
    }
}

fn text_bytes(row: &Row<'_>) -> rusqlite::Result<u64> {
    let columns = row.as_ref().column_count();
    (0..columns).map(|column| Ok(row.get_ref(column)?.as_bytes_or_null().ok().flatten().map_or(0, <[u8]>::len) as u64)).sum()
}
