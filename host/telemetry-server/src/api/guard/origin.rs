//! CORS for the configured origins, and the admin rule for routes that change state.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access::is_ingest;
use crate::api::{ApiError, extract};
use crate::app::App;
use crate::config::ServerConfig;

const EXPOSED: HeaderName = HeaderName::from_static("x-request-id");

/// Answers preflights and marks answers for allowed origins; other origins get no CORS header, so a browser keeps the answer from them.
pub async fn cross_origin(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let allowed = origin.filter(|origin| is_configured(origin, &app.config.server));
    let preflight = request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight { preflight_answer(allowed.is_some()) } else { next.run(request).await };
    response.headers_mut().append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = allowed {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from(EXPOSED));
    }
    response
}

fn preflight_answer(allowed: bool) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if allowed {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type, x-request-id"));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    response
}

/// Every route that is neither a read nor ingest wants `Content-Type: application/json`, and an allowed Origin or none.
pub async fn admin(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if request.method().is_safe() || is_ingest(request.method(), request.uri().path()) {
        return next.run(request).await;
    }
    match check_admin(request.headers(), &app.config.server) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn check_admin(headers: &HeaderMap, server: &ServerConfig) -> Result<(), ApiError> {
    if !extract::is_json(headers) {
        return Err(ApiError::unsupported_media_type("this route wants Content-Type: application/json"));
    }
    match headers.get(header::ORIGIN) {
        Some(origin) if !is_configured(origin, server) && !is_own(origin, headers) => {
            Err(ApiError::authorization("this origin may not change anything here").with("origin", "add it to server.cors_origins"))
        }
        _ => Ok(()),
    }
}

fn is_configured(origin: &HeaderValue, server: &ServerConfig) -> bool {
    server.cors_origins.iter().any(|known| known.trim_end_matches('/').as_bytes().eq_ignore_ascii_case(origin.as_bytes()))
}

/// Whether the page that asks is the server's own; the Host rule has vouched for the name.
fn is_own(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else { return false };
    let Ok(origin) = origin.to_str() else { return false };
    origin.split_once("://").is_some_and(|(_, authority)| authority.as_bytes().eq_ignore_ascii_case(host.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn admin_routes_want_json_and_an_allowed_origin_or_none() {
        let server = ServerConfig::default();
        let json = (header::CONTENT_TYPE, "application/json; charset=utf-8");
        let host = (header::HOST, "127.0.0.1:8000");
        let status = |pairs: &[(HeaderName, &str)]| check_admin(&headers(pairs), &server).map_err(|error| error.status());
        assert_eq!(status(std::slice::from_ref(&json)), Ok(()));
        assert_eq!(status(&[json.clone(), (header::ORIGIN, "http://localhost:3000")]), Ok(()));
        assert_eq!(status(&[json.clone(), host.clone(), (header::ORIGIN, "http://127.0.0.1:8000")]), Ok(()));
        assert_eq!(status(&[json, host, (header::ORIGIN, "http://evil.example")]), Err(StatusCode::FORBIDDEN));
        assert_eq!(status(&[(header::CONTENT_TYPE, "text/plain")]), Err(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        assert_eq!(status(&[]), Err(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
}
