//! The read token: every route but ingest, the page's own files and the bare health status asks for it, once one is set.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::api::ApiError;
use crate::app::App;
use crate::config::Secret;

/// In the extensions of every request: whether it may read what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MayRead(pub bool);

/// Refuses reads without the token with 401. A foreign `Authorization` header on an open route is ignored.
pub async fn access(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let granted = match &app.config.server.read_token {
        None => true,
        Some(token) => bearer(request.headers()).is_some_and(|given| matches(given, token)),
    };
    if !granted && !is_open(request.method(), request.uri().path()) {
        return ApiError::authentication("this server asks for its read token: `Authorization: Bearer ..`").into_response();
    }
    request.extensions_mut().insert(MayRead(granted));
    next.run(request).await
}

/// Routes that anyone may use: ingest, health (bare), the page and what it is made of.
fn is_open(method: &Method, path: &str) -> bool {
    let reads = method == Method::GET || method == Method::HEAD;
    is_ingest(method, path) || reads && (matches!(path, "/v1/health" | "/" | "/docs") || path.starts_with("/assets/"))
}

/// Routes that take telemetry: open to whoever reaches the port, any content type.
pub(super) fn is_ingest(method: &Method, path: &str) -> bool {
    matches!(path, "/v1/telemetry" | "/v1/telemetry/batch") && (method == Method::POST || method == Method::PUT)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Compares digests, so that the time taken tells nothing about the token, its length included.
fn matches(given: &str, token: &Secret) -> bool {
    blake3::hash(given.as_bytes()) == blake3::hash(token.reveal().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_only_ingest_and_bare_pages_open() {
        for (method, path, open) in [
            (Method::POST, "/v1/telemetry", true),
            (Method::PUT, "/v1/telemetry", true),
            (Method::POST, "/v1/telemetry/batch", true),
            (Method::GET, "/v1/health", true),
            (Method::GET, "/", true),
            (Method::GET, "/assets/app.js", true),
            (Method::GET, "/v1/telemetry", false),
            (Method::GET, "/v1/telemetry/events", false),
            (Method::GET, "/v1/quarantine", false),
            (Method::GET, "/openapi.json", false),
            (Method::POST, "/v1/telemetry/events/by-ids", false),
            (Method::DELETE, "/", false),
        ] {
            assert_eq!(is_open(&method, path), open, "{method} {path}");
        }
    }

    #[test]
    fn reads_bearer_tokens_only() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), None);
        headers.insert(header::AUTHORIZATION, "bearer abc".parse().unwrap());
        assert_eq!(bearer(&headers), Some("abc"));
        headers.insert(header::AUTHORIZATION, "Basic abc".parse().unwrap());
        assert_eq!(bearer(&headers), None);
        assert!(matches("abc", &Secret::new("abc")));
        assert!(!matches("abd", &Secret::new("abc")));
    }
}
