//! Which stored rows, and which values of a metric, would change with another version of a plugin.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};
use telemetry_model::outcome::RunOutcome;
use telemetry_model::query::Window;
use telemetry_model::{Relation, Timestamp};
use telemetry_plugins::{Metric, PluginKind};
use telemetry_store::{RowReference, Snapshot};

use super::alone::Alone;
use super::effects::{Effects, Readers};
use super::groups::{Asking, Groups, groups};
use super::ledger::Ledger;
use super::opened::{Opened, Version};
use super::said::{Said, is_paged, said};
use super::{HistoryError, word};
use crate::analysis::params::{InvalidParams, Problem};
use crate::analysis::report::row_query;
use crate::analysis::request::{Manner, ReportRequest, Setting};

/// Rows of a page, and ids of a stretch of a metric's rows.
const ROWS: u32 = 256;
const STRETCH: i64 = 1_024;
/// Bytes of values that are listed; more are only counted.
const MOST_BYTES: usize = 16 << 20;

/// What is asked beside the two plugins.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// By the rows' own time.
    pub window: Window,
    /// Changes, and groups that differ, to be listed at most; all are counted.
    pub limit: usize,
    /// Parameters of reports, as in their query: of a metric's own, or of those of metrics that read what an enricher writes.
    pub query: Vec<(String, String)>,
}

/// Something of the old plugin and of the new.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sides<T> {
    /// With the old one.
    pub old: T,
    /// With the new one.
    pub new: T,
}

/// One value that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Of which row.
    pub row: RowReference,
    /// An attribute, a violation by field and code, a place in the event, a column. `None`: the two do not fare alike, and that is what
    /// `old` and `new` say.
    pub key: Option<String>,
    /// With the old plugin; null for none.
    pub old: Value,
    /// With the new plugin; null for none.
    pub new: Value,
}

/// How often a key differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KeyTotals {
    /// Another value.
    pub changed: u64,
    /// A value where there was none.
    pub added: u64,
    /// No value where there was one.
    pub removed: u64,
}

/// What would change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// The old plugin.
    pub old: Version,
    /// The new one.
    pub new: Version,
    /// What both are.
    pub kind: &'static str,
    /// Whose rows both take.
    pub source: &'static str,
    /// Rows from then on.
    pub from_time: Option<Timestamp>,
    /// Rows before then.
    pub to_time: Option<Timestamp>,
    /// Rows that were compared.
    pub rows: u64,
    /// Rows of which a value differs.
    pub changed_rows: u64,
    /// Values that differ.
    pub changes: u64,
    /// By key.
    pub keys: BTreeMap<String, KeyTotals>,
    /// Rows on which each failed.
    pub failed: Sides<u64>,
    /// Events that cannot be made again as a plugin would see them.
    pub unreadable: u64,
    /// The values that differ, at most so many as were asked for, and at most 16 MiB of them.
    pub items: Vec<Change>,
    /// Of metrics: their reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Groups>,
    /// Of enrichers: the reports that read what they write.
    #[serde(flatten)]
    pub effects: Option<Effects>,
}

/// Runs both plugins over the stored rows of a snapshot and compares what they say. `progress` is told how many rows are done, and
/// ends it with false.
///
/// # Errors
/// [`HistoryError`].
pub fn diff(
    snapshot: &Snapshot,
    plugins: &Sides<Opened>,
    asked: &Asked,
    ledger: &mut Ledger,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Diff, HistoryError> {
    let (old, new) = (&plugins.old, &plugins.new);
    comparable(old, new, asked)?;
    let mut work = Work { snapshot, plugins, asked, ledger, progress, diff: empty(plugins, asked), listed_bytes: 0 };
    match old.kind() {
        PluginKind::Metric => work.metrics()?,
        PluginKind::Enricher => work.enrichers()?,
        PluginKind::Validator | PluginKind::Masker => work.pages(None)?,
    }
    Ok(work.diff)
}

/// The plugins whose attributes the rows are without, and the command, as a journal's entry says it.
pub fn detail(command: &str, plugins: &[&Opened]) -> Value {
    let mut ids: Vec<&str> = plugins.iter().map(|plugin| plugin.id()).collect();
    ids.dedup();
    json!({ "command": command, "without": ids, "plugins": plugins.iter().map(|plugin| plugin.version()).collect::<Vec<_>>() })
}

fn comparable(old: &Opened, new: &Opened, asked: &Asked) -> Result<(), HistoryError> {
    if old.kind() != new.kind() {
        let (old_kind, new_kind) = (word(old.status.kind), word(new.status.kind));
        return Err(HistoryError::Kinds { old: old.id().to_owned(), old_kind, new: new.id().to_owned(), new_kind });
    }
    if old.source() != new.source() {
        let (old_source, new_source) = (old.source().as_str(), new.source().as_str());
        return Err(HistoryError::Sources { old: old.id().to_owned(), old_source, new: new.id().to_owned(), new_source });
    }
    if let (Some((name, _)), PluginKind::Validator | PluginKind::Masker) = (asked.query.first(), old.kind()) {
        let reason = format!("only a metric or an enricher takes parameters of a report, not a {}", old.kind().as_str());
        return Err(InvalidParams(vec![Problem { field: name.clone(), reason }]).into());
    }
    Ok(())
}

fn empty(plugins: &Sides<Opened>, asked: &Asked) -> Diff {
    Diff {
        old: plugins.old.version(),
        new: plugins.new.version(),
        kind: plugins.old.kind().as_str(),
        source: plugins.old.source().as_str(),
        from_time: asked.window.from,
        to_time: asked.window.to,
        rows: 0,
        changed_rows: 0,
        changes: 0,
        keys: BTreeMap::new(),
        failed: Sides::default(),
        unreadable: 0,
        items: Vec::new(),
        groups: None,
        effects: None,
    }
}

struct Work<'a> {
    snapshot: &'a Snapshot,
    plugins: &'a Sides<Opened>,
    asked: &'a Asked,
    ledger: &'a mut Ledger,
    progress: &'a mut dyn FnMut(u64) -> bool,
    diff: Diff,
    /// Of the values that are listed.
    listed_bytes: usize,
}

impl Work<'_> {
    /// An enricher's rows, then the reports of metrics that read what it writes.
    fn enrichers(&mut self) -> Result<(), HistoryError> {
        let mut readers = Readers::find(self.plugins, self.asked, self.ledger.time())?;
        self.pages(Some(&mut readers))?;
        let changed = self.diff.keys.keys().map(String::as_str).collect();
        self.diff.effects = Some(readers.effects(self.snapshot, self.plugins, &changed, self.asked.limit, self.ledger)?);
        Ok(())
    }

    /// Events, calls or executions in the order of their time. `readers` are told what both say of each.
    fn pages(&mut self, mut readers: Option<&mut Readers>) -> Result<(), HistoryError> {
        let relation = self.plugins.old.source();
        debug_assert!(is_paged(relation), "no plugin but a metric takes rows of {relation}");
        let without = [self.plugins.old.id(), self.plugins.new.id()];
        let mut after = None;
        loop {
            let rows = self.snapshot.window_rows(relation, self.asked.window, after, i64::MAX, ROWS)?;
            let ids: Vec<i64> = rows.iter().map(|(_, id)| *id).collect();
            if ids.is_empty() {
                return Ok(());
            }
            let old = said(&self.plugins.old, self.snapshot, &ids, &without, self.ledger)?;
            let new = said(&self.plugins.new, self.snapshot, ids.get(..old.len()).unwrap_or(&ids), &without, self.ledger)?;
            let both = old.iter().zip(&new);
            let mut done = 0;
            for (id, (old, new)) in ids.iter().zip(both) {
                self.compare(relation, *id, old, new)?;
                if let Some(readers) = &mut readers {
                    readers.put(*id, old, new);
                }
                done += 1;
            }
            let Some(last) = rows.get(..done).and_then(<[_]>::last) else { return Ok(()) };
            after = Some(*last);
            self.tell()?;
        }
    }

    /// A metric's rows one by one, then its reports.
    fn metrics(&mut self) -> Result<(), HistoryError> {
        let metric = |opened: &Opened| opened.catalog().metric(opened.id()).map_err(|error| HistoryError::Unknown(error.to_string()));
        let metrics = Sides { old: metric(&self.plugins.old)?, new: metric(&self.plugins.new)? };
        let both = [&metrics.old, &metrics.new].map(Arc::clone);
        let asked = |metric: &Arc<Metric>| request(metric, &both, self.asked, self.ledger.time());
        let requests = Sides { old: asked(&metrics.old)?, new: asked(&metrics.new)? };
        let relation = self.plugins.old.source();
        let query = |metric: &Metric, request: &ReportRequest| {
            let mut query = row_query(metric.spec(), request);
            (query.group_by, query.interval) = (Vec::new(), None);
            query
        };
        let alone = Sides {
            old: Alone { metric: &metrics.old, parameters: &requests.old.parameters, query: query(&metrics.old, &requests.old) },
            new: Alone { metric: &metrics.new, parameters: &requests.new.parameters, query: query(&metrics.new, &requests.new) },
        };
        if let Some((first, last)) = self.snapshot.row_range(relation)? {
            let mut start = first;
            while start <= last {
                let range = (start, last.min(start + STRETCH - 1));
                let old = alone.old.said(self.snapshot, range, self.ledger)?;
                let new = alone.new.said(self.snapshot, range, self.ledger)?;
                let nothing = Said::default();
                let ids = old.keys().chain(new.keys().filter(|id| !old.contains_key(id)));
                for id in ids {
                    self.compare(relation, *id, old.get(id).unwrap_or(&nothing), new.get(id).unwrap_or(&nothing))?;
                }
                start = range.1 + 1;
                self.tell()?;
            }
        }
        let asking = |metric, request| Asking { metric, request, instead: None };
        let both = Sides { old: asking(metrics.old, requests.old), new: asking(metrics.new, requests.new) };
        self.diff.groups = Some(groups(self.snapshot, both, self.asked.limit, self.ledger)?);
        Ok(())
    }

    fn tell(&mut self) -> Result<(), HistoryError> {
        if (self.progress)(self.diff.rows) { Ok(()) } else { Err(HistoryError::Stopped) }
    }

    fn compare(&mut self, relation: Relation, id: i64, old: &Said, new: &Said) -> Result<(), HistoryError> {
        let diff = &mut self.diff;
        diff.rows += 1;
        diff.unreadable += u64::from(old.is_unreadable || new.is_unreadable);
        let has_failed = |said: &Said| u64::from(said.outcome.is_some_and(|outcome| outcome != RunOutcome::Ok));
        diff.failed.old += has_failed(old);
        diff.failed.new += has_failed(new);
        let mut found: Vec<(Option<String>, Value, Value)> = Vec::new();
        if has_failed(old) + has_failed(new) > 0 && old.outcome != new.outcome {
            found.push((None, json!(old.outcome), json!(new.outcome)));
        }
        let names = old.values.keys().chain(new.values.keys().filter(|name| !old.values.contains_key(*name)));
        for name in names {
            let value = |said: &Said| said.values.get(name).cloned().unwrap_or_default();
            let (before, after) = (value(old), value(new));
            if before != after {
                diff.keys.entry(name.clone()).or_default().count(&before, &after);
                found.push((Some(name.clone()), before, after));
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        diff.changed_rows += 1;
        diff.changes += found.len() as u64;
        if diff.items.len() < self.asked.limit && self.listed_bytes < MOST_BYTES {
            self.listed_bytes += found.iter().map(|(_, old, new)| old.to_string().len() + new.to_string().len()).sum::<usize>();
            let row = self.snapshot.row_reference(relation, id)?;
            let room = self.asked.limit - diff.items.len();
            let change = |(key, old, new)| Change { row: row.clone(), key, old, new };
            diff.items.extend(found.into_iter().take(room).map(change));
        }
        Ok(())
    }
}

/// The request of a report by `metric`: what only some of `others` have as a parameter, it is not asked with.
pub(super) fn request(metric: &Arc<Metric>, others: &[Arc<Metric>], asked: &Asked, now: Timestamp) -> Result<ReportRequest, InvalidParams> {
    let spec = metric.spec();
    let mut settings: Vec<Setting> = Vec::new();
    for (name, parameter) in std::iter::once(metric).chain(others).flat_map(|metric| metric.spec().parameters.parameters()) {
        if settings.iter().all(|known| *known.name != **name) {
            settings.push(Setting { name: name.as_str().into(), ty: parameter.ty });
        }
    }
    let mut query = asked.query.clone();
    let window = [("from_time", asked.window.from), ("to_time", asked.window.to)];
    query.extend(window.into_iter().filter_map(|(name, time)| Some((name.to_owned(), time?.to_string()))));
    let read = ReportRequest::read(&query, spec.source, &settings, Manner::REPORT, now)?;
    let known = spec.parameters.parameters();
    let parameters: Map<_, _> = read.parameters.clone().into_iter().filter(|(name, _)| known.contains_key(name)).collect();
    Ok(ReportRequest { parameters, ..read })
}

impl KeyTotals {
    fn count(&mut self, old: &Value, new: &Value) {
        match (old.is_null(), new.is_null()) {
            (true, false) => self.added += 1,
            (false, true) => self.removed += 1,
            _ => self.changed += 1,
        }
    }
}
