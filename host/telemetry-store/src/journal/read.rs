//! Reading the journal: sums by subject, who saw an event or a session, and the entries themselves for those who verify.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row};
use telemetry_model::journal::{IdRuns, LookedUp, Subject};
use telemetry_model::{Relation, Timestamp};

use super::ACCESSES;
use super::chain::{AccessRow, EntryRow};
use crate::error::StoreError;
use crate::read::Snapshot;

/// What one subject was ever handed.
#[derive(Clone, Debug)]
pub struct SubjectTotals {
    /// Who.
    pub subject: Subject,
    /// Entries that name it.
    pub entries: i64,
    /// Rows handed in.
    pub rows: i64,
    /// Bytes copied in.
    pub bytes: i64,
    /// The first entry's time.
    pub first_time: Timestamp,
    /// The last one's.
    pub last_time: Timestamp,
    /// What it asked of tables.
    pub lookups: Vec<LookedUp>,
}

/// That a subject was handed rows of what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenBy {
    /// SHA-256 of the component.
    pub digest: String,
    /// The manifest's version.
    pub version: String,
    /// `write`, `query`, `job` or `offline`.
    pub kind: String,
    /// Entries in which it was.
    pub entries: u64,
    /// How often a row was handed in, by outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// The first entry.
    pub first_entry: i64,
    /// The last one.
    pub last_entry: i64,
}

/// What is asked for in the journal.
struct Sought {
    events: Vec<i64>,
    rows: BTreeMap<Relation, Vec<i64>>,
}

/// A stretch of the journal in order.
pub type JournalRead = Vec<(EntryRow, Vec<AccessRow>)>;

impl Snapshot {
    /// What each version of `plugin_id` was ever handed, in the order of their first appearance.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn journal_totals(&self, plugin_id: &str) -> Result<Vec<SubjectTotals>, StoreError> {
        self.read("read the journal's sums", |connection| {
            let mut statement = connection.prepare_cached(
                "select s.text, t.entries, t.rows, t.bytes, t.first_time, t.last_time, s.id from journal_subjects s
                 join journal_totals t on t.subject = s.id where s.plugin_id = ?1 order by s.id",
            )?;
            let mut rows = statement.query([plugin_id])?;
            let mut totals = Vec::new();
            while let Some(row) = rows.next()? {
                let Some(subject) = Subject::parse(row.get_ref(0)?.as_str()?) else { continue };
                totals.push(SubjectTotals {
                    subject,
                    entries: row.get(1)?,
                    rows: row.get(2)?,
                    bytes: row.get(3)?,
                    first_time: Timestamp(row.get(4)?),
                    last_time: Timestamp(row.get(5)?),
                    lookups: looked_up(connection, row.get(6)?)?,
                });
            }
            Ok(totals)
        })
    }

    /// Which versions of `plugin_id` were handed event `id`, or a row made of it. The event itself may be gone.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn journal_saw_event(&self, plugin_id: &str, id: i64) -> Result<Vec<SeenBy>, StoreError> {
        self.read("look an event up in the journal", |connection| seen(connection, plugin_id, &of_event(connection, id)?))
    }

    /// Which versions of `plugin_id` were handed events of `session_id` that are still stored, or rows made of them; and how many
    /// events of it are stored.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn journal_saw_session(&self, plugin_id: &str, session_id: &str) -> Result<(Vec<SeenBy>, usize), StoreError> {
        self.read("look a session up in the journal", |connection| {
            let sought = of_session(connection, session_id)?;
            Ok((seen(connection, plugin_id, &sought)?, sought.events.len()))
        })
    }

    /// Up to `limit` entries from number `from` on, in order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn journal_entries(&self, from: i64, limit: u32) -> Result<JournalRead, StoreError> {
        self.read("read the journal", |connection| {
            let sql = "select id, time, kind, first_event, last_event, first_quarantine, last_quarantine, unstored, as_of, detail, marks,
                              chain from journal_entries where id >= ?1 order by id limit ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let entries = statement.query_map((from, limit), entry)?.collect::<rusqlite::Result<Vec<_>>>()?;
            entries
                .into_iter()
                .map(|entry| Ok((accesses(connection, entry.id)?, entry)).map(|(accesses, entry)| (entry, accesses)))
                .collect()
        })
    }

    /// The detail of the last entry of what serves.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn journal_catalog(&self) -> Result<Option<String>, StoreError> {
        self.read("read the journal's last catalog", |connection| {
            let sql = "select detail from journal_entries where kind = 'catalog' order by id desc limit 1";
            Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, Option<String>>(0)).optional()?.flatten())
        })
    }

    /// The last entry after which stored texts were masked again; 0 without one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn journal_masked_again(&self) -> Result<i64, StoreError> {
        self.read("look for masking of stored rows in the journal", |connection| {
            let sql = "select coalesce(max(id), 0) from journal_entries where kind = 'offline' and detail ->> 'command' = 'mask replay'";
            connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
        })
    }

    /// Digest and text of a subject.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn journal_subject(&self, id: i64) -> Result<Option<(Vec<u8>, String)>, StoreError> {
        self.read("read a subject of the journal", |connection| {
            let sql = "select digest, text from journal_subjects where id = ?1";
            connection.prepare_cached(sql)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
    }

    /// The number of the last event; 0 without one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn last_event(&self) -> Result<i64, StoreError> {
        self.read("read the last event's number", |connection| {
            let sql = "select coalesce(max(id), 0) from event_rows";
            connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
        })
    }
}

fn looked_up(connection: &Connection, subject: i64) -> rusqlite::Result<Vec<LookedUp>> {
    let sql = "select table_name, lookups, bytes from journal_lookup_totals where subject = ?1 order by table_name";
    let mut statement = connection.prepare_cached(sql)?;
    let count = |row: &Row<'_>, at| row.get::<_, i64>(at).map(|count| count.max(0) as u64);
    let row = |row: &Row<'_>| Ok(LookedUp { table: row.get::<_, String>(0)?.into(), count: count(row, 1)?, bytes: count(row, 2)? });
    statement.query_map([subject], row)?.collect()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<EntryRow> {
    Ok(EntryRow {
        id: row.get(0)?,
        time: row.get(1)?,
        kind: row.get(2)?,
        first_event: row.get(3)?,
        last_event: row.get(4)?,
        first_quarantine: row.get(5)?,
        last_quarantine: row.get(6)?,
        unstored: row.get(7)?,
        as_of: row.get(8)?,
        detail: row.get(9)?,
        marks: row.get(10)?,
        chain: row.get(11)?,
    })
}

fn accesses(connection: &Connection, entry: i64) -> rusqlite::Result<Vec<AccessRow>> {
    let sql = "select a.subject, s.digest, a.rows, a.bytes, a.members, a.outcomes, a.input, a.output, a.marks, a.lookups
               from journal_accesses a left join journal_subjects s on s.id = a.subject where a.id >= ?1 and a.id < ?2 order by a.id";
    let mut statement = connection.prepare_cached(sql)?;
    let first = entry.saturating_mul(ACCESSES);
    let rows = statement.query_map((first, first.saturating_add(ACCESSES)), |row| {
        Ok(AccessRow {
            subject: row.get(0)?,
            subject_digest: row.get::<_, Option<Vec<u8>>>(1)?.unwrap_or_default(),
            rows: row.get(2)?,
            bytes: row.get(3)?,
            members: row.get(4)?,
            outcomes: row.get(5)?,
            input: row.get(6)?,
            output: row.get(7)?,
            marks: row.get(8)?,
            lookups: row.get(9)?,
        })
    })?;
    rows.collect()
}

fn ids(connection: &Connection, sql: &str, value: &dyn rusqlite::ToSql) -> rusqlite::Result<Vec<i64>> {
    connection.prepare_cached(sql)?.query_map([value], |row| row.get(0))?.collect()
}

fn of_event(connection: &Connection, id: i64) -> rusqlite::Result<Sought> {
    let found = |sql| ids(connection, sql, &id);
    let call = "select c.id from event_rows e join llm_call_rows c on c.trace = e.trace and c.span = e.span where e.id = ?1
                union select id from llm_call_rows where event_id = ?1 order by 1";
    let execution = "select c.id from event_rows e join tool_execution_rows c on c.trace = e.trace and c.span = e.span where e.id = ?1
                     union select id from tool_execution_rows where event_id = ?1 order by 1";
    let rows = [
        (Relation::Events, vec![id]),
        (Relation::SecurityAlerts, vec![id]),
        (Relation::LlmCalls, found(call)?),
        (Relation::ToolExecutions, found(execution)?),
        (Relation::Sessions, found("select session from event_rows where id = ?1 and session is not null")?),
    ];
    Ok(Sought { events: vec![id], rows: rows.into() })
}

fn of_session(connection: &Connection, session: &str) -> rusqlite::Result<Sought> {
    let own = ids(connection, "select id from strings where text = ?1", &session)?;
    let Some(own) = own.first().copied() else { return Ok(Sought { events: Vec::new(), rows: BTreeMap::new() }) };
    let found = |sql| ids(connection, sql, &own);
    let events = found("select id from event_rows where session = ?1 order by id")?;
    let rows = [
        (Relation::Events, events.clone()),
        (Relation::SecurityAlerts, events.clone()),
        (Relation::LlmCalls, found("select id from llm_call_rows where session = ?1 order by id")?),
        (Relation::ToolExecutions, found("select id from tool_execution_rows where session = ?1 order by id")?),
        (Relation::Sessions, vec![own]),
    ];
    Ok(Sought { events, rows: rows.into() })
}

fn seen(connection: &Connection, plugin_id: &str, sought: &Sought) -> rusqlite::Result<Vec<SeenBy>> {
    let mut statement = connection.prepare_cached("select id, text from journal_subjects where plugin_id = ?1")?;
    let subjects = statement.query_map([plugin_id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let subjects = subjects.collect::<rusqlite::Result<BTreeMap<_, _>>>()?;
    let subjects: BTreeMap<i64, Subject> = subjects.into_iter().filter_map(|(id, text)| Some((id, Subject::parse(&text)?))).collect();
    let mut found = Found { subjects: &subjects, seen: BTreeMap::new() };
    found.writes(connection, &sought.events)?;
    found.others(connection, &sought.rows)?;
    Ok(found.seen.into_values().collect())
}

struct Found<'s> {
    subjects: &'s BTreeMap<i64, Subject>,
    seen: BTreeMap<(i64, String), SeenBy>,
}

impl Found<'_> {
    fn note(&mut self, subject: i64, entry: &EntryRow, outcomes: BTreeMap<String, u64>) {
        let Some(who) = self.subjects.get(&subject).filter(|_| !outcomes.is_empty()) else { return };
        let seen = self.seen.entry((subject, entry.kind.clone())).or_insert_with(|| SeenBy {
            digest: who.plugin.digest.to_string(),
            version: who.plugin.version.to_string(),
            kind: entry.kind.clone(),
            entries: 0,
            outcomes: BTreeMap::new(),
            first_entry: entry.id,
            last_entry: entry.id,
        });
        seen.entries += 1;
        seen.last_entry = entry.id;
        outcomes.into_iter().for_each(|(outcome, count)| *seen.outcomes.entry(outcome).or_default() += count);
    }

    /// Transactions that stored `events`, which are in order.
    fn writes(&mut self, connection: &Connection, mut events: &[i64]) -> rusqlite::Result<()> {
        let sql = "select id, time, kind, first_event, last_event, first_quarantine, last_quarantine, unstored, as_of, detail, null, chain
                   from journal_entries where last_event >= ?1 order by last_event limit 1";
        let mut find = connection.prepare_cached(sql)?;
        while let Some(first) = events.first() {
            let Some(entry) = find.query_row([first], entry).optional()? else { break };
            let (start, end) = (entry.first_event.unwrap_or_default(), entry.last_event.unwrap_or_default());
            let (inside, rest) = events.split_at(events.partition_point(|id| *id <= end));
            events = rest;
            for access in accesses(connection, entry.id)? {
                let failed = failed(access.outcomes.as_deref());
                let mut outcomes = BTreeMap::new();
                for id in inside.iter().filter(|id| **id >= start) {
                    let place = (*id - start) as u64;
                    if access.has(place) {
                        let outcome = failed.get(&Some(place)).map_or("ok", String::as_str);
                        *outcomes.entry(outcome.to_owned()).or_default() += 1;
                    }
                }
                self.note(access.subject, &entry, outcomes);
            }
        }
        Ok(())
    }

    /// Queries, jobs and commands that were handed any of `rows`.
    fn others(&mut self, connection: &Connection, rows: &BTreeMap<Relation, Vec<i64>>) -> rusqlite::Result<()> {
        let sql = "select id, time, kind, first_event, last_event, first_quarantine, last_quarantine, unstored, as_of, null, null, chain
                   from journal_entries where kind <> 'write' and kind <> 'catalog' order by id";
        let mut statement = connection.prepare_cached(sql)?;
        let mut entries = statement.query([])?;
        while let Some(row) = entries.next()? {
            let entry = entry(row)?;
            for access in accesses(connection, entry.id)? {
                let Some(subject) = self.subjects.get(&access.subject) else { continue };
                let Some(wanted) = rows.get(&subject.source).filter(|wanted| !wanted.is_empty()) else { continue };
                let runs = access.members.as_deref().and_then(IdRuns::read).unwrap_or_default();
                let within = |id: &&i64| runs.iter().any(|(first, count)| **id >= *first && (**id - *first) < *count as i64);
                let count = wanted.iter().filter(within).count() as u64;
                let outcome = failed(access.outcomes.as_deref()).into_values().next().unwrap_or_else(|| "ok".to_owned());
                self.note(access.subject, &entry, if count > 0 { [(outcome, count)].into() } else { BTreeMap::new() });
            }
        }
        Ok(())
    }
}

impl AccessRow {
    /// Whether the row at `place` of a write was handed in.
    pub fn has(&self, place: u64) -> bool {
        let Some(members) = &self.members else { return true };
        members.get((place / 8) as usize).is_some_and(|byte| byte & (1 << (place % 8)) != 0)
    }
}

/// Outcomes that were not ok, by place.
fn failed(outcomes: Option<&str>) -> BTreeMap<Option<u64>, String> {
    let listed: Vec<(Option<u64>, String)> = outcomes.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    listed.into_iter().collect()
}

/// What is left of a range of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uncovered {
    /// Events of the range on which plugins ran.
    pub events: i64,
    /// The first of them.
    pub first: Option<i64>,
}

impl Snapshot {
    /// Events of (after, before) on which plugins ran.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn journal_uncovered(&self, after: i64, before: i64) -> Result<Uncovered, StoreError> {
        self.read("look for events that the journal does not name", |connection| {
            // A masker may have run on an event without being handed anything of it.
            let sql = "select count(*), min(e.id) from event_rows e where e.id > ?1 and e.id < ?2 and exists (
                           select 1 from run_sets s, json_each(s.runs) r
                           join plugin_versions v on v.id = r.value ->> 0
                           join journal_subjects j on j.text ->> 'derivation' = v.derivation
                           where s.id = e.runs and r.value ->> 1 <> 'breaker-open' and j.text ->> 'kind' <> 'masker')";
            connection.prepare_cached(sql)?.query_row((after, before), |row| Ok(Uncovered { events: row.get(0)?, first: row.get(1)? }))
        })
    }

    /// Whether events behind `as_of` may have changed row `id` of `relation`: they are of its trace or session.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn journal_changed(&self, relation: Relation, id: i64, as_of: i64) -> Result<bool, StoreError> {
        let sql = match relation {
            Relation::Events => return Ok(false),
            Relation::LlmCalls => {
                "select exists (select 1 from llm_call_rows r join event_rows e on e.trace = r.trace or e.session = r.session
                 where r.id = ?1 and e.id > ?2)"
            }
            Relation::ToolExecutions => {
                "select exists (select 1 from tool_execution_rows r join event_rows e on e.trace = r.trace or e.session = r.session
                 where r.id = ?1 and e.id > ?2)"
            }
            Relation::Sessions => "select exists (select 1 from event_rows e where e.session = ?1 and e.id > ?2)",
            Relation::SecurityAlerts => {
                "select exists (select 1 from security_alert_rows r join event_rows e on e.trace = r.trace where r.event_id = ?1 and e.id > ?2)"
            }
        };
        self.read("look for later events of a row", |connection| connection.prepare_cached(sql)?.query_row((id, as_of), |row| row.get(0)))
    }
}
