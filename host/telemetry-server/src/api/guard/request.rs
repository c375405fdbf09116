//! Request ids and the one log line of a request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request: the client's `x-request-id` if it is sane, else a count since the start. In the request's extensions.
#[derive(Clone, Debug)]
pub struct RequestId(pub Box<str>);

static COUNT: AtomicU64 = AtomicU64::new(0);

/// Names the request in every log line below it, answers its id, and logs method, route, status and time. Never a query or a body.
pub async fn request_log(mut request: Request, next: Next) -> Response {
    let id = given(&request).unwrap_or_else(|| format!("r{:x}", COUNT.fetch_add(1, Ordering::Relaxed)).into_boxed_str());
    let header = HeaderValue::from_str(&id);
    let span = tracing::info_span!("request", request.id = %id);
    let method = request.method().clone();
    let started = Instant::now();
    request.extensions_mut().insert(RequestId(id));
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).instrument(span.clone()).await;
    let route = route.as_ref().map_or("-", MatchedPath::as_str);
    let status = response.status();
    let duration_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    span.in_scope(|| {
        if status.is_server_error() {
            tracing::warn!(http.method = %method, http.route = route, http.status = status.as_u16(), duration_us, "request answered");
        } else {
            tracing::debug!(http.method = %method, http.route = route, http.status = status.as_u16(), duration_us, "request answered");
        }
    });
    if let Ok(value) = header {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

/// The client's own id, if it is 1 to 128 letters, digits, `-`, `_`, `.` or `:`.
fn given(request: &Request) -> Option<Box<str>> {
    let text = request.headers().get(HEADER)?.to_str().ok()?;
    let sane = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    sane.then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echoes_only_sane_ids() {
        let with = |id: &str| given(&Request::builder().header(HEADER, id).body(axum::body::Body::empty()).unwrap());
        assert_eq!(with("abc-1.2:3_x").as_deref(), Some("abc-1.2:3_x"));
        for id in ["", "a b", "a\"b", &"x".repeat(129)] {
            assert_eq!(with(id), None, "{id}");
        }
    }
}
