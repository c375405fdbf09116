//! Working a scope out anew from its calls, messages and executions: what appending gives when all arrive in order.

use std::collections::HashMap;

use rusqlite::types::Value;
use rusqlite::{Connection, Result, Statement, params};

use super::conversations::{BY_MESSAGES, BY_TIME, FIRST, TRIMMED};
use super::scopes::Scope;

struct StoredCall {
    id: i64,
    start: i64,
    span: Box<str>,
    messages: Option<i64>,
    conversation: Option<(i64, i64, i64)>,
}

struct StoredExecution {
    id: i64,
    start: i64,
    span: Box<str>,
    tool: Option<i64>,
    arguments: Option<Vec<u8>>,
    conversation: Option<i64>,
    repeat: Option<i64>,
}

struct Node {
    id: i64,
    parent: Option<i64>,
    digest: i64,
    hash: i64,
    stored: (i64, i64),
    /// (start, call) of the first call with it.
    seen: Option<(i64, i64)>,
    /// The conversation of the latest call whose list ends here.
    conversation: Option<i64>,
}

pub(crate) struct Recompute<'c> {
    silence: i64,
    /// Calls and executions whose place has changed.
    pub(crate) moved: (Vec<i64>, Vec<i64>),
    calls: Statement<'c>,
    nodes: Statement<'c>,
    executions: Statement<'c>,
    update_call: Statement<'c>,
    update_execution: Statement<'c>,
    update_node: Statement<'c>,
    delete_node: Statement<'c>,
}

impl<'c> Recompute<'c> {
    pub(crate) fn new(connection: &'c Connection, silence: i64) -> Result<Self> {
        Ok(Recompute {
            silence,
            moved: (Vec::new(), Vec::new()),
            calls: connection.prepare(
                "select id, start_time, span, messages, conversation, turn, link from llm_call_rows
                 where scope = ? order by start_time, span",
            )?,
            nodes: connection.prepare("select id, parent, digest, hash, seen, seen_call from message_nodes where scope = ?")?,
            executions: connection.prepare(
                "select id, start_time, span, tool_name, arguments_digest, conversation, repeat from tool_execution_rows
                 where scope = ? order by start_time, span",
            )?,
            update_call: connection.prepare("update llm_call_rows set conversation = ?, turn = ?, link = ? where id = ?")?,
            update_execution: connection.prepare("update tool_execution_rows set conversation = ?, repeat = ? where id = ?")?,
            update_node: connection.prepare("update message_nodes set seen = ?, seen_call = ? where id = ?")?,
            delete_node: connection.prepare("delete from message_nodes where id = ?")?,
        })
    }

    /// Writes what differs, and tells what comes last in the scope now.
    pub(crate) fn scope(&mut self, scope: i64) -> Result<Scope> {
        let mut calls = self.read_calls(scope)?;
        let mut tree = Tree::new(self.read_nodes(scope)?);
        self.place_calls(&mut calls, &mut tree)?;
        self.write_nodes(&tree)?;
        let last_execution_place = self.place_executions(scope, &calls)?;
        let last = calls.last();
        Ok(Scope {
            id: scope,
            last_call: last.map(|call| call.id),
            last_call_place: last.map(|call| (call.start, call.span.clone())),
            last_execution_place,
        })
    }

    fn place_calls(&mut self, calls: &mut [StoredCall], tree: &mut Tree) -> Result<()> {
        let mut turns: HashMap<i64, i64> = HashMap::new();
        let mut before: Option<(i64, i64)> = None;
        for call in calls {
            tree.advance(call.start);
            let origin = match call.messages {
                Some(node) => tree.origin(node),
                None => before
                    .filter(|(start, _)| call.start.saturating_sub(*start) <= self.silence)
                    .map(|(_, conversation)| (conversation, BY_TIME)),
            };
            let (conversation, link) = origin.unwrap_or((call.id, FIRST));
            let turn = turns.entry(conversation).or_insert(0);
            *turn += 1;
            let found = Some((conversation, *turn, link));
            if found != call.conversation {
                self.update_call.execute(params![conversation, *turn, link, call.id])?;
                self.moved.0.push(call.id);
                call.conversation = found;
            }
            if let Some(node) = call.messages {
                tree.note(node, call.start, call.id, conversation);
            }
            before = Some((call.start, conversation));
        }
        Ok(())
    }

    fn place_executions(&mut self, scope: i64, calls: &[StoredCall]) -> Result<Option<(i64, Box<str>)>> {
        let mut repeats: HashMap<(i64, Option<i64>, Vec<u8>), i64> = HashMap::new();
        let mut earlier = calls.iter().peekable();
        let mut conversation = None;
        let mut last = None;
        for execution in self.read_executions(scope)? {
            while let Some(call) = earlier.next_if(|call| call.start <= execution.start) {
                conversation = call.conversation.map(|(first, ..)| first);
            }
            let repeat = match (conversation, execution.arguments) {
                (Some(first), Some(arguments)) => {
                    let count = repeats.entry((first, execution.tool, arguments)).or_insert(0);
                    *count += 1;
                    Some(*count)
                }
                _ => None,
            };
            if (conversation, repeat) != (execution.conversation, execution.repeat) {
                self.update_execution.execute(params![conversation, repeat, execution.id])?;
                self.moved.1.push(execution.id);
            }
            last = Some((execution.start, execution.span));
        }
        Ok(last)
    }

    fn write_nodes(&mut self, tree: &Tree) -> Result<()> {
        for node in &tree.nodes {
            match node.seen {
                Some(seen) if seen == node.stored => {}
                Some((start, call)) => {
                    self.update_node.execute(params![start, call, node.id])?;
                }
                None => {
                    self.delete_node.execute([node.id])?;
                }
            }
        }
        Ok(())
    }

    fn read_calls(&mut self, scope: i64) -> Result<Vec<StoredCall>> {
        let rows = self.calls.query_map([scope], |row| {
            let conversation = match (row.get(4)?, row.get(5)?, row.get(6)?) {
                (Some(first), Some(turn), Some(link)) => Some((first, turn, link)),
                _ => None,
            };
            Ok(StoredCall { id: row.get(0)?, start: row.get(1)?, span: row.get(2)?, messages: row.get(3)?, conversation })
        })?;
        rows.collect()
    }

    fn read_nodes(&mut self, scope: i64) -> Result<Vec<Node>> {
        let rows = self.nodes.query_map([scope], |row| {
            Ok(Node {
                id: row.get(0)?,
                parent: row.get(1)?,
                digest: row.get(2)?,
                hash: row.get(3)?,
                stored: (row.get(4)?, row.get(5)?),
                seen: None,
                conversation: None,
            })
        })?;
        rows.collect()
    }

    fn read_executions(&mut self, scope: i64) -> Result<Vec<StoredExecution>> {
        let rows = self.executions.query_map([scope], |row| {
            Ok(StoredExecution {
                id: row.get(0)?,
                start: row.get(1)?,
                span: row.get(2)?,
                tool: row.get(3)?,
                arguments: match row.get(4)? {
                    Value::Blob(digest) => Some(digest),
                    _ => None,
                },
                conversation: row.get(5)?,
                repeat: row.get(6)?,
            })
        })?;
        rows.collect()
    }
}

/// The message tree of a scope, as far as the calls that were placed have grown it.
struct Tree {
    nodes: Vec<Node>,
    places: HashMap<i64, usize>,
    /// By a message's digest: (seen, hash, conversation) of the node seen last before the present moment.
    newest: HashMap<i64, (i64, i64, i64)>,
    /// Nodes first seen at the present moment, with their conversations.
    present: Vec<(usize, i64)>,
    now: i64,
}

impl Tree {
    fn new(nodes: Vec<Node>) -> Self {
        let places = nodes.iter().enumerate().map(|(place, node)| (node.id, place)).collect();
        Tree { nodes, places, newest: HashMap::new(), present: Vec::new(), now: i64::MIN }
    }

    /// Goes on to the moment `start`.
    fn advance(&mut self, start: i64) {
        if start == self.now {
            return;
        }
        self.now = start;
        for (place, conversation) in self.present.drain(..) {
            let Some(node) = self.nodes.get(place) else { continue };
            let Some((seen, _)) = node.seen else { continue };
            let found = (seen, node.hash, conversation);
            let newest = self.newest.entry(node.digest).or_insert(found);
            if (found.0, found.1) > (newest.0, newest.1) {
                *newest = found;
            }
        }
    }

    /// Where a call whose list ends at `node` goes on from.
    fn origin(&self, node: i64) -> Option<(i64, i64)> {
        let mut next = self.at(node)?.parent;
        while let Some(node) = next.and_then(|id| self.at(id)) {
            if let Some(conversation) = node.conversation {
                return Some((conversation, BY_MESSAGES));
            }
            next = node.parent;
        }
        let mut next = self.at(node)?.parent;
        while let Some(node) = next.and_then(|id| self.at(id)) {
            match self.newest.get(&node.digest) {
                Some((_, hash, _)) if *hash == node.hash => return None,
                Some((.., conversation)) => return Some((*conversation, TRIMMED)),
                None => next = node.parent,
            }
        }
        None
    }

    /// Takes note of a placed call whose list ends at `node`.
    fn note(&mut self, node: i64, start: i64, call: i64, conversation: i64) {
        let mut next = Some(node);
        let mut is_last = true;
        while let Some(place) = next.and_then(|id| self.places.get(&id).copied()) {
            let Some(node) = self.nodes.get_mut(place) else { return };
            if std::mem::take(&mut is_last) {
                node.conversation = Some(conversation);
            }
            if node.seen.is_some() {
                return;
            }
            node.seen = Some((start, call));
            self.present.push((place, conversation));
            next = node.parent;
        }
    }

    fn at(&self, id: i64) -> Option<&Node> {
        self.places.get(&id).and_then(|place| self.nodes.get(*place))
    }
}
