//! What an enricher's other values do to the reports of metrics: both evaluated over the same rows, once with the values of each version.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use telemetry_model::{Field, Relation, Timestamp};
use telemetry_plugins::{Metric, PluginKind, PluginState};
use telemetry_store::{Instead, Snapshot};

use super::diff::{Asked, Sides, request};
use super::groups::{Asking, Groups, groups};
use super::ledger::Ledger;
use super::opened::Opened;
use super::said::Said;
use super::{HistoryError, word};
use crate::analysis::params::InvalidParams;
use crate::analysis::request::ReportRequest;

/// The reports that read what an enricher writes, where that differs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Effects {
    /// Of each metric that was evaluated with both.
    pub metrics: Vec<Effect>,
    /// What else would change, and cannot be told.
    pub untold: Vec<Untold>,
}

/// What becomes of the report of one metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effect {
    /// Which.
    pub id: String,
    /// The keys that differ and that its report reads, groups or chooses rows by.
    pub keys: Vec<String>,
    /// Its rows.
    pub groups: Groups,
}

/// A plugin that reads keys that differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Untold {
    /// Which.
    pub id: String,
    /// What it is.
    pub kind: &'static str,
    /// The keys.
    pub keys: Vec<String>,
    /// Why it is not told.
    pub reason: String,
}

/// Metrics whose reports may differ, and what both versions say of each row.
pub(super) struct Readers {
    readers: Vec<Reader>,
    said: Sides<Instead>,
    is_full: bool,
}

/// A metric that reads a key that one of the two may write.
struct Reader {
    id: String,
    keys: BTreeSet<Box<str>>,
    /// It reads all attributes as one value.
    takes_all: bool,
    /// As it serves beside each of the two, or why it does not.
    metrics: Sides<Result<Arc<Metric>, String>>,
    request: Result<ReportRequest, InvalidParams>,
}

impl Readers {
    /// # Errors
    /// When no metric at all takes the parameters that are asked.
    pub(super) fn find(plugins: &Sides<Opened>, asked: &Asked, now: Timestamp) -> Result<Self, HistoryError> {
        let (old, new) = (plugins.old.catalog(), plugins.new.catalog());
        let writes = plugins.old.status.writes.iter().chain(&plugins.new.status.writes);
        let written: BTreeSet<Box<str>> = writes.map(|column| column.name.as_str().into()).collect();
        let metrics: BTreeMap<_, _> =
            old.metrics().into_iter().chain(new.metrics()).map(|metric| (metric.spec().id.clone(), metric)).collect();
        let metrics: Vec<_> = metrics.into_values().collect();
        let (mut readers, mut refused, mut taken) = (Vec::new(), None, false);
        for metric in metrics.iter().filter(|metric| reaches(plugins.old.source(), metric.spec().source)) {
            let spec = metric.spec();
            let request = request(metric, &metrics, asked, now);
            match &request {
                Ok(_) => taken = true,
                Err(error) => refused = refused.or_else(|| Some(error.clone())),
            }
            let fields = fields(metric, request.as_ref().ok());
            let keys = fields.iter().filter_map(|field| attribute(field)).filter(|key| written.contains(*key)).map(Into::into).collect();
            let takes_all = fields.contains(&&Field::Fixed(Relation::Events, "attributes"));
            let of = |catalog: &telemetry_plugins::Catalog| catalog.metric(&spec.id).map_err(|error| error.to_string());
            readers.push(Reader { id: spec.id.to_string(), keys, takes_all, metrics: Sides { old: of(&old), new: of(&new) }, request });
        }
        if let (Some(error), false) = (refused, taken) {
            return Err(error.into());
        }
        readers.retain(|reader| reader.takes_all || !reader.keys.is_empty());
        let ids = [plugins.old.id(), plugins.new.id()];
        let keys: BTreeSet<Box<str>> = readers.iter().flat_map(|reader| reader.keys.iter().cloned()).collect();
        let nothing = || Instead::new(plugins.old.source(), &ids, keys.clone());
        Ok(Readers { readers, said: Sides { old: nothing(), new: nothing() }, is_full: false })
    }

    /// What both say of a row.
    pub(super) fn put(&mut self, row: i64, old: &Said, new: &Said) {
        if self.is_full || self.readers.is_empty() {
            return;
        }
        self.is_full = !(self.said.old.put(row, values(old)) && self.said.new.put(row, values(new)));
    }

    /// The reports of those that read what `changed`.
    pub(super) fn effects(
        self,
        snapshot: &Snapshot,
        plugins: &Sides<Opened>,
        changed: &BTreeSet<&str>,
        limit: usize,
        ledger: &mut Ledger,
    ) -> Result<Effects, HistoryError> {
        let mut effects = Effects { untold: followers(&plugins.new, plugins.old.id(), changed), ..Effects::default() };
        let of = |opened: &Opened| json!(opened.version());
        let mut ids = vec![plugins.old.id(), plugins.new.id()];
        ids.dedup();
        ledger.go_on(&json!({ "command": "plugin diff", "instead": ids, "plugins": [of(&plugins.old), of(&plugins.new)] }))?;
        for reader in self.readers {
            let all = reader.takes_all.then(|| changed.iter().copied());
            let named = reader.keys.iter().map(|key| &**key).filter(|key| changed.contains(key));
            let keys: BTreeSet<String> = named.chain(all.into_iter().flatten()).map(str::to_owned).collect();
            if keys.is_empty() {
                continue;
            }
            let keys = keys.into_iter().collect();
            match reader.ready(self.is_full) {
                Err(reason) => effects.untold.push(Untold { id: reader.id, kind: PluginKind::Metric.as_str(), keys, reason }),
                Ok((metrics, request)) => {
                    let asking = |metric, instead| Asking { metric, request: request.clone(), instead: Some(instead) };
                    let both = Sides { old: asking(metrics.old, &self.said.old), new: asking(metrics.new, &self.said.new) };
                    effects.metrics.push(Effect { id: reader.id, keys, groups: groups(snapshot, both, limit, ledger)? });
                }
            }
        }
        Ok(effects)
    }
}

impl Reader {
    /// What is evaluated, or why nothing is.
    fn ready(&self, is_full: bool) -> Result<(Sides<Arc<Metric>>, ReportRequest), String> {
        if self.takes_all {
            return Err("it reads all attributes of an event as one value".to_owned());
        }
        let of = |metric: &Result<Arc<Metric>, String>, which| metric.clone().map_err(|error| format!("beside the {which} one: {error}"));
        let metrics = Sides { old: of(&self.metrics.old, "old")?, new: of(&self.metrics.new, "new")? };
        let request = self.request.clone().map_err(|error| error.to_string())?;
        if is_full {
            return Err("what the two give for so many rows takes more than 64 MiB: choose a shorter window".to_owned());
        }
        Ok((metrics, request))
    }
}

/// Whether rows of `relation` show what an enricher over `source` wrote: of an event in all that it is part of.
fn reaches(source: Relation, relation: Relation) -> bool {
    source == Relation::Events || source == relation
}

/// All that a report takes of a row.
fn fields<'a>(metric: &'a Metric, request: Option<&'a ReportRequest>) -> Vec<&'a Field> {
    let read = metric.spec().reads.iter().map(|(field, _)| field);
    let groups = request.into_iter().flat_map(|request| request.group_by.iter().map(|(_, field)| field));
    let filters = request.into_iter().flat_map(|request| request.filters.iter().map(|filter| &filter.field));
    read.chain(groups).chain(filters).collect()
}

/// Keys and JSON texts.
fn values(said: &Said) -> impl Iterator<Item = (&str, &str)> {
    said.derived.iter().map(|derived| (&*derived.key, derived.value.as_str()))
}

fn attribute(field: &Field) -> Option<&str> {
    match field {
        Field::Attribute(key) => Some(key),
        Field::Fixed(..) => None,
    }
}

/// The other enrichers that read what `changed`.
fn followers(new: &Opened, old: &str, changed: &BTreeSet<&str>) -> Vec<Untold> {
    let names: BTreeMap<String, &str> = changed.iter().map(|key| (Field::Attribute((*key).into()).to_string(), *key)).collect();
    let mut found = Vec::new();
    for status in new.catalog().statuses() {
        let is_other = status.id != new.id() && status.id != old;
        if status.kind != Some(PluginKind::Enricher) || status.state != PluginState::Serving || !is_other {
            continue;
        }
        let keys: Vec<String> = status.reads.iter().filter_map(|read| names.get(&read.name)).map(|key| (*key).to_owned()).collect();
        if !keys.is_empty() {
            let reason = "it was not run on the other values: what it writes, and what reads that, may change too".to_owned();
            found.push(Untold { id: status.id, kind: word(status.kind), keys, reason });
        }
    }
    found
}
