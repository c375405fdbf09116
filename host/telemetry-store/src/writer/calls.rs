//! Model calls: the rows of `llm_call_rows`, gathered over a transaction.

use std::collections::HashMap;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Result, Statement, params};
use telemetry_model::facts::LlmCallFacts;

use super::correlated::{Correlated, integer, real, text};
use super::events::EventIds;
use super::merge::Rule;
use super::nodes::{MessageList, Nodes};
use super::strings::Strings;
use crate::prepare::PreparedEvent;

/// The merged fields, in the order of the columns `agent` to `total_tokens`.
const RULES: [Rule; 14] = [
    Rule::of_begin().interned(),
    Rule::of_begin().interned(),
    Rule::of_begin().interned(),
    Rule::of_begin().interned(),
    Rule::of_begin().interned(),
    Rule::of_begin(),
    Rule::of_end(),
    Rule::of_end(),
    Rule::of_end().greater(),
    Rule::of_end().interned(),
    Rule::of_error().interned(),
    Rule::of_end().greater(),
    Rule::of_end().greater(),
    Rule::of_end().greater(),
];

/// A call and its place in a conversation.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) row: Correlated,
    /// The messages that an event of this transaction brought, unless the stored ones stand.
    pub(crate) list: Option<MessageList>,
    /// `message_nodes.id` of the last message.
    pub(crate) messages: Option<i64>,
    /// (the first call's id, turn, link).
    pub(crate) conversation: Option<(i64, i64, i64)>,
    indexed: Option<Value>,
}

pub(crate) struct Calls<'c> {
    next_id: i64,
    /// Rows that were written.
    written: Vec<i64>,
    places: HashMap<(i64, Box<str>), usize>,
    touched: Vec<Call>,
    find: Statement<'c>,
    insert: Statement<'c>,
    update: Statement<'c>,
    update_indexed: Statement<'c>,
    last_id: Statement<'c>,
}

impl<'c> Calls<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Result<Self> {
        let mut calls = Calls {
            next_id: 1,
            written: Vec::new(),
            places: HashMap::new(),
            touched: Vec::new(),
            find: connection.prepare(
                "select id, event_id, trace, span, scope, roles, start_time, end_time, sources,
                        agent, session, vendor, model, request_type, request_timestamp, response_id, response_timestamp, duration_ms,
                        stop_reason, error_type, input_tokens, output_tokens, total_tokens, messages, conversation, turn, link
                 from llm_call_rows where trace = ? and span = ?",
            )?,
            insert: connection.prepare(
                "insert into llm_call_rows (
                     id, event_id, trace, span, scope, roles, start_time, end_time, sources,
                     agent, session, vendor, model, request_type, request_timestamp, response_id, response_timestamp, duration_ms,
                     stop_reason, error_type, input_tokens, output_tokens, total_tokens, messages, conversation, turn, link)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23,
                         ?24, ?25, ?26, ?27)",
            )?,
            update: connection.prepare(
                "update llm_call_rows set
                     event_id = ?2, roles = ?6, end_time = ?8, sources = ?9,
                     session = ?11, vendor = ?12, model = ?13, request_type = ?14, request_timestamp = ?15, response_id = ?16,
                     response_timestamp = ?17, duration_ms = ?18, stop_reason = ?19, error_type = ?20, input_tokens = ?21,
                     output_tokens = ?22, total_tokens = ?23
                 where id = ?1",
            )?,
            update_indexed: connection
                .prepare("update llm_call_rows set scope = ?2, start_time = ?3, agent = ?4, messages = ?5 where id = ?1")?,
            last_id: connection.prepare("select max(id) from llm_call_rows")?,
        };
        calls.clear()?;
        Ok(calls)
    }

    /// Forgets what was gathered and asks for the last id again.
    pub(crate) fn clear(&mut self) -> Result<()> {
        self.places.clear();
        self.touched.clear();
        self.written.clear();
        self.next_id = self.last_id.query_row([], |row| row.get::<_, Option<i64>>(0))?.unwrap_or(0) + 1;
        Ok(())
    }

    /// Takes what one event says of its call.
    pub(crate) fn note(
        &mut self,
        prepared: &PreparedEvent,
        facts: &LlmCallFacts,
        ids: &EventIds,
        strings: &mut Strings<'c>,
        nodes: &mut Nodes<'c>,
    ) -> Result<()> {
        let index = self.call(prepared, ids)?;
        let Some(call) = self.touched.get_mut(index) else { return Ok(()) };
        call.row.note(ids, prepared.event.timestamp.0, facts.role, facts.is_error);
        let values = values(facts, ids, strings)?;
        for (index, (value, rule)) in values.into_iter().zip(RULES).enumerate() {
            call.row.merged.offer(index, rule, facts.role, value, strings)?;
        }
        let list = MessageList::new(facts.messages.as_deref(), &prepared.message_hashes, prepared.event.size);
        let Some(list) = list else { return Ok(()) };
        let standing = match (&call.list, call.messages) {
            (Some(list), _) => Some(list.hash()),
            (None, Some(node)) => Some(nodes.hash(node)?),
            (None, None) => None,
        };
        // Of two lists of one call the one with the lesser digest stands, so that no order of arrival matters.
        if standing.is_none_or(|standing| list.hash() < standing) {
            call.list = Some(list);
        }
        Ok(())
    }

    fn call(&mut self, prepared: &PreparedEvent, ids: &EventIds) -> Result<usize> {
        let index = self.touched.len();
        let (Some((_, span)), Some(trace)) = (prepared.event.pairing(), ids.trace) else {
            let row = Correlated::new(self.next_id, ids.trace, None, RULES.len());
            return Ok(self.push(Call { row, list: None, messages: None, conversation: None, indexed: None }));
        };
        if let Some(known) = self.places.get(&(trace, span.into())) {
            return Ok(*known);
        }
        let found = self
            .find
            .query_row(params![trace, span], |row| {
                let conversation = match (row.get(24)?, row.get(25)?, row.get(26)?) {
                    (Some(first), Some(turn), Some(link)) => Some((first, turn, link)),
                    _ => None,
                };
                let correlated = Correlated::read(row, RULES.len())?;
                let indexed = correlated.merged.values.first().cloned();
                Ok(Call { row: correlated, list: None, messages: row.get(23)?, conversation, indexed })
            })
            .optional()?;
        let call = found.unwrap_or_else(|| Call {
            row: Correlated::new(self.next_id, Some(trace), Some(span), RULES.len()),
            list: None,
            messages: None,
            conversation: None,
            indexed: None,
        });
        self.places.insert((trace, span.into()), index);
        Ok(self.push(call))
    }

    fn push(&mut self, call: Call) -> usize {
        if call.row.stored.is_none() {
            self.next_id += 1;
        }
        self.touched.push(call);
        self.touched.len() - 1
    }

    /// The rows that were written since.
    pub(crate) fn take_written(&mut self) -> Vec<i64> {
        std::mem::take(&mut self.written)
    }

    /// What was gathered, to be written.
    pub(crate) fn take(&mut self) -> Vec<Call> {
        self.places.clear();
        std::mem::take(&mut self.touched)
    }

    /// Inserts or updates the row; the conversation of a stored one is written by whoever finds it anew.
    pub(crate) fn write(&mut self, call: &Call) -> Result<()> {
        let row = &call.row;
        let statement = if row.stored.is_none() { &mut self.insert } else { &mut self.update };
        let used = statement.parameter_count();
        let head: [Value; 9] = [
            row.id.into(),
            row.event.into(),
            row.trace.into(),
            row.span.as_deref().map(str::to_owned).into(),
            row.scope.into(),
            row.roles.into(),
            row.start.into(),
            row.end.into(),
            row.merged.sources.into(),
        ];
        let conversation = call.conversation;
        let tail: [Value; 4] = [
            call.messages.into(),
            conversation.map(|(first, ..)| first).into(),
            conversation.map(|(_, turn, _)| turn).into(),
            conversation.map(|(.., link)| link).into(),
        ];
        for (index, value) in head.iter().chain(&row.merged.values).chain(&tail).enumerate().take(used) {
            statement.raw_bind_parameter(index + 1, value)?;
        }
        statement.raw_execute()?;
        self.written.push(row.id);
        let agent = row.merged.values.first();
        if row.stored.is_some() && (row.has_moved() || call.list.is_some() || agent != call.indexed.as_ref()) {
            self.update_indexed.execute(params![row.id, row.scope, row.start, agent, call.messages])?;
        }
        Ok(())
    }
}

fn values(facts: &LlmCallFacts, ids: &EventIds, strings: &mut Strings<'_>) -> Result<[Value; 14]> {
    let mut interned = |value: Option<&str>| strings.optional(value).map(integer);
    Ok([
        Value::Integer(ids.agent),
        integer(ids.session),
        interned(facts.vendor.as_deref())?,
        interned(facts.model.as_deref())?,
        interned(facts.request_type.as_deref())?,
        integer(facts.request_timestamp.map(|time| time.0)),
        text(facts.response_id.as_deref()),
        integer(facts.response_timestamp.map(|time| time.0)),
        real(facts.duration_ms),
        interned(facts.stop_reason.as_deref())?,
        interned(facts.error_type.as_deref())?,
        integer(facts.input_tokens),
        integer(facts.output_tokens),
        integer(facts.total_tokens),
    ])
}
