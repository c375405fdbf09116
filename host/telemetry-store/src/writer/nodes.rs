//! The message lists of a scope's requests, as a tree of messages: a list that goes on from another adds only what is new.

use rusqlite::{Connection, OptionalExtension, Result, Statement, params};

/// Longer lists are not followed.
const MOST_MESSAGES: usize = 16_384;
/// Of a list longer than `SHORT_LIST`, bytes of the event for each message at the least: lists of shorter ones would take more room
/// and time here than the event itself. Their calls belong together by time.
const LEAST_BYTES: usize = 96;
const SHORT_LIST: usize = 64;

/// The messages of one request: their digests, and the digests over all up to each. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageList {
    pub(crate) digests: Vec<i64>,
    pub(crate) hashes: Vec<i64>,
}

impl MessageList {
    /// `None` without messages, and when they are too many for an event of `size` bytes.
    pub(crate) fn new(digests: Option<&[u64]>, hashes: &[u64], size: u32) -> Option<Self> {
        let digests = digests?;
        let dense = digests.len() > SHORT_LIST && digests.len() * LEAST_BYTES > size as usize;
        if digests.is_empty() || digests.len() > MOST_MESSAGES || dense {
            return None;
        }
        let signed = |numbers: &[u64]| numbers.iter().map(|number| number.cast_signed()).collect();
        Some(MessageList { digests: signed(digests), hashes: signed(hashes) })
    }

    /// The digest over all messages.
    pub(crate) fn hash(&self) -> i64 {
        self.hashes.last().copied().unwrap_or_default()
    }

    fn len(&self) -> usize {
        self.digests.len()
    }
}

/// A request that a list goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Its messages are the longest proper prefix; the conversation it belongs to.
    Prefix(i64),
    /// It has the newest shared message; the conversation it belongs to.
    Trimmed(i64),
    /// There is none.
    None,
}

pub(crate) struct Nodes<'c> {
    find: Statement<'c>,
    insert: Statement<'c>,
    parent: Statement<'c>,
    call_at: Statement<'c>,
    shared: Statement<'c>,
    path: Statement<'c>,
}

impl<'c> Nodes<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Result<Self> {
        Ok(Nodes {
            find: connection.prepare("select id from message_nodes where scope = ? and hash = ?")?,
            insert: connection
                .prepare("insert into message_nodes (scope, parent, digest, hash, seen, seen_call) values (?, ?, ?, ?, ?, ?)")?,
            parent: connection.prepare("select parent from message_nodes where id = ?")?,
            call_at: connection.prepare(
                "select conversation from llm_call_rows where messages = ? and conversation is not null
                 order by start_time desc, span desc limit 1",
            )?,
            shared: connection.prepare(
                "select n.hash, c.conversation
                 from message_nodes n join llm_call_rows c on c.id = n.seen_call
                 where n.scope = ? and n.digest = ? and n.seen < ?
                 order by n.seen desc, n.hash desc limit 1",
            )?,
            path: connection.prepare("select parent, digest, hash from message_nodes where id = ?")?,
        })
    }

    /// Where a request that is later than all others of its scope goes on from.
    pub(crate) fn origin(&mut self, scope: i64, list: &MessageList, start: i64) -> Result<Origin> {
        let (_, mut node) = self.longest(scope, list, list.len() - 1)?;
        while let Some(id) = node {
            if let Some(conversation) = self.call_at.query_row([id], |row| row.get(0)).optional()? {
                return Ok(Origin::Prefix(conversation));
            }
            node = self.parent.query_row([id], |row| row.get(0))?;
        }
        // The last message is the new one: that somebody said it before says nothing.
        for (digest, hash) in list.digests.iter().zip(&list.hashes).rev().skip(1) {
            let found: Option<(i64, i64)> =
                self.shared.query_row(params![scope, digest, start], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            match found {
                // A common beginning, such as a system prompt, is no trimmed history.
                Some((same, _)) if same == *hash => break,
                Some((_, conversation)) => return Ok(Origin::Trimmed(conversation)),
                None => {}
            }
        }
        Ok(Origin::None)
    }

    /// The node of `list`; what is new of it is inserted as first seen in `call`.
    pub(crate) fn extend(&mut self, scope: i64, list: &MessageList, call: i64, start: i64) -> Result<i64> {
        let (known, mut node) = self.longest(scope, list, list.len())?;
        for (digest, hash) in list.digests.iter().zip(&list.hashes).skip(known) {
            node = Some(self.insert.insert(params![scope, node, digest, hash, start, call])?);
        }
        Ok(node.unwrap_or_default())
    }

    /// The digest over all messages of `node`.
    pub(crate) fn hash(&mut self, node: i64) -> Result<i64> {
        self.path.query_row([node], |row| row.get(2))
    }

    /// The messages of `node`.
    pub(crate) fn list(&mut self, node: i64) -> Result<MessageList> {
        let mut list = MessageList { digests: Vec::new(), hashes: Vec::new() };
        let mut next = Some(node);
        while let Some(id) = next {
            let (parent, digest, hash): (Option<i64>, i64, i64) =
                self.path.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            list.digests.push(digest);
            list.hashes.push(hash);
            next = parent;
        }
        list.digests.reverse();
        list.hashes.reverse();
        Ok(list)
    }

    /// The longest known prefix of at most `most` messages: its length and its node.
    fn longest(&mut self, scope: i64, list: &MessageList, most: usize) -> Result<(usize, Option<i64>)> {
        for (index, hash) in list.hashes.iter().enumerate().take(most).rev() {
            if let Some(node) = self.find.query_row([scope, *hash], |row| row.get(0)).optional()? {
                return Ok((index + 1, Some(node)));
            }
        }
        Ok((0, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_no_long_list_of_short_messages() {
        let followed = |messages: usize, size: u32| {
            let digests: Vec<u64> = (0..messages as u64).collect();
            MessageList::new(Some(&digests), &digests, size).is_some()
        };
        assert!(followed(64, 1_000));
        assert!(!followed(65, 6_239));
        assert!(followed(65, 6_240));
        assert!(!followed(1_800, 60_000));
        assert!(!followed(0, 1_000));
    }
}
