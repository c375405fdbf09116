//! A panic in a handler answers 500 without internals and takes nothing else down.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::api::ApiError;

/// Catches what unwinds out of the layers and the handler behind it; the panic hook has logged where it came from.
pub async fn panics(request: Request, next: Next) -> Response {
    let mut answer = pin!(next.run(request));
    let caught = std::future::poll_fn(|context| match std::panic::catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(response)) => Poll::Ready(Some(response)),
        Err(_) => Poll::Ready(None),
    });
    caught.await.unwrap_or_else(|| ApiError::unexpected().into_response())
}
