//! The (trace, session) groups in which conversations live, each with the latest call and execution it has.

use rusqlite::{Connection, OptionalExtension, Result, Statement, params};

use super::correlated::Place;

/// One group.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) id: i64,
    /// `llm_call_rows.id` of the latest call.
    pub(crate) last_call: Option<i64>,
    pub(crate) last_call_place: Option<Place>,
    pub(crate) last_execution_place: Option<Place>,
}

pub(crate) struct Scopes<'c> {
    find: Statement<'c>,
    read: Statement<'c>,
    insert: Statement<'c>,
    update: Statement<'c>,
}

impl<'c> Scopes<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Result<Self> {
        Ok(Scopes {
            find: connection.prepare("select id from scopes where trace = ? and session is ?")?,
            read: connection.prepare(
                "select last_call, last_call_start, last_call_span, last_execution_start, last_execution_span from scopes where id = ?",
            )?,
            insert: connection.prepare("insert into scopes (trace, session) values (?, ?)")?,
            update: connection.prepare(
                "update scopes set last_call = ?, last_call_start = ?, last_call_span = ?, last_execution_start = ?,
                     last_execution_span = ?
                 where id = ?",
            )?,
        })
    }

    /// The id of a group, made if it is new.
    pub(crate) fn id(&mut self, trace: i64, session: Option<i64>) -> Result<i64> {
        match self.find.query_row(params![trace, session], |row| row.get(0)).optional()? {
            Some(id) => Ok(id),
            None => self.insert.insert(params![trace, session]),
        }
    }

    pub(crate) fn read(&mut self, id: i64) -> Result<Scope> {
        self.read.query_row([id], |row| {
            let place = |start: Option<i64>, span: Option<Box<str>>| start.map(|start| (start, span.unwrap_or_default()));
            Ok(Scope {
                id,
                last_call: row.get(0)?,
                last_call_place: place(row.get(1)?, row.get(2)?),
                last_execution_place: place(row.get(3)?, row.get(4)?),
            })
        })
    }

    pub(crate) fn write(&mut self, scope: &Scope) -> Result<()> {
        let (call, execution) = (scope.last_call_place.as_ref(), scope.last_execution_place.as_ref());
        self.update.execute(params![
            scope.last_call,
            call.map(|place| place.0),
            call.map(|place| &place.1),
            execution.map(|place| place.0),
            execution.map(|place| &place.1),
            scope.id,
        ])?;
        Ok(())
    }
}
