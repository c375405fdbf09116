//! `GET /v1/reports`: which metrics there are, and what any of them says.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use serde_json::{Map, Value, json};
use telemetry_model::query::{Comparison, Filter};
use telemetry_model::{Class, Field};
use telemetry_plugins::{CallError, Metric, MetricError, MetricUnavailable};

use super::ApiError;
use super::extract::{Path, Query};
use crate::App;
use crate::analysis::pool::PoolError;
use crate::analysis::report::{Report, ReportError, ReportRow};
use crate::analysis::request::{Manner, ReportRequest, Setting};
use crate::server::Peer;

/// Every metric that serves: its columns, its parameters and what it can be grouped and filtered by.
pub async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    let items: Vec<Value> = app.reports.metrics().iter().map(|metric| describe(metric)).collect();
    Json(json!({ "items": items, "total": items.len() }))
}

/// What one metric says of the rows asked for.
///
/// # Errors
/// 400 with every problem of the parameters, 404 naming a metric that is not there or does not serve, 502 or 504 naming one that
/// failed, 503 when too many reports wait.
pub async fn report(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(pairs): Query<Vec<(String, String)>>,
    Extension(peer): Extension<Peer>,
) -> Result<Response, ApiError> {
    let metric = app.reports.metric(&id)?;
    let request = ReportRequest::read(&pairs, metric.spec().source, &settings(&metric), Manner::REPORT, app.reports.now())
        .map_err(ReportError::from)?;
    let mut room = app.answers.room().await?;
    let report = attended(&peer, app.reports.run(metric, request)).await?;
    room.grow(bytes(&report)).await?;
    let answer = answer(&report);
    drop(report);
    room.json(answer)
}

/// Reports for as long as the client is there; dropped, they end their scan and give their thread back.
///
/// # Errors
/// Those of the reports; nobody hears what is said when the client is gone.
pub async fn attended<T>(peer: &Peer, reports: impl Future<Output = Result<T, ReportError>>) -> Result<T, ApiError> {
    tokio::select! {
        done = reports => done.map_err(ApiError::from),
        () = peer.gone() => {
            tracing::debug!("report given up, its client is gone");
            Err(ApiError::overloaded("nobody waits for this answer any more", 1))
        }
    }
}

/// Memory that a report takes until it is an answer: as itself, as a JSON value, and written.
pub fn bytes(report: &Report) -> u64 {
    let columns = 8 + report.request.group_by.len() + report.metric.spec().outputs.len();
    let text = |row: &ReportRow| row.key.values.iter().flatten().map(|value| value.as_str().len()).sum::<usize>();
    report.rows.iter().map(|row| (columns * 160 + 3 * text(row)) as u64).sum()
}

/// The parameters a metric declares.
pub fn settings(metric: &Metric) -> Vec<Setting> {
    let parameters = metric.spec().parameters.parameters().iter();
    parameters.map(|(name, parameter)| Setting { name: name.as_str().into(), ty: parameter.ty }).collect()
}

fn describe(metric: &Metric) -> Value {
    let spec = metric.spec();
    let parameters: Vec<Value> = spec
        .parameters
        .parameters()
        .iter()
        .map(|(name, parameter)| {
            let (ty, default) = (parameter.ty.as_str(), &parameter.default);
            json!({ "name": name, "type": ty, "default": default, "description": parameter.description })
        })
        .collect();
    let fields: Vec<Value> = spec
        .source
        .fields()
        .iter()
        .map(|(name, ty, class)| {
            let class = if *class == Class::Metadata { "metadata" } else { "content" };
            json!({ "name": format!("{}.{name}", spec.source.prefix()), "type": ty.as_str(), "class": class })
        })
        .collect();
    json!({
        "id": spec.id,
        "description": spec.description,
        "plugin": plugin(metric),
        "source": spec.source.as_str(),
        "reads": spec.reads.iter().map(|(field, ty)| json!({ "field": field.to_string(), "type": ty.as_str() })).collect::<Vec<_>>(),
        "columns": columns(metric),
        "parameters": parameters,
        "group_by": fields,
        "group_by_attributes": true,
        "path": format!("/v1/reports/{}", spec.id),
    })
}

fn plugin(metric: &Metric) -> Value {
    let version = &metric.spec().version;
    json!({ "id": version.plugin_id, "version": version.version, "digest": version.digest })
}

fn columns(metric: &Metric) -> Vec<Value> {
    let outputs = metric.spec().outputs.iter();
    outputs
        .map(|output| json!({ "name": output.name, "type": output.ty.as_str(), "unit": output.unit, "description": output.description }))
        .collect()
}

fn answer(report: &Report) -> Value {
    let request = &report.request;
    let filters: Map<String, Value> =
        request.filters.iter().map(|filter| (filter_name(filter), Value::from(filter.values.clone()))).collect();
    json!({
        "report": report.metric.spec().id,
        "plugin": plugin(&report.metric),
        "source": report.metric.spec().source.as_str(),
        "window": { "from": request.window.from, "to": request.window.to },
        "interval": request.interval.as_ref().map(|(text, _)| text),
        "group_by": request.group_by.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "filters": filters,
        "parameters": request.parameters,
        "columns": columns(&report.metric),
        "rows": report.rows.iter().map(|row| row_of(report, row)).collect::<Vec<_>>(),
        "scanned_rows": report.scanned_rows,
        "matched_rows": report.matched_rows,
        "sought_by": report.sought.as_ref().map(Field::to_string),
        "unindexed_filters": report.unindexed.iter().map(Field::to_string).collect::<Vec<_>>(),
    })
}

/// The field, with its sign unless that is `=`.
fn filter_name(filter: &Filter) -> String {
    match filter.comparison {
        Comparison::Equal => filter.field.to_string(),
        other => format!("{} {}", filter.field, other.sign()),
    }
}

fn row_of(report: &Report, row: &ReportRow) -> Value {
    let outputs = report.metric.spec().outputs.iter().map(|output| output.name.to_string());
    let values: Map<String, Value> = outputs.zip(row.values.iter().cloned()).collect();
    json!({ "time": row.key.bucket, "group": report.dimensions(row), "values": values })
}

impl From<ReportError> for ApiError {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Invalid(error) => error.into(),
            ReportError::Unavailable(error @ MetricUnavailable::Compiling(_)) => ApiError::overloaded(error.to_string(), 1),
            ReportError::Unavailable(error) => ApiError::not_found(error.to_string()),
            ReportError::TooManyGroups(error) => ApiError::too_many(error.to_string()).with("group_by", error.to_string()),
            ReportError::GroupsTooLarge { .. } => ApiError::too_many(error.to_string()).with("group_by", error.to_string()),
            ReportError::Metric(MetricError::InvalidParameter(error)) => ApiError::field(error.name, error.problem),
            ReportError::Declined { metric, reason } => {
                ApiError::validation(format!("metric `{metric}` declines its parameters")).with("parameters", reason)
            }
            ReportError::Metric(MetricError::Failed { id, error }) => match error {
                CallError::Deadline(_) | CallError::Waited(_) => ApiError::plugin_timeout(&id, error),
                CallError::Host(_) => ApiError::overloaded(format!("metric `{id}` {error}"), 1),
                other => ApiError::plugin_failed(&id, other),
            },
            error @ ReportError::TimedOut { .. } => ApiError::report_timeout(error.to_string()),
            ReportError::Store(error) => error.into(),
            ReportError::Pool(PoolError::Full) => ApiError::overloaded(PoolError::Full.to_string(), 1),
            ReportError::Pool(error @ PoolError::Lost) => ApiError::internal(&error),
        }
    }
}
