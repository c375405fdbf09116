//! Rows that many events share: kinds, contents, contexts, plugin versions, run sets.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Result, Statement, params};
use telemetry_model::outcome::{PluginRun, PluginVersion, RunOutcome};
use telemetry_model::{Digest, DigestKey, Event};

use super::cache::{Cache, DigestCache, DigestState};
use super::strings::Strings;
use crate::content::{Body, Content, Contents, Cutter, Document, Hole};
use crate::prepare::{Context, Environment, PreparedEvent, attribute_document};

/// Lists of runs that are known by their address.
const LAST_RUNS: usize = 16;

pub(crate) struct SharedRows<'c> {
    connection: &'c Connection,
    key: &'c DigestKey,
    kinds: Cache<Box<str>, i64>,
    contents: DigestCache,
    contexts: Cache<Digest, (i64, Option<i64>), DigestState>,
    versions: Cache<Box<str>, i64>,
    runs: Cache<Box<str>, i64>,
    /// The lists that the last events had, which most events share, and their `run_sets.id`.
    last_runs: Vec<(Arc<[PluginRun]>, i64)>,
    scratch: String,
    find_kind: Statement<'c>,
    insert_kind: Statement<'c>,
    insert_content: Statement<'c>,
    find_content: Statement<'c>,
    find_context: Statement<'c>,
    insert_context: Statement<'c>,
    insert_environment: Statement<'c>,
    find_environment: Statement<'c>,
    insert_member: Statement<'c>,
    insert_version: Statement<'c>,
    find_version: Statement<'c>,
    insert_runs: Statement<'c>,
    find_runs: Statement<'c>,
}

impl<'c> SharedRows<'c> {
    pub(crate) fn new(connection: &'c Connection, key: &'c DigestKey) -> Result<Self> {
        Ok(SharedRows {
            connection,
            key,
            kinds: Cache::new(4_096),
            contents: Cache::new(131_072),
            contexts: Cache::new(16_384),
            versions: Cache::new(1_024),
            runs: Cache::new(1_024),
            last_runs: Vec::with_capacity(LAST_RUNS),
            scratch: String::new(),
            find_kind: connection
                .prepare("select id from event_kinds where name = ? and level = ? and schema_version is ? and channel is ?")?,
            insert_kind: connection
                .prepare("insert into event_kinds (name, level, schema_version, channel, family, is_error) values (?, ?, ?, ?, ?, ?)")?,
            insert_content: connection
                .prepare("insert into contents (digest, depth, body) values (?, ?, ?) on conflict (digest) do nothing")?,
            find_content: connection.prepare("select id from contents where digest = ?")?,
            find_context: connection.prepare("select id, environment from contexts where digest = ?")?,
            insert_context: connection.prepare("insert into contexts (digest, environment, attributes) values (?, ?, ?)")?,
            insert_environment: connection.prepare("insert into environments (digest) values (?) on conflict (digest) do nothing")?,
            find_environment: connection.prepare("select id from environments where digest = ?")?,
            insert_member: connection
                .prepare("insert into environment_members (environment, ordinal, key, key_json, value_json) values (?, ?, ?, ?, ?)")?,
            insert_version: connection.prepare(
                "insert into plugin_versions (plugin_id, version, digest, derivation) values (?, ?, ?, ?)
                 on conflict (derivation) do nothing",
            )?,
            find_version: connection.prepare("select id from plugin_versions where derivation = ?")?,
            insert_runs: connection.prepare("insert into run_sets (runs) values (?) on conflict (runs) do nothing")?,
            find_runs: connection.prepare("select id from run_sets where runs = ?")?,
        })
    }

    pub(crate) fn clear(&mut self) {
        self.kinds.clear();
        self.contents.clear();
        self.contexts.clear();
        self.versions.clear();
        self.runs.clear();
        self.last_runs.clear();
    }

    /// `event_kinds.id`.
    pub(crate) fn kind(&mut self, event: &Event) -> Result<i64> {
        let (version, channel) = (event.schema_version.as_deref(), event.channel.as_deref());
        self.scratch.clear();
        for part in [Some(&*event.name), Some(event.level.as_str()), version, channel] {
            // A length before each part keeps different kinds different.
            let length = part.map_or(u32::MAX, |part| part.len() as u32);
            self.scratch.extend(length.to_le_bytes().map(char::from));
            self.scratch.push_str(part.unwrap_or_default());
        }
        if let Some(id) = self.kinds.get(self.scratch.as_str()) {
            return Ok(id);
        }
        let found = self.find_kind.query_row(params![event.name, event.level.as_str(), version, channel], |row| row.get(0)).optional()?;
        let id = match found {
            Some(id) => id,
            None => {
                let (family, is_error) = (event.family().as_str(), event.is_error());
                self.insert_kind.insert(params![event.name, event.level.as_str(), version, channel, family, is_error])?
            }
        };
        if self.scratch.len() <= 1_024 {
            self.kinds.insert(self.scratch.as_str().into(), id);
        }
        Ok(id)
    }

    /// Stores what is new of an event's contents; `ids[n]` becomes the id of the n-th.
    pub(crate) fn contents(&mut self, contents: &Contents, ids: &mut Vec<i64>) -> Result<()> {
        ids.clear();
        for content in &contents.pieces {
            let id = match self.contents.get(&content.digest) {
                Some(id) => id,
                None => self.new_content(content, contents, ids)?,
            };
            ids.push(id);
        }
        Ok(())
    }

    fn new_content(&mut self, content: &Content, contents: &Contents, ids: &[i64]) -> Result<i64> {
        let changed = match &content.body {
            Body::Raw { source, start, end } => {
                let text = contents.raw(*source, *start, *end);
                self.insert_content.execute(params![content.digest.0, content.depth, text])?
            }
            Body::Document(document) => {
                self.scratch.clear();
                document.fill(|hole| known(ids, hole), &mut self.scratch)?;
                self.insert_content.execute(params![content.digest.0, content.depth, self.scratch])?
            }
        };
        let id = match changed {
            0 => self.find_content.query_row([content.digest.0], |row| row.get(0))?,
            _ => self.connection.last_insert_rowid(),
        };
        self.contents.insert(content.digest, id);
        Ok(id)
    }

    /// `contexts.id` and its environment's.
    pub(crate) fn context(&mut self, context: &Context, strings: &mut Strings<'c>) -> Result<(i64, Option<i64>)> {
        if let Some(found) = self.contexts.get(&context.digest) {
            return Ok(found);
        }
        let stored = self.find_context.query_row([context.digest.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let found = match stored {
            Some(found) => found,
            None => self.new_context(context, strings)?,
        };
        self.contexts.insert(context.digest, found);
        Ok(found)
    }

    fn new_context(&mut self, context: &Context, strings: &mut Strings<'c>) -> Result<(i64, Option<i64>)> {
        let environment = context.environment.as_ref().map(|environment| self.environment(environment)).transpose()?;
        let mut contents = Contents::default();
        let pairs = context.attributes.clone();
        let (document, keys) = attribute_document(pairs, &mut Cutter::new(self.key, &mut contents));
        let mut ids = Vec::new();
        self.contents(&contents, &mut ids)?;
        let mut text = String::new();
        let hole = |hole| match hole {
            Hole::Key(index) => keys.get(index as usize).map_or(Err(unknown()), |key| strings.id(key)),
            _ => known(&ids, hole),
        };
        document.fill(hole, &mut text)?;
        let id = self.insert_context.insert(params![context.digest.0, environment, text])?;
        Ok((id, environment))
    }

    fn environment(&mut self, environment: &Environment) -> Result<i64> {
        if self.insert_environment.execute([environment.digest.0])? == 0 {
            return self.find_environment.query_row([environment.digest.0], |row| row.get(0));
        }
        let id = self.connection.last_insert_rowid();
        for (ordinal, (key, value)) in environment.members.iter().enumerate() {
            let key_json = serde_json::Value::from(&**key).to_string();
            self.insert_member.execute(params![id, ordinal as i64, key, key_json, value.as_str()])?;
        }
        Ok(id)
    }

    /// `plugin_versions.id`.
    pub(crate) fn version(&mut self, version: &Arc<PluginVersion>) -> Result<i64> {
        if let Some(id) = self.versions.get(&*version.derivation) {
            return Ok(id);
        }
        let PluginVersion { plugin_id, version, digest, derivation } = &**version;
        let id = match self.insert_version.execute(params![plugin_id, version, digest, derivation])? {
            0 => self.find_version.query_row([derivation], |row| row.get(0))?,
            _ => self.connection.last_insert_rowid(),
        };
        self.versions.insert(derivation.clone(), id);
        Ok(id)
    }

    /// `run_sets.id`; `None` when no plugin ran.
    pub(crate) fn runs(&mut self, runs: &Arc<[PluginRun]>) -> Result<Option<i64>> {
        if runs.is_empty() {
            return Ok(None);
        }
        if let Some((_, id)) = self.last_runs.iter().find(|(known, _)| Arc::ptr_eq(known, runs)) {
            return Ok(Some(*id));
        }
        let mut text = String::from("[");
        for run in runs.iter() {
            let id = self.version(&run.plugin)?;
            let separator = if text.len() > 1 { "," } else { "" };
            text.push_str(&format!("{separator}[{id},\"{}\"]", outcome_word(run.outcome)));
        }
        text.push(']');
        let id = self.run_set(text)?;
        if self.last_runs.len() >= LAST_RUNS {
            self.last_runs.clear();
        }
        self.last_runs.push((Arc::clone(runs), id));
        Ok(Some(id))
    }

    /// `run_sets.id` of runs that are stored and others; `None` when there are none.
    pub(crate) fn merged_runs(&mut self, stored: Vec<(i64, String)>, runs: &[PluginRun]) -> Result<Option<i64>> {
        let mut all = stored;
        for run in runs {
            all.push((self.version(&run.plugin)?, outcome_word(run.outcome).to_owned()));
        }
        if all.is_empty() {
            return Ok(None);
        }
        all.sort();
        self.run_set(serde_json::to_string(&all).unwrap_or_default()).map(Some)
    }

    fn run_set(&mut self, text: String) -> Result<i64> {
        if let Some(id) = self.runs.get(text.as_str()) {
            return Ok(id);
        }
        let id = match self.insert_runs.execute([&text])? {
            0 => self.find_runs.query_row([&text], |row| row.get(0))?,
            _ => self.connection.last_insert_rowid(),
        };
        self.runs.insert(text.into(), id);
        Ok(id)
    }

    /// The finished text of a document of `event`, whose contents have `ids`.
    pub(crate) fn document(
        &mut self,
        document: &Document,
        event: &PreparedEvent,
        ids: &[i64],
        strings: &mut Strings<'c>,
        out: &mut String,
    ) -> Result<()> {
        out.clear();
        let id = |hole| match hole {
            Hole::Key(index) => event.keys.get(index as usize).map_or(Err(unknown()), |key| strings.id(key)),
            Hole::Version(index) => event.versions.get(index as usize).map_or(Err(unknown()), |version| self.version(version)),
            Hole::Content(_) => known(ids, hole),
        };
        document.fill(id, out)
    }
}

fn known(ids: &[i64], hole: Hole) -> Result<i64> {
    match hole {
        Hole::Content(index) => ids.get(index as usize).copied().ok_or_else(unknown),
        _ => Err(unknown()),
    }
}

/// A hole that names nothing: a fault of ours, which fails the event and not the writer.
fn unknown() -> rusqlite::Error {
    rusqlite::Error::InvalidQuery
}

/// The word of an outcome in SQL and JSON.
pub(crate) fn outcome_word(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Ok => "ok",
        RunOutcome::Trap => "trap",
        RunOutcome::Deadline => "deadline",
        RunOutcome::Memory => "memory",
        RunOutcome::Declined => "declined",
        RunOutcome::BreakerOpen => "breaker-open",
    }
}
