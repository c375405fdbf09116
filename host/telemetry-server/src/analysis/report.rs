//! A report: rows of one snapshot through one metric component, empty buckets filled by the component's own empty state.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use telemetry_model::journal::RelationAccess;
use telemetry_model::query::{Filter, GroupKey, GroupValue, RowQuery};
use telemetry_model::{Clock, Field, Relation, Timestamp};
use telemetry_plugins::{CallError, Metric, MetricError, MetricRun, MetricSpec, MetricUnavailable, Registry};
use telemetry_store::{EntryKind, Instead, NewEntry, ScanError, Snapshot, Stop, Store, StoreError, SubmitError};
use tokio::sync::oneshot;

use super::fill::TooManyGroups;
use super::params::InvalidParams;
use super::pool::{MetricPool, PoolError};
use super::request::{MAX_GROUPS, ReportRequest};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The request is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidParams),
    /// There is no such metric, or it does not serve.
    #[error(transparent)]
    Unavailable(#[from] MetricUnavailable),
    /// More groups than are answered.
    #[error(transparent)]
    TooManyGroups(#[from] TooManyGroups),
    /// Its groups have longer values than are answered.
    #[error("the values of the groups have more than {limit} bytes: group by something shorter, or choose fewer buckets")]
    GroupsTooLarge {
        /// Bytes.
        limit: usize,
    },
    /// The component failed, or declined the parameters.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// The component would not open with these parameters.
    #[error("metric `{metric}` declines its parameters: {reason}")]
    Declined {
        /// The plugin's id.
        metric: Box<str>,
        /// In its words.
        reason: String,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The pool took no job or lost it.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// It was not done in time, the wait for a thread included.
    #[error("the report was not done within {} s", limit.as_secs())]
    TimedOut {
        /// `plugins.report_timeout_s`.
        limit: Duration,
    },
}

/// One row of a report.
#[derive(Clone, Debug)]
pub struct ReportRow {
    /// Its bucket and its values of the request's `group_by`.
    pub key: GroupKey,
    /// The metric's outputs, in their order.
    pub values: Vec<Value>,
}

/// What one metric said.
pub struct Report {
    /// Which metric.
    pub metric: Arc<Metric>,
    /// What it was asked.
    pub request: ReportRequest,
    /// By bucket, then by group.
    pub rows: Vec<ReportRow>,
    /// Rows read from the database.
    pub scanned_rows: u64,
    /// Rows the component was given.
    pub matched_rows: u64,
    /// The attribute in whose index rows were sought.
    pub sought: Option<Field>,
    /// Attributes whose filters only a scan of the window answers.
    pub unindexed: Vec<Field>,
}

impl Report {
    /// The groups of a row by the names they were asked under.
    pub fn dimensions(&self, row: &ReportRow) -> Map<String, Value> {
        let names = self.request.group_by.iter().map(|(name, _)| name.clone());
        names.zip(row.key.values.iter().map(|value| value.as_ref().map_or(Value::Null, group_value))).collect()
    }
}

/// A group's value as JSON of its own type; a number that no JSON reader keeps exactly is given as text.
pub fn group_value(value: &GroupValue) -> Value {
    match value {
        GroupValue::Text(text) => Value::from(&**text),
        GroupValue::Json(json) => match serde_json::from_str(json) {
            Ok(Value::Number(number)) if number.is_f64() && !json.contains(['.', 'e', 'E']) => Value::from(&**json),
            Ok(value) => value,
            Err(_) => Value::from(&**json),
        },
    }
}

/// Makes reports, on threads of their own.
pub struct Reports {
    store: Store,
    plugins: Arc<Registry>,
    clock: Arc<dyn Clock>,
    pool: MetricPool,
    limit: Duration,
}

/// Ends the scan of a report that nobody waits for any more.
struct StopWhenDropped(Stop);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Reports {
    /// Over a store and the plugins; `limit` bounds the wall time of one answer.
    pub fn new(store: Store, plugins: Arc<Registry>, clock: Arc<dyn Clock>, pool: MetricPool, limit: Duration) -> Self {
        Reports { store, plugins, clock, pool, limit }
    }

    /// The time that windows count back from.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Every metric that serves.
    pub fn metrics(&self) -> Vec<Arc<Metric>> {
        self.plugins.current().metrics()
    }

    /// The metric `id`.
    ///
    /// # Errors
    /// When there is none or it does not serve.
    pub fn metric(&self, id: &str) -> Result<Arc<Metric>, ReportError> {
        Ok(self.plugins.current().metric(id)?)
    }

    /// One report.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn run(&self, metric: Arc<Metric>, request: ReportRequest) -> Result<Report, ReportError> {
        let mut reports = self.run_all(vec![(metric, request)]).await?;
        reports.pop().ok_or(ReportError::Pool(PoolError::Lost))
    }

    /// Several reports over one snapshot, in order. Dropped before it is done, it gives the thread back.
    ///
    /// # Errors
    /// The first that fails.
    pub async fn run_all(&self, asked: Vec<(Arc<Metric>, ReportRequest)>) -> Result<Vec<Report>, ReportError> {
        let (store, now) = (self.store.clone(), self.now());
        let waiting = StopWhenDropped(Stop::default());
        let stop = waiting.0.clone();
        let may_wait = asked.iter().any(|(metric, _)| metric.may_wait());
        let job = move || {
            let snapshot = store.snapshot_until(&stop)?;
            let mut accesses = Vec::new();
            let reports = asked.into_iter().map(|(metric, request)| compute(&snapshot, None, metric, request, now, &mut accesses));
            let reports = reports.collect::<Result<Vec<_>, ReportError>>();
            // Also when nobody waits any more, or the metric failed: it has seen the rows.
            let noted = note(&store, &snapshot, accesses, now)?;
            Ok::<_, ReportError>((reports?, noted))
        };
        let answer = async {
            match may_wait {
                // Others' reports do not wait with it; as many may wait as reports may be asked.
                true => self.pool.run_apart(job).await,
                false => self.pool.run(job).await,
            }
        };
        match tokio::time::timeout(self.limit, answer).await {
            Ok(done) => {
                let (reports, noted) = done??;
                durable(noted).await?;
                Ok(reports)
            }
            Err(_) => Err(ReportError::TimedOut { limit: self.limit }),
        }
    }
}

/// Bytes of the values of all groups of one report, empty buckets included.
const MAX_GROUP_BYTES: usize = 16 << 20;

/// The answer to an entry of the journal.
type Noted = oneshot::Receiver<Result<(), StoreError>>;

/// Hands the writer an entry that names what the metrics were handed.
fn note(store: &Store, snapshot: &Snapshot, accesses: Vec<RelationAccess>, now: Timestamp) -> Result<Option<Noted>, StoreError> {
    if accesses.is_empty() {
        return Ok(None);
    }
    let (tell, told) = oneshot::channel();
    let entry = NewEntry { time: now, kind: EntryKind::Query, as_of: Some(snapshot.last_event()?), detail: None, accesses };
    let queued = store.journal(entry, Box::new(move |done| drop(tell.send(done.map(drop)))));
    queued.map_err(|error| match error {
        SubmitError::Overloaded => StoreError::Busy,
        SubmitError::Closed => StoreError::Closed,
    })?;
    Ok(Some(told))
}

/// Waits until the entry is durable: before that no answer leaves.
async fn durable(noted: Option<Noted>) -> Result<(), StoreError> {
    match noted {
        Some(noted) => noted.await.unwrap_or(Err(StoreError::Closed)),
        None => Ok(()),
    }
}

/// One report of `snapshot`, with what stands in for some of it; what the metric was handed is added to `accesses`, also when it fails.
pub(crate) fn compute(
    snapshot: &Snapshot,
    instead: Option<&Instead>,
    metric: Arc<Metric>,
    request: ReportRequest,
    now: Timestamp,
    accesses: &mut Vec<RelationAccess>,
) -> Result<Report, ReportError> {
    let mut run = open(&metric, &request)?;
    let report = evaluate(snapshot, instead, metric, request, now, &mut run);
    accesses.extend(run.take_access());
    report
}

fn evaluate(
    snapshot: &Snapshot,
    instead: Option<&Instead>,
    metric: Arc<Metric>,
    request: ReportRequest,
    now: Timestamp,
    run: &mut MetricRun,
) -> Result<Report, ReportError> {
    let mut scan = snapshot.scan_instead(&row_query(metric.spec(), &request), instead, run).map_err(|error| match error {
        ScanError::Sink(error) => ReportError::Metric(error),
        ScanError::TooManyGroups { limit } => TooManyGroups { groups: limit + 1, limit }.into(),
        ScanError::GroupsTooLarge { limit } => ReportError::GroupsTooLarge { limit },
        ScanError::Store(error) => error.into(),
        // Nobody waits: what is said here is not heard.
        ScanError::Stopped => PoolError::Lost.into(),
    })?;
    let seen = scan.groups.len();
    request.fill(now).complete(&mut scan.groups)?;
    let bytes: usize = scan.groups.iter().flat_map(|key| &key.values).flatten().map(|value| value.as_str().len()).sum();
    if bytes > MAX_GROUP_BYTES {
        return Err(ReportError::GroupsTooLarge { limit: MAX_GROUP_BYTES });
    }
    if scan.groups.len() > seen {
        run.ensure_groups(scan.groups.len() as u32)?;
    }
    // Nothing to say: no group was asked for by name, none was seen.
    let evaluated = if scan.groups.is_empty() { Vec::new() } else { run.answer()? };
    let mut rows = Vec::with_capacity(evaluated.len());
    for row in evaluated {
        if let Some(key) = scan.groups.get(row.group as usize) {
            rows.push(ReportRow { key: key.clone(), values: row.values });
        }
    }
    rows.sort_by(|a, b| order(&a.key, &b.key));
    let (sought, unindexed) = (scan.sought, scan.unindexed);
    Ok(Report { request, rows, scanned_rows: scan.scanned_rows, matched_rows: scan.matched_rows, sought, unindexed, metric })
}

fn open(metric: &Arc<Metric>, request: &ReportRequest) -> Result<MetricRun, ReportError> {
    metric.open(&request.parameters).map_err(|error| match error {
        MetricError::Failed { id, error: CallError::Declined(reason) } if !request.parameters.is_empty() => {
            ReportError::Declined { metric: id, reason }
        }
        other => other.into(),
    })
}

/// What a report reads.
pub(crate) fn row_query(spec: &MetricSpec, request: &ReportRequest) -> RowQuery {
    let mut filters = request.filters.clone();
    if let Some(families) = &spec.families {
        let values = families.iter().map(|family| family.as_str().to_owned()).collect();
        filters.push(Filter::equal(Field::Fixed(Relation::Events, "family"), values));
    }
    RowQuery {
        relation: spec.source,
        columns: spec.reads.clone(),
        window: request.window,
        filters,
        group_by: request.group_by.iter().map(|(_, field)| field.clone()).collect(),
        interval: request.interval.as_ref().map(|(_, interval)| *interval),
        max_groups: MAX_GROUPS,
    }
}

/// By bucket, then by values; an absent value comes last.
fn order(a: &GroupKey, b: &GroupKey) -> Ordering {
    let values = |key: &GroupKey| key.values.iter().map(|value| (value.is_none(), value.clone())).collect::<Vec<_>>();
    a.bucket.cmp(&b.bucket).then_with(|| values(a).cmp(&values(b)))
}
