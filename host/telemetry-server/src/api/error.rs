//! The one shape of every error: `{"error":{"code","message","details":[{"field","reason"}]}}`.

use std::fmt;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use telemetry_store::StoreError;

/// What kind of error, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// The request is wrong; `details` say where.
    ValidationError,
    /// An event could not be processed.
    ProcessingError,
    /// The database failed.
    DatabaseError,
    /// A fault of the server.
    InternalServerError,
    /// No or a wrong read token.
    AuthenticationError,
    /// Not allowed from there.
    AuthorizationError,
    /// Nothing of that name.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// In conflict with what is stored.
    Conflict,
    /// Over a limit of bytes, rows or groups.
    TooLarge,
    /// The server is busy or not ready; try again.
    Overloaded,
    /// A metric plugin failed.
    PluginFailed,
    /// A metric plugin used up its time.
    PluginTimeout,
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// Parameter, member or header.
    pub field: Box<str>,
    /// For people.
    pub reason: Box<str>,
}

/// An error answer.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    code: Code,
    message: Box<str>,
    details: Vec<Detail>,
    retry_after_s: Option<u32>,
}

impl ApiError {
    fn new(status: StatusCode, code: Code, message: impl Into<Box<str>>) -> Self {
        ApiError { status, code, message: message.into(), details: Vec::new(), retry_after_s: None }
    }

    /// 400: the request is wrong.
    pub fn validation(message: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::ValidationError, message)
    }

    /// 400: one field of the request is wrong.
    pub fn field(field: impl Into<Box<str>>, reason: impl Into<Box<str>>) -> Self {
        Self::validation("invalid request parameters").with(field, reason)
    }

    /// 400: an event that cannot be processed, asked for with `strict=1`.
    pub fn processing(message: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::ProcessingError, message)
    }

    /// 401: a read without the token.
    pub fn authentication(message: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, Code::AuthenticationError, message)
    }

    /// 403: not from there.
    pub fn authorization(message: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, Code::AuthorizationError, message)
    }

    /// 404.
    pub fn not_found(message: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::NotFound, message)
    }

    /// 408: the body did not come in time.
    pub fn body_timeout() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, Code::ValidationError, "the body did not arrive in time")
    }

    /// 409.
    pub fn conflict(message: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::CONFLICT, Code::Conflict, message)
    }

    /// 413: a body over its limit.
    pub fn too_large(message: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge, message)
    }

    /// 400 with the code for limits: an answer that would have too many groups or rows.
    pub fn too_many(message: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::TooLarge, message)
    }

    /// 415.
    pub fn unsupported_media_type(message: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::ValidationError, message)
    }

    /// 503 with `Retry-After`: full queues, or not ready yet.
    pub fn overloaded(message: impl Into<Box<str>>, retry_after_s: u32) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded, message);
        error.retry_after_s = Some(retry_after_s);
        error
    }

    /// 429 with `Retry-After`: one client's share is used up.
    pub fn rate_limited(message: impl Into<Box<str>>, retry_after_s: u32) -> Self {
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, Code::Overloaded, message);
        error.retry_after_s = Some(retry_after_s);
        error
    }

    /// 502: the metric component `plugin` failed.
    pub fn plugin_failed(plugin: &str, reason: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, Code::PluginFailed, format!("plugin `{plugin}` failed")).with("plugin", reason.to_string())
    }

    /// 504: the metric component `plugin` used up its time.
    pub fn plugin_timeout(plugin: &str, reason: impl fmt::Display) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, Code::PluginTimeout, format!("plugin `{plugin}` used up its time"))
            .with("plugin", reason.to_string())
    }

    /// 504: a report, database and component together, was not done in time.
    pub fn report_timeout(message: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, Code::PluginTimeout, message)
            .with("plugins.report_timeout_s", "the limit; ask for a shorter window, or raise it")
    }

    /// 500 of the database; the cause goes to the log, not to the client.
    pub fn database(cause: &dyn std::error::Error) -> Self {
        tracing::error!(error = %Chain(cause), "database operation failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::DatabaseError, "the database could not do that")
    }

    /// 503 with `Retry-After`: the disk is full or fails; nothing was stored, and the same request may do later.
    pub fn database_down(cause: &dyn std::error::Error) -> Self {
        tracing::error!(error = %Chain(cause), "database operation failed");
        let message = "the disk or the database is full or fails: nothing was stored, send it again";
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::DatabaseError, message);
        error.retry_after_s = Some(10);
        error
    }

    /// 500; the cause goes to the log, not to the client.
    pub fn internal(cause: &dyn std::error::Error) -> Self {
        tracing::error!(error = %Chain(cause), "request failed");
        Self::unexpected()
    }

    /// 500 that says nothing; the cause is logged already.
    pub fn unexpected() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::InternalServerError, "an unexpected error occurred")
    }

    /// Adds one detail.
    #[must_use]
    pub fn with(mut self, field: impl Into<Box<str>>, reason: impl Into<Box<str>>) -> Self {
        self.details.push(Detail { field: field.into(), reason: reason.into() });
        self
    }

    /// Adds details.
    #[must_use]
    pub fn with_all(mut self, details: impl IntoIterator<Item = Detail>) -> Self {
        self.details.extend(details);
        self
    }

    /// The status it answers with.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<&StoreError> for ApiError {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Busy | StoreError::Locked { .. } => Self::overloaded("the database is busy", 1),
            StoreError::Full { .. } | StoreError::Io { .. } => Self::database_down(error),
            StoreError::TooLarge { .. } => Self::too_many(error.to_string()).with("page_size", "ask for fewer items a page"),
            StoreError::Closed => Self::overloaded("the server is stopping", 5),
            StoreError::Partial { stored, source } => {
                let rest = format!("the first {} are stored and stay, the others are not: send those again", stored.len());
                Self::from(&**source).with("events", rest)
            }
            other => Self::database(other),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Envelope<'a> {
            error: Body<'a>,
        }
        #[derive(Serialize)]
        struct Body<'a> {
            code: Code,
            message: &'a str,
            details: &'a [Detail],
        }
        let body = Envelope { error: Body { code: self.code, message: &self.message, details: &self.details } };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// 404 for a path that is no route.
pub async fn unknown_route(request: Request) -> ApiError {
    ApiError::not_found(format!("there is no route `{}`", shown(request.uri().path())))
}

/// 405 for a route without that method; the router adds `Allow`.
pub async fn wrong_method(request: Request) -> ApiError {
    let message = format!("`{}` does not take {}", shown(request.uri().path()), shown(request.method().as_str()));
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, Code::MethodNotAllowed, message)
}

/// At most 200 characters of what a client sent.
fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}

/// An error and its sources, `a: b: c`.
struct Chain<'a>(&'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_as_something_that_passes() {
        let response = ApiError::from(StoreError::Full { operation: "store events" }).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "10");
    }

    #[test]
    fn a_request_stored_in_part_says_how_much() {
        let source = std::sync::Arc::new(StoreError::Full { operation: "store events" });
        let stored = (1..=3).map(|event_id| telemetry_model::Outcome::Accepted { event_id }).collect();
        let error = ApiError::from(StoreError::Partial { stored, source });
        assert_eq!(error.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(error.details.iter().any(|detail| &*detail.field == "events" && detail.reason.starts_with("the first 3 are stored")));
    }
}
