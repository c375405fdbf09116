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
/// 400 not an event, 413 too large, 415 unknown content encoding (400 for both when strict), 503 busy, 500 the database failed.
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
    let strict = strict(request.uri());
    let flags = oddities(&request, strict);
    let strict = strict == Some(true);
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
            return Err(status.unwrap_or_else(|| answer::refused(&refusal, strict)));
        }
    };
    let encoding = match encoding {
        Ok(encoding) => encoding,
        Err(refusal) => {
            if !strict {
                let digest = app.store.digest_key().digest(&bytes);
                app.pipeline.note(unread(refusal.clone(), digest, bytes.len() as u64)).await.map_err(answer::failed)?;
            }
            return Err(answer::refused(&refusal, strict));
        }
    };
    let unit = Unit { bytes, encoding, shape, limit, strict, source, flags, received_at, lease };
    app.pipeline.ingest(unit).await.map_err(answer::failed)
}

/// The peer's address, without its port.
fn source(request: &Request) -> Box<str> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.map_or_else(|| "unknown".into(), |ConnectInfo(address)| address.ip().to_string().into())
}

/// What is odd about a request: flags of each of its events.
fn oddities(request: &Request, strict: Option<bool>) -> Vec<Flag> {
    let odd = [
        (!extract::is_json(request.headers()), "content-type", None),
        (extract::is_other_charset(request.headers()), "charset", None),
        (request.method() == Method::PUT, "method-put", None),
        (strict.is_none(), "parameter-unreadable", Some("strict")),
    ];
    odd.into_iter().filter(|(is_so, ..)| *is_so).map(|(_, code, field)| Flag::new(code, field.map(Into::into))).collect()
}

/// Whether the request asks to be refused when it is odd: `strict=1` or `strict=true`; not with `0`, `false`, an empty one or none.
/// `None` for another value: no reason to lose an event, so such a request is taken as not strict and flagged.
fn strict(uri: &Uri) -> Option<bool> {
    let pairs = uri.query().unwrap_or_default().split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "?")));
    let values = pairs.filter(|(name, _)| *name == "strict").map(|(_, value)| match value {
        "1" | "true" => Some(true),
        "" | "0" | "false" => Some(false),
        _ => None,
    });
    // Of several the strictest counts, and one that cannot be read is not forgotten.
    values
        .max_by_key(|value| match value {
            Some(true) => 2,
            None => 1,
            Some(false) => 0,
        })
        .unwrap_or(Some(false))
}

fn encoding(headers: &HeaderMap) -> Result<Option<Encoding>, Refusal> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter().map(|value| value.to_str().unwrap_or("unknown"));
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => Encoding::parse(one),
        (Some(_), Some(_)) => Encoding::parse("several"),
    }
}
