//! Tool executions: the rows of `tool_execution_rows`, gathered over a transaction.

use std::collections::HashMap;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Result, Statement, params};
use telemetry_model::Digest;
use telemetry_model::facts::ToolExecutionFacts;

use super::correlated::{Correlated, integer, real, text};
use super::events::EventIds;
use super::merge::Rule;
use super::strings::Strings;
use crate::prepare::PreparedEvent;

/// The merged fields, in the order of the columns `agent` to `arguments_digest`.
const RULES: [Rule; 9] = [
    Rule::of_begin().interned(),
    Rule::of_begin().interned(),
    Rule::of_begin().interned(),
    Rule::of_begin(),
    Rule::of_begin().interned(),
    Rule::of_end().interned(),
    Rule::of_end().greater(),
    Rule::of_error().interned(),
    Rule::of_begin(),
];
const TOOL_NAME: usize = 2;
const ARGUMENTS: usize = 8;

/// An execution and its place in a conversation.
#[derive(Clone, Debug)]
pub(crate) struct Execution {
    pub(crate) row: Correlated,
    /// `llm_call_rows.id` of the conversation's first call.
    pub(crate) conversation: Option<i64>,
    /// The n-th of the same tool and arguments in the conversation, from 1.
    pub(crate) repeat: Option<i64>,
    indexed: Option<[Value; 3]>,
}

impl Execution {
    /// `strings.id` of the tool's name.
    pub(crate) fn tool(&self) -> &Value {
        self.row.merged.values.get(TOOL_NAME).unwrap_or(&Value::Null)
    }

    /// The keyed digest of the arguments.
    pub(crate) fn arguments(&self) -> &Value {
        self.row.merged.values.get(ARGUMENTS).unwrap_or(&Value::Null)
    }

    /// Whether it is stored and what its place or its count rests on has changed since.
    pub(crate) fn has_moved(&self) -> bool {
        self.row.has_moved()
            || self.indexed.as_ref().is_some_and(|[_, tool, arguments]| tool != self.tool() || arguments != self.arguments())
    }
}

pub(crate) struct Executions<'c> {
    next_id: i64,
    /// Rows that were written.
    written: Vec<i64>,
    places: HashMap<(i64, Box<str>), usize>,
    touched: Vec<Execution>,
    find: Statement<'c>,
    insert: Statement<'c>,
    update: Statement<'c>,
    update_indexed: Statement<'c>,
    last_id: Statement<'c>,
    last_repeat: Statement<'c>,
}

impl<'c> Executions<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Result<Self> {
        let mut executions = Executions {
            next_id: 1,
            written: Vec::new(),
            places: HashMap::new(),
            touched: Vec::new(),
            find: connection.prepare(
                "select id, event_id, trace, span, scope, roles, start_time, end_time, sources,
                        agent, session, tool_name, tool_id, framework, result_type, duration_ms, error_type, arguments_digest,
                        conversation, repeat
                 from tool_execution_rows where trace = ? and span = ?",
            )?,
            insert: connection.prepare(
                "insert into tool_execution_rows (
                     id, event_id, trace, span, scope, roles, start_time, end_time, sources,
                     agent, session, tool_name, tool_id, framework, result_type, duration_ms, error_type, arguments_digest,
                     conversation, repeat)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
            )?,
            update: connection.prepare(
                "update tool_execution_rows set
                     event_id = ?2, roles = ?6, end_time = ?8, sources = ?9,
                     session = ?11, tool_id = ?13, framework = ?14, result_type = ?15, duration_ms = ?16, error_type = ?17
                 where id = ?1",
            )?,
            update_indexed: connection.prepare(
                "update tool_execution_rows set scope = ?2, start_time = ?3, agent = ?4, tool_name = ?5, arguments_digest = ?6
                 where id = ?1",
            )?,
            last_id: connection.prepare("select max(id) from tool_execution_rows")?,
            last_repeat: connection.prepare(
                "select max(repeat) from tool_execution_rows where conversation = ? and tool_name is ? and arguments_digest = ?",
            )?,
        };
        executions.clear()?;
        Ok(executions)
    }

    /// Forgets what was gathered and asks for the last id again.
    pub(crate) fn clear(&mut self) -> Result<()> {
        self.places.clear();
        self.touched.clear();
        self.written.clear();
        self.next_id = self.last_id.query_row([], |row| row.get::<_, Option<i64>>(0))?.unwrap_or(0) + 1;
        Ok(())
    }

    /// Takes what one event says of its execution.
    pub(crate) fn note(
        &mut self,
        prepared: &PreparedEvent,
        facts: &ToolExecutionFacts,
        ids: &EventIds,
        strings: &mut Strings<'c>,
    ) -> Result<()> {
        let index = self.execution(prepared, ids)?;
        let Some(execution) = self.touched.get_mut(index) else { return Ok(()) };
        execution.row.note(ids, prepared.event.timestamp.0, facts.role, facts.is_error);
        let values = values(facts, prepared.arguments_digest, ids, strings)?;
        for (index, (value, rule)) in values.into_iter().zip(RULES).enumerate() {
            execution.row.merged.offer(index, rule, facts.role, value, strings)?;
        }
        Ok(())
    }

    fn execution(&mut self, prepared: &PreparedEvent, ids: &EventIds) -> Result<usize> {
        let index = self.touched.len();
        let alone = |row| Execution { row, conversation: None, repeat: None, indexed: None };
        let (Some((_, span)), Some(trace)) = (prepared.event.pairing(), ids.trace) else {
            return Ok(self.push(alone(Correlated::new(self.next_id, ids.trace, None, RULES.len()))));
        };
        if let Some(known) = self.places.get(&(trace, span.into())) {
            return Ok(*known);
        }
        let found = self
            .find
            .query_row(params![trace, span], |row| {
                let (conversation, repeat) = (row.get(18)?, row.get(19)?);
                let mut execution = Execution { row: Correlated::read(row, RULES.len())?, conversation, repeat, indexed: None };
                let agent = execution.row.merged.values.first().cloned().unwrap_or(Value::Null);
                execution.indexed = Some([agent, execution.tool().clone(), execution.arguments().clone()]);
                Ok(execution)
            })
            .optional()?;
        let execution = found.unwrap_or_else(|| alone(Correlated::new(self.next_id, Some(trace), Some(span), RULES.len())));
        self.places.insert((trace, span.into()), index);
        Ok(self.push(execution))
    }

    fn push(&mut self, execution: Execution) -> usize {
        if execution.row.stored.is_none() {
            self.next_id += 1;
        }
        self.touched.push(execution);
        self.touched.len() - 1
    }

    /// The rows that were written since.
    pub(crate) fn take_written(&mut self) -> Vec<i64> {
        std::mem::take(&mut self.written)
    }

    /// What was gathered, to be written.
    pub(crate) fn take(&mut self) -> Vec<Execution> {
        self.places.clear();
        std::mem::take(&mut self.touched)
    }

    /// The count of an execution that comes last in its conversation.
    pub(crate) fn next_repeat(&mut self, conversation: i64, execution: &Execution) -> Result<i64> {
        let last: Option<i64> =
            self.last_repeat.query_row(params![conversation, execution.tool(), execution.arguments()], |row| row.get(0))?;
        Ok(last.unwrap_or(0) + 1)
    }

    /// Inserts or updates the row; conversation and count of a stored one are written by whoever finds them anew.
    pub(crate) fn write(&mut self, execution: &Execution) -> Result<()> {
        let row = &execution.row;
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
        let tail: [Value; 2] = [execution.conversation.into(), execution.repeat.into()];
        for (index, value) in head.iter().chain(&row.merged.values).chain(&tail).enumerate().take(used) {
            statement.raw_bind_parameter(index + 1, value)?;
        }
        statement.raw_execute()?;
        self.written.push(row.id);
        let agent = row.merged.values.first();
        let agent_moved = execution.indexed.as_ref().is_some_and(|[old, ..]| agent != Some(old));
        if row.stored.is_some() && (execution.has_moved() || agent_moved) {
            self.update_indexed.execute(params![row.id, row.scope, row.start, agent, execution.tool(), execution.arguments()])?;
        }
        Ok(())
    }
}

fn values(facts: &ToolExecutionFacts, arguments: Option<Digest>, ids: &EventIds, strings: &mut Strings<'_>) -> Result<[Value; 9]> {
    let mut interned = |value: Option<&str>| strings.optional(value).map(integer);
    Ok([
        Value::Integer(ids.agent),
        integer(ids.session),
        interned(facts.tool_name.as_deref())?,
        text(facts.tool_id.as_deref()),
        interned(facts.framework.as_deref())?,
        interned(facts.result_type.as_deref())?,
        real(facts.duration_ms),
        interned(facts.error_type.as_deref())?,
        arguments.map_or(Value::Null, |digest| Value::Blob(digest.0.to_vec())),
    ])
}
