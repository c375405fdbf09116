//! Outcomes as answers: the v1 shapes, and `results` beside them for a batch.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use telemetry_model::{Outcome, Reason};

use crate::api::ApiError;
use crate::api::error::Detail;
use crate::processing::decode::{Refusal, RefusalKind};
use crate::processing::{Answer, EventOutcome, IngestError, StrictDetail};

#[derive(Serialize)]
struct Single {
    success: bool,
    event_id: Option<String>,
    error: Option<String>,
}

#[derive(Serialize)]
struct Batch<'a> {
    success: bool,
    total: usize,
    processed: usize,
    failed: usize,
    details: Option<Vec<Failure<'a>>>,
    results: Vec<Item<'a>>,
}

/// An event that failed, as v1 tells it.
#[derive(Serialize)]
struct Failure<'a> {
    index: usize,
    error: String,
    event_name: Option<&'a str>,
}

#[derive(Serialize)]
struct Item<'a> {
    index: usize,
    outcome: &'static str,
    event_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quarantine_id: Option<String>,
    reasons: &'a [Reason],
}

/// The answer to one event.
///
/// # Errors
/// The answer is an error when the body holds no event, or a strict request had something odd.
pub(super) fn single(answer: Answer) -> Result<Response, ApiError> {
    let outcomes = outcomes(answer, |_| String::new())?;
    let Some(EventOutcome { outcome, reasons, .. }) = outcomes.first() else { return Err(ApiError::unexpected()) };
    let body = match outcome {
        Outcome::Accepted { event_id } | Outcome::Duplicate { event_id } => {
            Single { success: true, event_id: Some(event_id.to_string()), error: None }
        }
        Outcome::Quarantined { .. } => Single { success: false, event_id: None, error: Some(summary(reasons)) },
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// The answer to a batch.
///
/// # Errors
/// As [`single`].
pub(super) fn batch(answer: Answer) -> Result<Response, ApiError> {
    let outcomes = outcomes(answer, |index| format!("events[{index}]"))?;
    let quarantined = outcomes.iter().enumerate().filter(|(_, event)| matches!(event.outcome, Outcome::Quarantined { .. }));
    let failures: Vec<_> =
        quarantined.map(|(index, event)| Failure { index, error: summary(&event.reasons), event_name: event.name.as_deref() }).collect();
    let failed = failures.len();
    let body = Batch {
        success: failed == 0,
        total: outcomes.len(),
        processed: outcomes.len() - failed,
        failed,
        details: (failed > 0).then_some(failures),
        results: outcomes.iter().enumerate().map(|(index, event)| item(index, event)).collect(),
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

fn item(index: usize, event: &EventOutcome) -> Item<'_> {
    let (outcome, event_id, quarantine_id) = match event.outcome {
        Outcome::Accepted { event_id } => ("accepted", Some(event_id), None),
        Outcome::Duplicate { event_id } => ("duplicate", Some(event_id), None),
        Outcome::Quarantined { quarantine_id } => ("quarantined", None, Some(quarantine_id)),
    };
    let text = |id: Option<i64>| id.map(|id| id.to_string());
    Item { index, outcome, event_id: text(event_id), quarantine_id: text(quarantine_id), reasons: &event.reasons }
}

/// `place` names an event of the request in the details of an error.
fn outcomes(answer: Answer, place: impl Fn(usize) -> String) -> Result<Vec<EventOutcome>, ApiError> {
    match answer {
        Answer::Events(outcomes) => Ok(outcomes),
        Answer::Refused { refusal, quarantine_id } => Err(refused(&refusal, quarantine_id.is_none())),
        Answer::Strict(details) => {
            let details = details.iter().map(|detail| strict(detail, place(detail.index)));
            Err(ApiError::processing("a strict request takes nothing odd; nothing was stored").with_all(details))
        }
    }
}

fn strict(StrictDetail { reason, .. }: &StrictDetail, place: String) -> Detail {
    let field = match (place.is_empty(), reason.field.as_deref()) {
        (true, field) => field.unwrap_or("event").into(),
        (false, None) => place.into(),
        (false, Some(field)) => format!("{place}.{field}").into(),
    };
    Detail { field, reason: format!("{}: {}", reason.code, reason.message).into() }
}

/// All reasons in one line.
fn summary(reasons: &[Reason]) -> String {
    let texts: Vec<_> = reasons.iter().map(|reason| &*reason.message).collect();
    texts.join("; ")
}

/// The error for a body that holds no events. What a strict request gets wrong is one thing to its sender: 400, however large.
pub(super) fn refused(refusal: &Refusal, strict: bool) -> ApiError {
    let Refusal { kind, reason } = refusal;
    let message = reason.message.clone();
    let error = match kind {
        _ if strict => ApiError::validation(message),
        RefusalKind::TooLarge => ApiError::too_large(message),
        RefusalKind::UnsupportedEncoding => ApiError::unsupported_media_type(message),
        RefusalKind::Malformed | RefusalKind::TooDeep | RefusalKind::TooMany => ApiError::validation(message),
    };
    error.with(reason.field.as_deref().unwrap_or("body"), format!("{}: {}", reason.code, reason.message))
}

/// The error of a request that could not be stored.
pub(super) fn failed(error: IngestError) -> ApiError {
    match error {
        IngestError::Overloaded => ApiError::overloaded("the server is busy: nothing was stored, send it again", 1),
        IngestError::Closed => ApiError::overloaded("the server is stopping: nothing was stored, send it again", 5),
        IngestError::Store(cause) => cause.into(),
        IngestError::Failed => ApiError::unexpected(),
    }
}
