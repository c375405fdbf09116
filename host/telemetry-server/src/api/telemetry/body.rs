//! Takes a body within its limit and the server's memory. Of one that is too large or breaks off only a digest is left.

use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, HttpBody};
use telemetry_model::{Digest, DigestKey};

use crate::api::ApiError;
use crate::processing::decode::{Refusal, RefusalKind};
use crate::processing::{IngestError, Lease};
use crate::server::BodyTimeout;

/// A client that sends too much reads its answer only when it has sent all of it: so much more is taken and dropped, times the limit.
const DRAIN: u64 = 4;

/// How a body is taken.
pub(super) struct Reading<'a> {
    /// Bytes.
    pub limit: usize,
    /// Accounts for what is held.
    pub lease: Lease,
    /// For what is not.
    pub key: &'a DigestKey,
    /// The client waits for leave to send (`Expect: 100-continue`), so a body announced as too large need not come at all.
    pub announce: bool,
}

/// What came.
pub(super) enum Received {
    /// All of it.
    Whole(Vec<u8>, Lease),
    /// Too much, too little or too late.
    Unread {
        /// Why.
        refusal: Refusal,
        /// Of what came.
        digest: Digest,
        /// Bytes that came, or were announced.
        size: u64,
        /// Instead of the refusal's own answer.
        status: Option<ApiError>,
    },
}

/// Takes a body.
///
/// # Errors
/// [`IngestError::Overloaded`] when the server has no memory for it.
pub(super) async fn receive(mut body: Body, mut reading: Reading<'_>) -> Result<Received, IngestError> {
    let announced = body.size_hint().lower();
    let limit = reading.limit as u64;
    if announced > limit && (reading.announce || announced > limit.saturating_mul(DRAIN)) {
        return Ok(too_large(&reading, reading.key.digest(b""), announced));
    }
    // Room is not memory until it is written to.
    let mut bytes = Vec::with_capacity(usize::try_from(announced).unwrap_or(0).min(reading.limit));
    loop {
        let data = match next(&mut body).await {
            Ok(Some(data)) => data,
            Ok(None) => return Ok(Received::Whole(bytes, reading.lease)),
            Err(cut) => return Ok(broken(&bytes, &reading, cut)),
        };
        if bytes.len() + data.len() > reading.limit {
            return Ok(drain(body, bytes, data, reading).await);
        }
        if let Err(exhausted) = reading.lease.grow(data.len()) {
            // Nothing is held any more, and the client gets to read its answer.
            drop((bytes, data, reading.lease));
            while let Ok(Some(_)) = next(&mut body).await {}
            return Err(exhausted.into());
        }
        bytes.extend_from_slice(&data);
    }
}

/// A body broke off, `true` when it only took too long.
struct Cut(bool);

async fn next(body: &mut Body) -> Result<Option<axum::body::Bytes>, Cut> {
    loop {
        match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Some(Err(error)) => return Err(Cut(BodyTimeout::caused(&error))),
        }
    }
}

async fn drain(mut body: Body, bytes: Vec<u8>, data: axum::body::Bytes, reading: Reading<'_>) -> Received {
    let mut hasher = reading.key.hasher();
    hasher.update(&bytes);
    hasher.update(&data);
    let mut size = (bytes.len() + data.len()) as u64;
    drop((bytes, data));
    while size <= (reading.limit as u64).saturating_mul(DRAIN) {
        let Ok(Some(data)) = next(&mut body).await else { break };
        hasher.update(&data);
        size += data.len() as u64;
    }
    too_large(&reading, hasher.finish(), size)
}

fn too_large(reading: &Reading<'_>, digest: Digest, size: u64) -> Received {
    let message = format!("the body is larger than {} bytes", reading.limit);
    Received::Unread { refusal: Refusal::new(RefusalKind::TooLarge, "too-large", message), digest, size, status: None }
}

fn broken(bytes: &[u8], reading: &Reading<'_>, Cut(timeout): Cut) -> Received {
    let refusal = match timeout {
        true => Refusal::new(RefusalKind::Malformed, "body-timeout", "the body did not arrive in time"),
        false => Refusal::new(RefusalKind::Malformed, "body-broken-off", "the body broke off"),
    };
    let status = timeout.then(ApiError::body_timeout);
    Received::Unread { refusal, digest: reading.key.digest(bytes), size: bytes.len() as u64, status }
}
