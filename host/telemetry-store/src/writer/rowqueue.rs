//! Rows for enrichers: queued in the transaction that changes them, taken out in the one that stores what was said of them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Result, Statement, params};
use telemetry_model::outcome::{PluginRun, RunOutcome};
use telemetry_model::{Family, Relation};

use super::events::EventIds;
use super::shared_rows::SharedRows;
use super::strings::Strings;
use crate::indexed::{IndexValue, IndexedKey};
use crate::prepare::PreparedEvent;
use crate::read::documents::{Documents, EventDocuments, StoredAttribute};
use crate::rowqueue::{RowResult, RowResults, RowSignal};

/// What a step came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Rows with other values than before.
    pub(crate) changed: i64,
    /// Rows on which this very version had run well before, with other values now.
    pub(crate) unequal: i64,
    /// Rows without an earlier outcome `ok`: which, and how the plugin had fared.
    pub(crate) apart: Vec<(i64, Option<String>)>,
    /// Rows that failed.
    pub(crate) failed: i64,
}

/// How the plugin had fared with a row.
#[derive(Default)]
struct Before {
    /// The outcome; `None`: it had not run.
    outcome: Option<String>,
    /// It was this very version.
    is_same: bool,
}

pub(crate) struct RowQueue<'c> {
    connection: &'c Connection,
    signal: Arc<RowSignal>,
    touched: BTreeSet<(i64, i64)>,
    has_work: bool,
    plugins: HashMap<i64, Box<str>>,
    row_keys: HashSet<i64>,
    /// The runs of the row before, which most rows share, and their `run_sets.id`.
    last_runs: Option<(Arc<[PluginRun]>, Option<i64>)>,
    indexed: Vec<IndexedKey>,
    put: Statement<'c>,
    take: Statement<'c>,
}

/// `row_queue.relation`.
pub(crate) fn number(relation: Relation) -> i64 {
    match relation {
        Relation::LlmCalls => 1,
        Relation::ToolExecutions => 2,
        _ => 0,
    }
}

impl<'c> RowQueue<'c> {
    pub(crate) fn new(connection: &'c Connection, signal: Arc<RowSignal>, indexed: &[IndexedKey]) -> Result<Self> {
        Ok(RowQueue {
            connection,
            signal,
            touched: BTreeSet::new(),
            has_work: false,
            plugins: HashMap::new(),
            row_keys: HashSet::new(),
            last_runs: None,
            indexed: indexed.to_vec(),
            put: connection.prepare(
                "insert into row_queue (relation, row, generation) values (?, ?, 1)
                 on conflict (relation, row) do update set generation = generation + 1",
            )?,
            take: connection.prepare("delete from row_queue where relation = ? and row = ? and generation = ?")?,
        })
    }

    /// Takes note of rows that are new or were written.
    pub(crate) fn note(&mut self, relation: Relation, rows: impl IntoIterator<Item = i64>) {
        let rows = rows.into_iter();
        if self.signal.is_watched(relation) {
            self.touched.extend(rows.map(|row| (number(relation), row)));
        }
    }

    /// An event that is no part of a call or execution may stand beside one, and be read with it.
    pub(crate) fn note_others(&mut self, prepared: &PreparedEvent, ids: &EventIds) -> Result<()> {
        let (relation, sql) = match prepared.event.family() {
            Family::Llm => (Relation::LlmCalls, "select id from llm_call_rows where trace = ? and span = ?"),
            Family::Tool => (Relation::ToolExecutions, "select id from tool_execution_rows where trace = ? and span = ?"),
            _ => return Ok(()),
        };
        let (Some(trace), Some((_, span))) = (ids.trace, prepared.event.pairing()) else { return Ok(()) };
        if self.signal.is_watched(relation) {
            let row: Option<i64> = self.connection.prepare_cached(sql)?.query_row(params![trace, span], |row| row.get(0)).optional()?;
            self.note(relation, row);
        }
        Ok(())
    }

    /// Queues what was noted.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.has_work |= !self.touched.is_empty();
        while let Some((relation, row)) = self.touched.pop_first() {
            self.put.execute([relation, row])?;
        }
        Ok(())
    }

    /// The transaction is durable.
    pub(crate) fn committed(&mut self) {
        if std::mem::take(&mut self.has_work) {
            self.signal.wake();
        }
    }

    /// There is something else to do for whoever runs enrichers.
    pub(crate) fn is_due(&mut self) {
        self.has_work = true;
    }

    pub(crate) fn clear(&mut self) {
        self.touched.clear();
        self.has_work = false;
        self.plugins.clear();
        self.row_keys.clear();
        self.last_runs = None;
    }

    /// Stores results.
    pub(crate) fn apply(&mut self, results: &RowResults, shared: &mut SharedRows<'c>, strings: &mut Strings<'c>) -> Result<Tally> {
        let mut tally = Tally::default();
        for row in &results.rows {
            if let Some(generation) = row.generation
                && self.take.execute([number(results.relation), row.row, generation])? == 0
            {
                continue;
            }
            self.row(results, row, shared, strings, &mut tally)?;
        }
        Ok(tally)
    }

    fn row(
        &mut self,
        results: &RowResults,
        row: &RowResult,
        shared: &mut SharedRows<'c>,
        strings: &mut Strings<'c>,
        tally: &mut Tally,
    ) -> Result<()> {
        let (read, update) = statements(results.relation);
        if self.first(results, row, shared, strings, tally)? {
            return Ok(());
        }
        let stored: Option<(Option<String>, Option<String>)> =
            self.connection.prepare_cached(read)?.query_row([row.row], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((derived, runs)) = stored else { return Ok(()) };
        let (own, others) = self.split(derived.as_deref(), results.plugin.as_deref())?;
        let mut members = Vec::with_capacity(others.len() + row.derived.len());
        for other in &others {
            members.push((other.plugin.unwrap_or_default(), strings.id(&other.key)?, other.json.to_string()));
        }
        for derived in &row.derived {
            members.push((shared.version(&derived.plugin)?, strings.id(&derived.key)?, derived.value.as_str().to_owned()));
        }
        if results.relation == Relation::Events {
            self.index(row, &own)?;
        } else {
            self.note_keys(row, strings)?;
        }
        let (runs, before) = self.runs(runs.as_deref(), results.plugin.as_deref(), row, shared)?;
        let same = own.len() == row.derived.len()
            && own.iter().all(|old| row.derived.iter().any(|new| *new.key == *old.key && new.value.as_str() == &*old.json));
        let was_ok = before.outcome.as_deref() == Some("ok");
        tally.changed += i64::from(!same);
        tally.unequal += i64::from(!same && was_ok && before.is_same);
        tally.failed += i64::from(has_failed(row));
        if !was_ok {
            tally.apart.push((row.row, before.outcome));
        }
        let text = (!members.is_empty()).then(|| serde_json::to_string(&members).unwrap_or_default());
        self.connection.prepare_cached(update)?.execute(params![row.row, text, runs])?;
        Ok(())
    }

    /// Writes to a call or execution that no enricher has seen before, as most are; false when it is another.
    fn first(
        &mut self,
        results: &RowResults,
        row: &RowResult,
        shared: &mut SharedRows<'c>,
        strings: &mut Strings<'c>,
        tally: &mut Tally,
    ) -> Result<bool> {
        let update = match results.relation {
            Relation::LlmCalls => "update llm_call_rows set derived = ?2, runs = ?3 where id = ?1 and derived is null and runs is null",
            Relation::ToolExecutions => {
                "update tool_execution_rows set derived = ?2, runs = ?3 where id = ?1 and derived is null and runs is null"
            }
            _ => return Ok(false),
        };
        let mut members = Vec::with_capacity(row.derived.len());
        for derived in &row.derived {
            members.push((shared.version(&derived.plugin)?, strings.id(&derived.key)?, derived.value.as_str()));
        }
        let text = (!members.is_empty()).then(|| serde_json::to_string(&members).unwrap_or_default());
        let runs = match &self.last_runs {
            Some((known, id)) if Arc::ptr_eq(known, &row.runs) => *id,
            _ => {
                let id = shared.merged_runs(Vec::new(), &row.runs)?;
                self.last_runs = Some((Arc::clone(&row.runs), id));
                id
            }
        };
        if self.connection.prepare_cached(update)?.execute(params![row.row, text, runs])? == 0 {
            return Ok(false);
        }
        self.note_keys(row, strings)?;
        tally.changed += i64::from(!row.derived.is_empty());
        tally.apart.push((row.row, None));
        tally.failed += i64::from(has_failed(row));
        Ok(true)
    }

    /// What `plugin` wrote before (everything, when all ran), and the rest.
    fn split(&mut self, derived: Option<&str>, plugin: Option<&str>) -> Result<(Vec<StoredAttribute>, Vec<StoredAttribute>)> {
        let Some(derived) = derived else { return Ok((Vec::new(), Vec::new())) };
        let stored = EventDocuments { attributes: "[]", context: None, derived: Some(derived) };
        let all = Documents::new(self.connection).all(stored)?;
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for attribute in all {
            let is_own = match plugin {
                None => true,
                Some(plugin) => self.plugin(attribute.plugin.unwrap_or_default())? == plugin,
            };
            if is_own { own.push(attribute) } else { others.push(attribute) }
        }
        Ok((own, others))
    }

    /// `run_sets.id` of the runs of others and these, and how the plugin had fared.
    fn runs(
        &mut self,
        stored: Option<&str>,
        plugin: Option<&str>,
        row: &RowResult,
        shared: &mut SharedRows<'c>,
    ) -> Result<(Option<i64>, Before)> {
        let stored: Vec<(i64, String)> = stored.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let mut kept = Vec::new();
        let mut before = Before::default();
        let mut now = Vec::with_capacity(row.runs.len());
        for run in row.runs.iter() {
            now.push(shared.version(&run.plugin)?);
        }
        for (version, outcome) in stored {
            match plugin {
                Some(plugin) if self.plugin(version)? != plugin => kept.push((version, outcome)),
                _ => before = Before { outcome: Some(outcome), is_same: now.contains(&version) },
            }
        }
        Ok((shared.merged_runs(kept, &row.runs)?, before))
    }

    /// `plugin_versions.plugin_id`.
    fn plugin(&mut self, version: i64) -> Result<&str> {
        if !self.plugins.contains_key(&version) {
            let sql = "select plugin_id from plugin_versions where id = ?";
            let id: Option<String> = self.connection.prepare_cached(sql)?.query_row([version], |row| row.get(0)).optional()?;
            self.plugins.insert(version, id.unwrap_or_default().into());
        }
        Ok(self.plugins.get(&version).map_or("", |id| id))
    }

    /// Notes the keys, whose values no index of events' attributes holds.
    fn note_keys(&mut self, row: &RowResult, strings: &mut Strings<'c>) -> Result<()> {
        for derived in &row.derived {
            let key = strings.id(&derived.key)?;
            if self.row_keys.insert(key) {
                self.connection.prepare_cached("insert into row_keys (key) values (?) on conflict (key) do nothing")?.execute([key])?;
            }
        }
        Ok(())
    }

    /// Puts the new values of an event in place of the old ones.
    fn index(&mut self, row: &RowResult, old: &[StoredAttribute]) -> Result<()> {
        for key in &self.indexed {
            let before = old.iter().find(|old| *old.key == *key.text).and_then(|old| IndexValue::of(&old.json));
            let after = row.derived.iter().find(|new| *new.key == *key.text).and_then(|new| IndexValue::of(new.value.as_str()));
            if before == after {
                continue;
            }
            // An event that its key's index has not come to yet is in it anyway then: filling adds what is there.
            let delete = "delete from attribute_values where key = ?1 and value = ?2 and event = ?3
                              and time = (select timestamp from event_rows where id = ?3)";
            let insert = "insert into attribute_values (key, value, time, event) select ?1, ?2, e.timestamp, e.id from event_rows e
                          where e.id = ?3 and exists (select 1 from attribute_keys k where k.key = ?1
                                                      and (e.id <= k.filled or e.id > k.target))";
            if let Some(before) = before {
                self.connection.prepare_cached(delete)?.execute(params![key.id, before, row.row])?;
            }
            if let Some(after) = after {
                self.connection.prepare_cached(insert)?.execute(params![key.id, after, row.row])?;
            }
        }
        Ok(())
    }
}

fn has_failed(row: &RowResult) -> bool {
    row.runs.iter().any(|run| run.outcome != RunOutcome::Ok)
}

/// What reads the derived values and runs of a row, and what writes them.
fn statements(relation: Relation) -> (&'static str, &'static str) {
    match relation {
        Relation::LlmCalls => (
            "select c.derived, r.runs from llm_call_rows c left join run_sets r on r.id = c.runs where c.id = ?",
            "update llm_call_rows set derived = ?2, runs = ?3 where id = ?1",
        ),
        Relation::ToolExecutions => (
            "select x.derived, r.runs from tool_execution_rows x left join run_sets r on r.id = x.runs where x.id = ?",
            "update tool_execution_rows set derived = ?2, runs = ?3 where id = ?1",
        ),
        _ => (
            "select e.derived, r.runs from event_rows e left join run_sets r on r.id = e.runs where e.id = ?",
            "update event_rows set derived = ?2, runs = ?3 where id = ?1",
        ),
    }
}
