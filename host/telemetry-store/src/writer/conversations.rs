//! Writing calls and executions, each with its place in a conversation.
//!
//! A conversation is a function of the calls of its scope in order of (start, span): a call goes on from the latest call whose messages
//! are its longest proper prefix; else from the one with its newest shared message; else it is the first of a new conversation. Without
//! messages it goes on from the call before, unless the silence was long. Arrivals in order append; any other arrival marks its scope,
//! which is then worked out anew once for the transaction, with the same result.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Result, Statement};

use super::calls::{Call, Calls};
use super::correlated::Place;
use super::executions::{Execution, Executions};
use super::nodes::{Nodes, Origin};
use super::recompute::Recompute;
use super::scopes::{Scope, Scopes};

/// Values of `llm_call_rows.link`.
pub(crate) const FIRST: i64 = 0;
pub(crate) const BY_MESSAGES: i64 = 1;
pub(crate) const TRIMMED: i64 = 2;
pub(crate) const BY_TIME: i64 = 3;

/// A new row of a scope.
enum Arrival {
    Call(Box<Call>),
    Execution(Box<Execution>),
}

impl Arrival {
    /// At one time calls come before executions.
    fn order(&self) -> (i64, bool, &str) {
        match self {
            Arrival::Call(call) => (call.row.start, false, call.row.span.as_deref().unwrap_or_default()),
            Arrival::Execution(execution) => (execution.row.start, true, execution.row.span.as_deref().unwrap_or_default()),
        }
    }
}

pub(crate) struct Conversations<'c> {
    silence: i64,
    scopes: Scopes<'c>,
    recompute: Recompute<'c>,
    conversation_of: Statement<'c>,
    last_turn: Statement<'c>,
}

impl<'c> Conversations<'c> {
    pub(crate) fn new(connection: &'c Connection, silence: i64) -> Result<Self> {
        Ok(Conversations {
            silence,
            scopes: Scopes::new(connection)?,
            recompute: Recompute::new(connection, silence)?,
            conversation_of: connection.prepare("select conversation from llm_call_rows where id = ?")?,
            last_turn: connection.prepare("select max(turn) from llm_call_rows where conversation = ?")?,
        })
    }

    /// Writes what the transaction gathered.
    pub(crate) fn flush(&mut self, calls: &mut Calls<'c>, executions: &mut Executions<'c>, nodes: &mut Nodes<'c>) -> Result<()> {
        let mut marked = BTreeSet::new();
        let mut arrivals: BTreeMap<i64, Vec<Arrival>> = BTreeMap::new();
        for mut call in calls.take() {
            call.row.scope = self.scope(call.row.span.is_some(), call.row.trace, session(&call.row.merged.values))?;
            match (call.row.stored, call.row.scope) {
                (None, Some(scope)) => arrivals.entry(scope).or_default().push(Arrival::Call(Box::new(call))),
                (None, None) => calls.write(&call)?,
                (Some(stored), scope) => {
                    if call.row.has_moved() || call.list.is_some() {
                        marked.extend(stored.scope.into_iter().chain(scope));
                        rehome(&mut call, stored.scope, nodes)?;
                    }
                    calls.write(&call)?;
                }
            }
        }
        for mut execution in executions.take() {
            execution.row.scope = self.scope(execution.row.span.is_some(), execution.row.trace, session(&execution.row.merged.values))?;
            match (execution.row.stored, execution.row.scope) {
                (None, Some(scope)) => arrivals.entry(scope).or_default().push(Arrival::Execution(Box::new(execution))),
                (None, None) => executions.write(&execution)?,
                (Some(stored), scope) => {
                    if execution.has_moved() {
                        marked.extend(stored.scope.into_iter().chain(scope));
                    }
                    executions.write(&execution)?;
                }
            }
        }
        for (scope, arrivals) in arrivals {
            if !self.arrive(scope, arrivals, marked.contains(&scope), calls, executions, nodes)? {
                marked.insert(scope);
            }
        }
        for scope in marked {
            let scope = self.recompute.scope(scope)?;
            self.scopes.write(&scope)?;
        }
        Ok(())
    }

    /// Calls and executions whose place was found anew since.
    pub(crate) fn take_moved(&mut self) -> (Vec<i64>, Vec<i64>) {
        std::mem::take(&mut self.recompute.moved)
    }

    fn scope(&mut self, pairs: bool, trace: Option<i64>, session: Option<i64>) -> Result<Option<i64>> {
        match trace {
            Some(trace) if pairs => self.scopes.id(trace, session).map(Some),
            _ => Ok(None),
        }
    }

    /// Inserts the new rows of one scope; false when it has to be worked out anew.
    fn arrive(
        &mut self,
        scope: i64,
        mut arrivals: Vec<Arrival>,
        marked: bool,
        calls: &mut Calls<'c>,
        executions: &mut Executions<'c>,
        nodes: &mut Nodes<'c>,
    ) -> Result<bool> {
        let mut scope = self.scopes.read(scope)?;
        arrivals.sort_by(|a, b| a.order().cmp(&b.order()));
        let mut in_order = !marked;
        for arrival in arrivals {
            match arrival {
                Arrival::Call(mut call) => {
                    let place = call.row.place();
                    in_order = in_order && call_is_last(&scope, &place);
                    if in_order {
                        self.append_call(&mut scope, &mut call, place, nodes)?;
                    }
                    if let Some(list) = &call.list {
                        call.messages = Some(nodes.extend(scope.id, list, call.row.id, call.row.start)?);
                    }
                    calls.write(&call)?;
                }
                Arrival::Execution(mut execution) => {
                    let place = execution.row.place();
                    in_order = in_order && execution_is_last(&scope, &place);
                    if in_order {
                        self.append_execution(&mut scope, &mut execution, place, executions)?;
                    }
                    executions.write(&execution)?;
                }
            }
        }
        if in_order {
            self.scopes.write(&scope)?;
        }
        Ok(in_order)
    }

    fn append_call(&mut self, scope: &mut Scope, call: &mut Call, place: Place, nodes: &mut Nodes<'c>) -> Result<()> {
        let origin = match &call.list {
            Some(list) => match nodes.origin(scope.id, list, place.0)? {
                Origin::Prefix(conversation) => Some((conversation, BY_MESSAGES)),
                Origin::Trimmed(conversation) => Some((conversation, TRIMMED)),
                Origin::None => None,
            },
            None => match (scope.last_call, &scope.last_call_place) {
                (Some(last), Some((start, _))) if place.0.saturating_sub(*start) <= self.silence => {
                    self.conversation(last)?.map(|conversation| (conversation, BY_TIME))
                }
                _ => None,
            },
        };
        call.conversation = Some(match origin {
            Some((conversation, link)) => {
                let turn: Option<i64> = self.last_turn.query_row([conversation], |row| row.get(0))?;
                (conversation, turn.unwrap_or(0) + 1, link)
            }
            None => (call.row.id, 1, FIRST),
        });
        scope.last_call = Some(call.row.id);
        scope.last_call_place = Some(place);
        Ok(())
    }

    fn append_execution(
        &mut self,
        scope: &mut Scope,
        execution: &mut Execution,
        place: Place,
        executions: &mut Executions<'c>,
    ) -> Result<()> {
        execution.conversation = match scope.last_call {
            Some(call) => self.conversation(call)?,
            None => None,
        };
        if let Some(conversation) = execution.conversation
            && *execution.arguments() != rusqlite::types::Value::Null
        {
            execution.repeat = Some(executions.next_repeat(conversation, execution)?);
        }
        scope.last_execution_place = Some(place);
        Ok(())
    }

    fn conversation(&mut self, call: i64) -> Result<Option<i64>> {
        Ok(self.conversation_of.query_row([call], |row| row.get(0)).optional()?.flatten())
    }
}

/// A call at the time of an execution would become the execution's: it must be later than all executions.
fn call_is_last(scope: &Scope, place: &Place) -> bool {
    scope.last_call_place.as_ref().is_none_or(|last| last < place)
        && scope.last_execution_place.as_ref().is_none_or(|(start, _)| *start < place.0)
}

fn execution_is_last(scope: &Scope, place: &Place) -> bool {
    scope.last_call_place.as_ref().is_none_or(|(start, _)| *start <= place.0)
        && scope.last_execution_place.as_ref().is_none_or(|last| last < place)
}

/// The merged field `session` of calls and executions.
fn session(values: &[rusqlite::types::Value]) -> Option<i64> {
    match values.get(1) {
        Some(rusqlite::types::Value::Integer(session)) => Some(*session),
        _ => None,
    }
}

/// Gives a stored call whose messages or scope have changed its node in its scope.
fn rehome(call: &mut Call, was: Option<i64>, nodes: &mut Nodes<'_>) -> Result<()> {
    let Some(scope) = call.row.scope else { return Ok(()) };
    if call.list.is_none() && was != call.row.scope {
        call.list = call.messages.map(|node| nodes.list(node)).transpose()?;
    }
    if let Some(list) = &call.list {
        call.messages = Some(nodes.extend(scope, list, call.row.id, call.row.start)?);
    }
    Ok(())
}
