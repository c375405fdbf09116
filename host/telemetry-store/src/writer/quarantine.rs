//! What was refused.

use rusqlite::{Connection, Result, Statement, params};

use crate::item::{QuarantineEntry, QuarantinedBody};

pub(crate) struct Quarantine<'c> {
    insert: Statement<'c>,
}

impl<'c> Quarantine<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Result<Self> {
        Ok(Quarantine {
            insert: connection.prepare(
                "insert into quarantine (received_at, source, name, agent_id, reasons, body_kind, body, digest, size)
                 values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?,
        })
    }

    /// Keeps `entry`; its id.
    pub(crate) fn store(&mut self, entry: &QuarantineEntry) -> Result<i64> {
        let reasons = serde_json::to_string(&entry.reasons).unwrap_or_default();
        let (kind, body, digest, size) = match &entry.body {
            QuarantinedBody::Json(json) => ("json", Some(json.as_str()), None, json.as_str().len() as i64),
            QuarantinedBody::Text { text, digest, size } => ("text", Some(&**text), Some(*digest), bytes(*size)),
            QuarantinedBody::Digest { digest, size } => ("digest", None, Some(*digest), bytes(*size)),
        };
        let digest = digest.map(|digest| digest.to_string());
        self.insert.insert(params![entry.received_at.0, entry.source, entry.name, entry.agent_id, reasons, kind, body, digest, size])
    }
}

fn bytes(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
