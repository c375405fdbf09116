//! The one way to take a body: bounded alone, and bounded together with all others that are on their way.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, Bytes, HttpBody};

use crate::api::ApiError;
use crate::server::BodyTimeout;

/// Why a body could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// Over the limit: so many bytes were announced or came.
    TooLarge(u64),
    /// It did not arrive in `server.body_timeout_s`.
    Timeout,
    /// The client broke off, or broke the framing.
    Cut,
    /// Too many bodies are on their way.
    Busy,
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(_) => ApiError::too_large("the body is larger than this route takes"),
            BodyError::Timeout => ApiError::body_timeout(),
            BodyError::Cut => ApiError::validation("the body broke off"),
            BodyError::Busy => ApiError::overloaded("too many bodies are on their way", 1),
        }
    }
}

/// How much of a body that is too large is still taken off the wire and thrown away, so that the client gets to read its answer
/// instead of a broken connection.
const DRAINED: u64 = 256 << 20;

/// Bytes of all bodies that are on their way: many clients that are slow together must not fill the memory.
const TOGETHER: u64 = 512 << 20;

static ON_THEIR_WAY: AtomicU64 = AtomicU64::new(0);

/// Takes a whole body of at most `limit` bytes.
///
/// # Errors
/// [`BodyError`]. What is over the limit is never kept.
pub async fn body(mut body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let limit = limit as u64;
    let announced = body.size_hint().lower();
    if announced > DRAINED {
        return Err(BodyError::TooLarge(announced));
    }
    let mut first = Bytes::new();
    let mut whole = Vec::new();
    let mut size = 0;
    let mut share = Share { taken: &ON_THEIR_WAY, bytes: 0 };
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| if BodyTimeout::caused(&error) { BodyError::Timeout } else { BodyError::Cut })?;
        let Ok(bytes) = frame.into_data() else { continue };
        size += bytes.len() as u64;
        if size > limit || announced > limit {
            (first, whole) = (Bytes::new(), Vec::new());
            if size > DRAINED {
                break;
            }
        } else if whole.is_empty() && first.is_empty() {
            first = bytes;
        } else {
            if whole.is_empty() {
                whole.reserve(usize::try_from(announced.max(size)).unwrap_or_default());
                whole.extend_from_slice(&std::mem::take(&mut first));
            }
            if !share.grow(bytes.len() as u64) {
                return Err(BodyError::Busy);
            }
            whole.extend_from_slice(&bytes);
        }
    }
    match () {
        () if size > limit => Err(BodyError::TooLarge(size)),
        () if whole.is_empty() => Ok(first),
        () => Ok(whole.into()),
    }
}

/// A body's part of what all bodies on their way may take together.
struct Share<'a> {
    taken: &'a AtomicU64,
    bytes: u64,
}

impl Share<'_> {
    /// Counts further bytes; false when all together would be too much.
    fn grow(&mut self, bytes: u64) -> bool {
        self.bytes += bytes;
        self.taken.fetch_add(bytes, Ordering::Relaxed) + bytes <= TOGETHER
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn taken(parts: &[&'static str], limit: usize) -> Result<Bytes, BodyError> {
        struct Parts(std::collections::VecDeque<&'static str>);
        impl HttpBody for Parts {
            type Data = Bytes;
            type Error = std::convert::Infallible;
            fn poll_frame(
                mut self: Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
                std::task::Poll::Ready(self.0.pop_front().map(|part| Ok(hyper::body::Frame::data(Bytes::from_static(part.as_bytes())))))
            }
        }
        body(Body::new(Parts(parts.iter().copied().collect())), limit).await
    }

    #[tokio::test]
    async fn joins_parts_and_counts_what_is_too_much() {
        assert_eq!(taken(&[], 4).await, Ok(Bytes::new()));
        assert_eq!(taken(&["abcd"], 4).await.as_deref(), Ok(&b"abcd"[..]));
        assert_eq!(taken(&["ab", "", "c", "d"], 4).await.as_deref(), Ok(&b"abcd"[..]));
        assert_eq!(taken(&["ab", "cd", "e", "f"], 4).await, Err(BodyError::TooLarge(6)));
        assert_eq!(body(Body::from("abcde"), 4).await, Err(BodyError::TooLarge(5)));
    }

    #[test]
    fn bodies_share_what_they_may_take_together() {
        let taken = AtomicU64::new(0);
        let mut one = Share { taken: &taken, bytes: 0 };
        let mut other = Share { taken: &taken, bytes: 0 };
        assert!(one.grow(TOGETHER - 1) && other.grow(1) && !other.grow(1));
        drop(one);
        assert!(other.grow(1));
        drop(other);
        assert_eq!(taken.into_inner(), 0);
    }
}
