//! Events as JSON texts, from a file or a database.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use telemetry_model::Timestamp;
use telemetry_store::{AttributeMap, EventQuery, Store, StoredEvent};

/// Events of one page of a database.
const PAGE: u32 = 500;

/// The lines of a file that are not empty.
pub(super) fn of_file(path: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let bytes = std::fs::read(path).with_context(|| format!("reading `{}`", path.display()))?;
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.trim_ascii().to_vec());
    Ok(lines.filter(|line| !line.is_empty()).collect())
}

/// All events of a database, earliest first, as they were sent.
pub(super) fn of_store(store: &Store) -> anyhow::Result<Vec<Vec<u8>>> {
    let snapshot = store.snapshot()?;
    let mut query = EventQuery { ascending: true, limit: PAGE, ..EventQuery::default() };
    let mut events = Vec::new();
    loop {
        let page = snapshot.events(&query)?;
        for event in &page.events {
            events.push(as_sent(event)?);
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(events),
        }
    }
}

/// What a client would send to have `event` stored so.
pub(crate) fn as_sent(event: &StoredEvent) -> anyhow::Result<Vec<u8>> {
    let sent = Sent {
        name: &event.name,
        timestamp: event.timestamp,
        level: &event.level,
        agent_id: &event.agent_id,
        schema_version: event.schema_version.as_deref(),
        trace_id: event.trace_id.as_deref(),
        span_id: event.span_id.as_deref(),
        parent_span_id: event.parent_span_id.as_deref(),
        channel: event.channel.as_deref(),
        attributes: &event.attributes,
    };
    serde_json::to_vec(&sent).context("reading a stored event")
}

/// An event on the wire.
#[derive(Serialize)]
struct Sent<'a> {
    name: &'a str,
    timestamp: Timestamp,
    level: &'a str,
    agent_id: &'a str,
    schema_version: Option<&'a str>,
    trace_id: Option<&'a str>,
    span_id: Option<&'a str>,
    parent_span_id: Option<&'a str>,
    channel: Option<&'a str>,
    attributes: &'a AttributeMap,
}
