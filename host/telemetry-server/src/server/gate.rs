//! Requests that come before the server is ready: health is told so, the others wait.

use std::time::Duration;

use axum::Router;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, Request};
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;
use tower::ServiceExt;

use crate::api::{ApiError, health};
use axum::body::Body;

/// How long a request waits for the start: longer than a cold start, within a client's patience.
const PATIENCE: Duration = Duration::from_secs(30);

/// Passes requests to the router, once there is one.
#[derive(Clone)]
pub(super) struct Gate(watch::Receiver<Option<Router>>);

/// Opens its [`Gate`]; one dropped unopened turns requests away.
pub(super) struct GateKey(watch::Sender<Option<Router>>);

impl GateKey {
    /// Lets requests in.
    pub(super) fn open(self, router: Router) {
        let _ = self.0.send(Some(router));
    }
}

impl Gate {
    /// A gate that nothing passes yet.
    pub(super) fn closed() -> (GateKey, Gate) {
        let (sender, receiver) = watch::channel(None);
        (GateKey(sender), Gate(receiver))
    }

    /// Answers one request.
    pub(super) async fn answer(mut self, request: Request<Body>) -> Response {
        let ready = self.0.borrow().clone();
        if let Some(router) = ready {
            return pass(router, request).await;
        }
        if request.uri().path() == health::PATH {
            return health::starting();
        }
        match self.opened().await {
            Some(router) => pass(router, request).await,
            None => {
                let mut response = ApiError::overloaded("the server is starting", 1).into_response();
                response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                response
            }
        }
    }

    /// The router, if it comes within the client's patience.
    async fn opened(&mut self) -> Option<Router> {
        let opened = tokio::time::timeout(PATIENCE, self.0.wait_for(Option::is_some)).await;
        opened.ok()?.ok()?.clone()
    }
}

async fn pass(router: Router, request: Request<Body>) -> Response {
    router.oneshot(request).await.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;
    use axum::routing::get;

    fn request(path: &str) -> Request<Body> {
        Request::builder().uri(path).body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn health_says_starting_and_others_wait() {
        let (key, gate) = Gate::closed();
        let starting = gate.clone().answer(request("/v1/health")).await;
        assert_eq!(starting.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(starting.headers().contains_key("retry-after"));
        let body = axum::body::to_bytes(starting.into_body(), 100).await.unwrap();
        assert_eq!(&body[..], br#"{"status":"starting"}"#);
        let waiting = tokio::spawn(gate.clone().answer(request("/x")));
        key.open(Router::new().route("/x", get(|| async { "here" })));
        assert_eq!(waiting.await.unwrap().status(), StatusCode::OK);
        assert_eq!(gate.answer(request("/v1/health")).await.status(), StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn a_start_that_failed_turns_requests_away() {
        let (key, gate) = Gate::closed();
        drop(key);
        assert_eq!(gate.answer(request("/x")).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
