//! A metric's report over a store, and a store filled for one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::{Map, Value};
use telemetry_model::{Clock, Timestamp};
use telemetry_plugins::Registry;
use telemetry_store::Store;
use tokio::task::JoinSet;

use crate::analysis::pool::MetricPool;
use crate::analysis::report::Reports;
use crate::analysis::request::{Manner, ReportRequest, Setting};
use crate::processing::decode::Shape;
use crate::processing::{Budget, Pipeline, PipelineSettings, Unit};

/// Events under way at once.
const AT_ONCE: usize = 256;
const MAX_EVENT: usize = 16 << 20;
/// Nobody else waits for the thread.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A row of a report.
#[derive(Serialize)]
pub(super) struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    group: Map<String, Value>,
    values: Map<String, Value>,
}

/// Stores `events` as a server does.
pub(super) fn ingest(store: &Store, plugins: &Arc<Registry>, events: Vec<Vec<u8>>) -> anyhow::Result<()> {
    let settings = PipelineSettings { workers: 0, budget_bytes: usize::MAX };
    let pipeline = Arc::new(Pipeline::new(store.clone(), Arc::clone(plugins), settings).context("starting the pipeline")?);
    let budget = Budget::new(usize::MAX);
    let runtime = tokio::runtime::Builder::new_current_thread().build().context("starting the pipeline")?;
    let stored: anyhow::Result<()> = runtime.block_on(async {
        let mut under_way = JoinSet::new();
        for bytes in events {
            if under_way.len() >= AT_ONCE {
                under_way.join_next().await.transpose()?.transpose()?;
            }
            let (pipeline, unit) = (Arc::clone(&pipeline), unit(bytes, &budget));
            under_way.spawn(async move { pipeline.ingest(unit).await });
        }
        while let Some(done) = under_way.join_next().await {
            done??;
        }
        Ok(())
    });
    pipeline.close();
    stored.context("storing the events for a while")
}

/// The rows of the metric `id`.
pub(super) fn compute(
    store: &Store,
    plugins: &Arc<Registry>,
    id: &str,
    query: &[(String, String)],
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Vec<Line>> {
    let pool = MetricPool::start(1, 1).ok().context("starting a thread")?;
    let reports = Reports::new(store.clone(), Arc::clone(plugins), clock, pool, PATIENCE);
    let metric = reports.metric(id)?;
    let spec = metric.spec();
    let settings: Vec<_> =
        spec.parameters.parameters().iter().map(|(name, parameter)| Setting { name: name.as_str().into(), ty: parameter.ty }).collect();
    let request = match ReportRequest::read(query, spec.source, &settings, Manner::REPORT, reports.now()) {
        Ok(request) => request,
        Err(invalid) => bail!("{invalid}"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().context("starting a report")?;
    let report = runtime.block_on(reports.run(Arc::clone(&metric), request))?;
    let outputs: Vec<_> = spec.outputs.iter().map(|output| output.name.to_string()).collect();
    let line = |row: &crate::analysis::report::ReportRow| Line {
        time: row.key.bucket,
        group: report.dimensions(row),
        values: outputs.iter().cloned().zip(row.values.iter().cloned()).collect(),
    };
    Ok(report.rows.iter().map(line).collect())
}

fn unit(bytes: Vec<u8>, budget: &Budget) -> Unit {
    Unit {
        bytes,
        encoding: None,
        shape: Shape::Single,
        limit: MAX_EVENT,
        strict: false,
        source: "offline".into(),
        flags: Vec::new(),
        received_at: Timestamp(0),
        lease: budget.lease(),
    }
}
