//! Security alerts: a row each. Their call is found by (trace, span) when they are read, so neither has to come first.

use rusqlite::{Connection, Result, Statement, params};
use telemetry_model::facts::SecurityAlertFacts;

use super::events::EventIds;
use super::strings::Strings;
use crate::prepare::PreparedEvent;

pub(crate) struct Alerts<'c> {
    insert: Statement<'c>,
}

impl<'c> Alerts<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Result<Self> {
        Ok(Alerts {
            insert: connection.prepare(
                "insert into security_alert_rows (
                     event_id, timestamp, trace, span, agent, session, kind, alert_level, category, severity, llm_vendor, description,
                     content_sample, detection_time, keywords)
                 values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?,
        })
    }

    pub(crate) fn store(
        &mut self,
        prepared: &PreparedEvent,
        facts: &SecurityAlertFacts,
        ids: &EventIds,
        strings: &mut Strings<'c>,
    ) -> Result<()> {
        self.insert.execute(params![
            ids.event,
            prepared.event.timestamp.0,
            ids.trace,
            prepared.event.span_id,
            ids.agent,
            ids.session,
            ids.kind,
            strings.optional(facts.alert_level.as_deref())?,
            strings.optional(facts.category.as_deref())?,
            strings.optional(facts.severity.as_deref())?,
            strings.optional(facts.llm_vendor.as_deref())?,
            facts.description,
            facts.content_sample,
            facts.detection_time.map(|time| time.0),
            facts.keywords.as_ref().map(|keywords| keywords.as_str()),
        ])?;
        Ok(())
    }
}
