//! When agents, sessions and traces were seen: folded over a transaction, then merged into their rows. Times are event times.

use std::collections::HashMap;

use rusqlite::{Connection, Result, Statement, params};
use telemetry_model::event::NULL_TRACE;
use telemetry_model::facts::Facts;

use super::events::EventIds;
use crate::prepare::PreparedEvent;

/// The span of time in which something was seen.
struct Seen {
    first: i64,
    last: i64,
    count: i64,
    stopped: Option<i64>,
    agent: i64,
    agent_text: Box<str>,
}

pub(crate) struct SeenRows<'c> {
    agents: HashMap<i64, Seen>,
    environments: HashMap<(i64, i64), i64>,
    sessions: HashMap<i64, Seen>,
    traces: HashMap<i64, Seen>,
    merge_agent: Statement<'c>,
    merge_environment: Statement<'c>,
    extend_session: Statement<'c>,
    merge_session: Statement<'c>,
    extend_trace: Statement<'c>,
    merge_trace: Statement<'c>,
}

impl<'c> SeenRows<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Result<Self> {
        Ok(SeenRows {
            agents: HashMap::new(),
            environments: HashMap::new(),
            sessions: HashMap::new(),
            traces: HashMap::new(),
            merge_agent: connection.prepare(
                "insert into agent_rows (agent, first_seen, last_seen, event_count) values (?, ?, ?, ?)
                 on conflict (agent) do update set
                     first_seen = min(first_seen, excluded.first_seen),
                     last_seen = max(last_seen, excluded.last_seen),
                     event_count = event_count + excluded.event_count",
            )?,
            merge_environment: connection.prepare(
                "insert into agent_environments (agent, environment, last_seen) values (?, ?, ?)
                 on conflict (agent, environment) do update set last_seen = excluded.last_seen where excluded.last_seen > last_seen",
            )?,
            // The common case, which touches no index: it began before.
            extend_session: connection.prepare(
                "update session_rows set
                     end_time = max(end_time, ?3),
                     event_count = event_count + ?4,
                     stopped_at = max(coalesce(stopped_at, ?5), coalesce(?5, stopped_at))
                 where session = ?1 and start_time < ?2",
            )?,
            extend_trace: connection.prepare(
                "update trace_rows set
                     end_time = max(end_time, ?3),
                     event_count = event_count + ?4,
                     stopped_at = max(coalesce(stopped_at, ?5), coalesce(?5, stopped_at))
                 where trace = ?1 and start_time < ?2",
            )?,
            merge_session: connection.prepare(
                "insert into session_rows (session, agent, start_time, end_time, event_count, stopped_at) values (?, ?, ?, ?, ?, ?)
                 on conflict (session) do update set
                     agent = case when excluded.start_time < start_time
                                  or (excluded.start_time = start_time and (select s.text from strings s where s.id = excluded.agent)
                                                                         < (select s.text from strings s where s.id = agent))
                             then excluded.agent else agent end,
                     start_time = min(start_time, excluded.start_time),
                     end_time = max(end_time, excluded.end_time),
                     event_count = event_count + excluded.event_count,
                     stopped_at = max(coalesce(stopped_at, excluded.stopped_at), coalesce(excluded.stopped_at, stopped_at))",
            )?,
            merge_trace: connection.prepare(
                "insert into trace_rows (trace, agent, start_time, end_time, event_count, stopped_at) values (?, ?, ?, ?, ?, ?)
                 on conflict (trace) do update set
                     agent = case when excluded.start_time < start_time
                                  or (excluded.start_time = start_time and (select s.text from strings s where s.id = excluded.agent)
                                                                         < (select s.text from strings s where s.id = agent))
                             then excluded.agent else agent end,
                     start_time = min(start_time, excluded.start_time),
                     end_time = max(end_time, excluded.end_time),
                     event_count = event_count + excluded.event_count,
                     stopped_at = max(coalesce(stopped_at, excluded.stopped_at), coalesce(excluded.stopped_at, stopped_at))",
            )?,
        })
    }

    /// Takes note of one stored event.
    pub(crate) fn note(&mut self, prepared: &PreparedEvent, ids: &EventIds) {
        let time = prepared.event.timestamp.0;
        let stopped = matches!(prepared.facts, Facts::Stop).then_some(time);
        let agent = (ids.agent, &*prepared.event.agent_id);
        fold(&mut self.agents, ids.agent, time, None, agent);
        if let Some(session) = ids.session {
            fold(&mut self.sessions, session, time, stopped, agent);
        }
        if let Some(trace) = ids.trace
            && prepared.event.trace_id.as_deref().is_some_and(|id| !id.is_empty() && id != NULL_TRACE)
        {
            fold(&mut self.traces, trace, time, stopped, agent);
        }
        if let Some(environment) = ids.environment {
            let last = self.environments.entry((ids.agent, environment)).or_insert(time);
            *last = (*last).max(time);
        }
    }

    /// Merges what was noted into the rows.
    pub(crate) fn flush(&mut self) -> Result<()> {
        for (agent, seen) in self.agents.drain() {
            self.merge_agent.execute(params![agent, seen.first, seen.last, seen.count])?;
        }
        for ((agent, environment), last) in self.environments.drain() {
            self.merge_environment.execute(params![agent, environment, last])?;
        }
        for (session, seen) in self.sessions.drain() {
            if self.extend_session.execute(params![session, seen.first, seen.last, seen.count, seen.stopped])? == 0 {
                self.merge_session.execute(params![session, seen.agent, seen.first, seen.last, seen.count, seen.stopped])?;
            }
        }
        for (trace, seen) in self.traces.drain() {
            if self.extend_trace.execute(params![trace, seen.first, seen.last, seen.count, seen.stopped])? == 0 {
                self.merge_trace.execute(params![trace, seen.agent, seen.first, seen.last, seen.count, seen.stopped])?;
            }
        }
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.agents.clear();
        self.environments.clear();
        self.sessions.clear();
        self.traces.clear();
    }
}

fn fold(rows: &mut HashMap<i64, Seen>, id: i64, time: i64, stopped: Option<i64>, (agent, text): (i64, &str)) {
    let Some(seen) = rows.get_mut(&id) else {
        rows.insert(id, Seen { first: time, last: time, count: 1, stopped, agent, agent_text: text.into() });
        return;
    };
    // The agent is that of the earliest event; of two at one time the lesser name's, so that no order of arrival matters.
    if time < seen.first || (time == seen.first && text < &*seen.agent_text) {
        seen.agent = agent;
        seen.agent_text = text.into();
    }
    seen.first = seen.first.min(time);
    seen.last = seen.last.max(time);
    seen.count += 1;
    seen.stopped = seen.stopped.max(stopped);
}
