//! One event into `event_rows`.

use rusqlite::{Connection, OptionalExtension, Result, Statement, params};
use telemetry_model::DigestKey;

use super::shared_rows::SharedRows;
use super::strings::Strings;
use crate::prepare::PreparedEvent;

/// The ids that an event's row shares with what is derived from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventIds {
    pub(crate) event: i64,
    pub(crate) kind: i64,
    pub(crate) agent: i64,
    pub(crate) session: Option<i64>,
    pub(crate) trace: Option<i64>,
    pub(crate) environment: Option<i64>,
}

/// Stored now, or before.
pub(crate) enum Stored {
    New(EventIds),
    Duplicate(i64),
}

pub(crate) struct Events<'c> {
    shared: SharedRows<'c>,
    content_ids: Vec<i64>,
    attributes: String,
    derived: String,
    extra: String,
    insert: Statement<'c>,
    find_duplicate: Statement<'c>,
}

impl<'c> Events<'c> {
    pub(crate) fn new(connection: &'c Connection, key: &'c DigestKey) -> Result<Self> {
        Ok(Events {
            shared: SharedRows::new(connection, key)?,
            content_ids: Vec::new(),
            attributes: String::new(),
            derived: String::new(),
            extra: String::new(),
            insert: connection.prepare(
                "insert into event_rows (
                     timestamp, received_at, kind, agent, session, trace, span, parent_span, context, runs, size, attribute_count,
                     idempotency_key, flags, extra, derived, attributes, is_error)
                 values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?,
            find_duplicate: connection.prepare("select id from event_rows where agent = ? and idempotency_key = ?")?,
        })
    }

    /// The rows that events share.
    pub(crate) fn shared(&mut self) -> &mut SharedRows<'c> {
        &mut self.shared
    }

    pub(crate) fn clear(&mut self) {
        self.shared.clear();
    }

    /// Inserts the row, unless its agent sent its idempotency key before.
    pub(crate) fn store(&mut self, prepared: &PreparedEvent, strings: &mut Strings<'c>) -> Result<Stored> {
        let event = &prepared.event;
        let agent = strings.id(&event.agent_id)?;
        if let Some(key) = &event.idempotency_key {
            let first = self.find_duplicate.query_row(params![agent, key], |row| row.get(0)).optional()?;
            if let Some(first) = first {
                return Ok(Stored::Duplicate(first));
            }
        }
        let kind = self.shared.kind(event)?;
        let session = strings.optional(event.session_id.as_deref())?;
        let trace = strings.optional(event.trace_id.as_deref())?;
        let (context, environment) = match &prepared.context {
            Some(context) => self.shared.context(context, strings).map(|(id, environment)| (Some(id), environment))?,
            None => (None, None),
        };
        let runs = self.shared.runs(&prepared.runs)?;
        self.documents(prepared, strings)?;
        let id = self.insert.insert(params![
            event.timestamp.0,
            prepared.received_at.0,
            kind,
            agent,
            session,
            trace,
            event.span_id,
            event.parent_span_id,
            context,
            runs,
            event.size,
            prepared.attribute_count as i64,
            event.idempotency_key,
            prepared.flags,
            prepared.extra.as_ref().map(|_| &self.extra),
            prepared.derived.as_ref().map(|_| &self.derived),
            self.attributes,
            event.is_error().then_some(1),
        ])?;
        Ok(Stored::New(EventIds { event: id, kind, agent, session, trace, environment }))
    }

    fn documents(&mut self, prepared: &PreparedEvent, strings: &mut Strings<'c>) -> Result<()> {
        let ids = &mut self.content_ids;
        self.shared.contents(&prepared.contents, ids)?;
        self.shared.document(&prepared.attributes, prepared, ids, strings, &mut self.attributes)?;
        if let Some(document) = &prepared.derived {
            self.shared.document(document, prepared, ids, strings, &mut self.derived)?;
        }
        if let Some(document) = &prepared.extra {
            self.shared.document(document, prepared, ids, strings, &mut self.extra)?;
        }
        Ok(())
    }
}
