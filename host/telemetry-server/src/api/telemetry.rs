//! `POST` and `PUT /v1/telemetry`, `/v1/telemetry/batch`: what agents send.
//!
//! Senders do not retry and do not read the answer, so whatever comes is stored, or kept in quarantine with its reasons. Only a
//! request with `?strict=1` is refused for being odd, and then leaves nothing.

mod answer;
mod body;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONTENT_ENCODING, EXPECT};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use telemetry_model::Flag;

use super::{ApiError, extract};
use crate::app::App;
use crate::processing::decode::{Encoding, Refusal, Shape};
use crate::processing::{Unit, Unread};
use body::Received;

/// One event.
///
/// # Errors
/// 400 not an event, 413 too large, 415 unknown content encoding, 503 busy, 500 the database failed.
pub async fn ingest(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let limit = app.config.server.max_body_bytes();
    let answer = take(&app, request, Shape::Single, limit).await?;
    answer::single(answer)
}

/// A batch: `{"events": [..]}` or an array.
///
/// # Errors
/// As [`ingest`]; 400 too when there are more events than `server.max_batch_events`.
pub async fn ingest_batch(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let server = &app.config.server;
    let shape = Shape::Batch { max_events: server.max_batch_events };
    let answer = take(&app, request, shape, server.max_batch_bytes()).await?;
    answer::batch(answer)
}

async fn take(app: &App, request: Request, shape: Shape, limit: usize) -> Result<crate::processing::Answer, ApiError> {
    let source = source(&request);
    let strict = is_strict(request.uri());
    let (parts, body) = request.into_parts();
    let encoding = encoding(&parts.headers);
    let received_at = app.clock.now();
    let reading =
        body::Reading { limit, lease: app.pipeline.lease(), key: app.store.digest_key(), announce: parts.headers.contains_key(EXPECT) };
    let unread = |refusal, digest, size| Unread { refusal, digest, size, source: source.clone(), received_at };
    let (bytes, lease) = match body::receive(body, reading).await.map_err(answer::failed)? {
        Received::Whole(bytes, lease) => (bytes, lease),
        Received::Unread { refusal, digest, size, status } => {
            if !strict {
                app.pipeline.note(unread(refusal.clone(), digest, size)).await.map_err(answer::failed)?;
            }
            return Err(status.unwrap_or_else(|| answer::refused(&refusal)));
        }
    };
    let encoding = match encoding {
        Ok(encoding) => encoding,
        Err(refusal) => {
            if !strict {
                let digest = app.store.digest_key().digest(&bytes);
                app.pipeline.note(unread(refusal.clone(), digest, bytes.len() as u64)).await.map_err(answer::failed)?;
            }
            return Err(answer::refused(&refusal));
        }
    };
    let mut flags = Vec::new();
    if !extract::is_json(&parts.headers) {
        flags.push(Flag::new("content-type", None));
    }
    if parts.method == Method::PUT {
        flags.push(Flag::new("method-put", None));
    }
    let unit = Unit { bytes, encoding, shape, limit, strict, source, flags, received_at, lease };
    app.pipeline.ingest(unit).await.map_err(answer::failed)
}

/// The peer's address, without its port.
fn source(request: &Request) -> Box<str> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.map_or_else(|| "unknown".into(), |ConnectInfo(address)| address.ip().to_string().into())
}

/// `strict=1` or `strict=true`. Anything else in the query is no reason to lose an event.
fn is_strict(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|pair| matches!(pair, "strict=1" | "strict=true")))
}

fn encoding(headers: &HeaderMap) -> Result<Option<Encoding>, Refusal> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter().map(|value| value.to_str().unwrap_or("unknown"));
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => Encoding::parse(one),
        (Some(_), Some(_)) => Encoding::parse("several"),
    }
}
