//! One transaction: the items of a group of requests, then what follows from them.

use std::sync::Arc;

use rusqlite::{Connection, Result, Statement};
use telemetry_model::facts::Facts;
use telemetry_model::{DigestKey, Outcome, Relation};

use super::alerts::Alerts;
use super::calls::Calls;
use super::conversations::Conversations;
use super::events::{Events, Stored};
use super::executions::Executions;
use super::indexed::Indexed;
use super::jobs;
use super::nodes::Nodes;
use super::quarantine::Quarantine;
use super::rowqueue::RowQueue;
use super::seen::SeenRows;
use super::strings::Strings;
use crate::indexed::IndexedKey;
use crate::item::WriteItem;
use crate::journal::{Head, JournalWriter, Notes, Orphans};
use crate::prepare::PreparedEvent;
use crate::rowqueue::{RowResults, RowSignal};
use crate::settings::StoreSettings;

pub(crate) struct Transaction<'c> {
    begin: Statement<'c>,
    commit: Statement<'c>,
    probe: Statement<'c>,
    connection: &'c Connection,
    strings: Strings<'c>,
    events: Events<'c>,
    indexed: Indexed<'c>,
    seen: SeenRows<'c>,
    calls: Calls<'c>,
    executions: Executions<'c>,
    nodes: Nodes<'c>,
    conversations: Conversations<'c>,
    alerts: Alerts<'c>,
    quarantine: Quarantine<'c>,
    journal: JournalWriter<'c>,
    head: Option<Head>,
    rows: RowQueue<'c>,
}

/// The items of a request, and what it brings for the journal.
pub(crate) type Request<'i> = (&'i [WriteItem], &'i Notes);

impl<'c> Transaction<'c> {
    pub(crate) fn new(
        connection: &'c Connection,
        key: &'c DigestKey,
        settings: &StoreSettings,
        indexed: &[IndexedKey],
        rows: &Arc<RowSignal>,
        orphans: Arc<Orphans>,
    ) -> Result<Self> {
        Ok(Transaction {
            begin: connection.prepare("begin immediate")?,
            commit: connection.prepare("commit")?,
            probe: connection.prepare(
                "insert into store_keys (name, value) values ('probe', randomblob(?1)) on conflict do update set value = excluded.value",
            )?,
            connection,
            strings: Strings::new(connection)?,
            events: Events::new(connection, key)?,
            indexed: Indexed::new(connection, indexed)?,
            seen: SeenRows::new(connection)?,
            calls: Calls::new(connection)?,
            executions: Executions::new(connection)?,
            nodes: Nodes::new(connection)?,
            conversations: Conversations::new(connection, settings.conversation_silence)?,
            alerts: Alerts::new(connection)?,
            quarantine: Quarantine::new(connection)?,
            journal: JournalWriter::new(connection, key, orphans)?,
            head: None,
            rows: RowQueue::new(connection, Arc::clone(rows), indexed)?,
        })
    }

    /// Writes the items of each request, and `probe` bytes of no meaning, and commits: the outcomes of each, or nothing is stored.
    pub(crate) fn write<'i>(&mut self, requests: impl Iterator<Item = Request<'i>>, probe: Option<usize>) -> Result<Vec<Vec<Outcome>>> {
        match self.all(requests, probe) {
            Ok(outcomes) => Ok(outcomes),
            Err(error) => {
                self.roll_back();
                Err(error)
            }
        }
    }

    fn all<'i>(&mut self, requests: impl Iterator<Item = Request<'i>>, probe: Option<usize>) -> Result<Vec<Vec<Outcome>>> {
        self.begin.execute([])?;
        let (items, notes): (Vec<_>, Vec<_>) = requests.unzip();
        let outcomes = items
            .into_iter()
            .map(|items| items.iter().filter_map(|item| self.item(item).transpose()).collect())
            .collect::<Result<Vec<_>>>()?;
        self.seen.flush()?;
        self.conversations.flush(&mut self.calls, &mut self.executions, &mut self.nodes)?;
        self.queue_rows()?;
        self.journal.append(&notes, &outcomes)?;
        if let Some(bytes) = probe {
            self.probe.execute([bytes as i64])?;
        }
        self.commit.execute([])?;
        self.rows.committed();
        self.head = self.journal.committed();
        Ok(outcomes)
    }

    /// The end of the journal's chain, once this process appended to it.
    pub(crate) fn head(&self) -> Option<Head> {
        self.head
    }

    /// What `notes` tell of was handed over and will not be stored.
    pub(crate) fn not_stored(&self, notes: Notes) {
        self.journal.not_stored(notes.handed);
    }

    fn item(&mut self, item: &WriteItem) -> Result<Option<Outcome>> {
        match item {
            WriteItem::Event(prepared) => self.event(prepared).map(Some),
            WriteItem::Quarantine(entry) => {
                let quarantine_id = self.quarantine.store(entry)?;
                Ok(Some(Outcome::Quarantined { quarantine_id }))
            }
            WriteItem::Rows(results) => self.results(results).map(|()| None),
            WriteItem::Job(change) => {
                self.rows.is_due();
                jobs::change(self.connection, change).map(|()| None)
            }
        }
    }

    fn results(&mut self, results: &RowResults) -> Result<()> {
        if let Some(step) = &results.step
            && !jobs::is_running(self.connection, step)?
        {
            return Ok(());
        }
        let tally = self.rows.apply(results, self.events.shared(), &mut self.strings)?;
        match &results.step {
            Some(step) => jobs::advance(self.connection, step, &tally),
            None => Ok(()),
        }
    }

    /// Queues the rows that this transaction wrote.
    fn queue_rows(&mut self) -> Result<()> {
        let (moved_calls, moved_executions) = self.conversations.take_moved();
        self.rows.note(Relation::LlmCalls, self.calls.take_written().into_iter().chain(moved_calls));
        self.rows.note(Relation::ToolExecutions, self.executions.take_written().into_iter().chain(moved_executions));
        self.rows.flush()
    }

    fn event(&mut self, prepared: &PreparedEvent) -> Result<Outcome> {
        let ids = match self.events.store(prepared, &mut self.strings)? {
            Stored::New(ids) => ids,
            Stored::Duplicate(event_id) => return Ok(Outcome::Duplicate { event_id }),
        };
        self.indexed.store(prepared, &ids)?;
        self.seen.note(prepared, &ids);
        match &prepared.facts {
            Facts::None => self.rows.note_others(prepared, &ids)?,
            Facts::Stop => {}
            Facts::LlmCall(facts) => self.calls.note(prepared, facts, &ids, &mut self.strings, &mut self.nodes)?,
            Facts::ToolExecution(facts) => self.executions.note(prepared, facts, &ids, &mut self.strings)?,
            Facts::SecurityAlert(facts) => self.alerts.store(prepared, facts, &ids, &mut self.strings)?,
        }
        Ok(Outcome::Accepted { event_id: ids.event })
    }

    /// Nothing of the transaction is stored, so nothing that was remembered holds.
    fn roll_back(&mut self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("rollback")
        {
            tracing::error!(error = %error, "store.rollback.failed");
        }
        self.strings.clear();
        self.events.clear();
        self.seen.clear();
        self.journal.clear();
        self.rows.clear();
        self.conversations.take_moved();
        if let Err(error) = self.calls.clear().and_then(|()| self.executions.clear()) {
            tracing::error!(error = %error, "store.rollback.failed");
        }
    }
}
