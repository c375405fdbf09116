//! Extractors whose rejections are [`ApiError`]s, and the one way to take a body.

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use super::ApiError;
use crate::server::BodyTimeout;

/// Query parameters as `T`; a wrong one answers 400.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Query(value)),
            Err(rejection) => Err(ApiError::field("query", reason(&rejection))),
        }
    }
}

/// Parts of the path as `T`; one that cannot be read answers 404, since nothing can be there.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Path(value)),
            Err(rejection) => Err(ApiError::not_found(format!("the path names nothing: {}", rejection.body_text()))),
        }
    }
}

/// A JSON body as `T`, at most 1 MiB, sent as `application/json`; for everything but telemetry.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::unsupported_media_type("the body must be sent as application/json"));
        }
        let body = body(request.into_body(), 1 << 20).await?;
        serde_json::from_slice(&body).map(Json).map_err(|error| ApiError::field("body", error.to_string()))
    }
}

/// Whether `Content-Type` says `application/json`, parameters aside.
pub fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(header::CONTENT_TYPE).map(|value| value.to_str()) else { return false };
    value.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

/// Why a body could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// Over the limit; so many bytes were announced or had come.
    TooLarge(u64),
    /// It did not arrive in `server.body_timeout_s`.
    Timeout,
    /// The client broke off, or broke the framing.
    Cut,
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(_) => ApiError::too_large("the body is larger than this route takes"),
            BodyError::Timeout => ApiError::body_timeout(),
            BodyError::Cut => ApiError::validation("the body broke off"),
        }
    }
}

/// Takes a whole body of at most `limit` bytes.
///
/// # Errors
/// [`BodyError`]; a body announced as too large is refused before a byte of it is read.
pub async fn body(body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Err(BodyError::TooLarge(announced));
    }
    let exact = body.size_hint().exact();
    match axum::body::to_bytes(body, limit).await {
        Ok(bytes) => Ok(bytes),
        Err(error) if BodyTimeout::caused(&error) => Err(BodyError::Timeout),
        Err(error) if is_length_limit(&error) => Err(BodyError::TooLarge(exact.unwrap_or(limit as u64 + 1))),
        Err(_) => Err(BodyError::Cut),
    }
}

/// Whether the chain of sources ends in the limit of `to_bytes`.
fn is_length_limit(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.to_string() == "length limit exceeded" {
            return true;
        }
        cause = error.source();
    }
    false
}

/// An error's deepest words.
fn reason(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
