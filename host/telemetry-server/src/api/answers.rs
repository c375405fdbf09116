//! Memory of answers: taken before stored content is read, and given back when the last byte has left for the socket or the client
//! is gone. However many clients read however slowly, answers take no more than `server.max_answers_mib`.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde::Serialize;
use telemetry_store::{Snapshot, StoreError};
use tokio::sync::Notify;

use super::ApiError;
use crate::app::App;

/// What every read takes at first, and what most need.
const FIRST: u64 = 1 << 20;
/// This part of the budget is kept for reads that need no more than [`FIRST`].
const RESERVE: u64 = 16;
/// How long a read waits for others to end.
const PATIENCE: Duration = Duration::from_secs(2);
/// What an answer takes beside its bytes.
const BESIDE: u64 = 1024;

/// The budget, shared by all requests.
#[derive(Clone, Debug)]
pub struct Answers(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    used: AtomicU64,
    limit: u64,
    patience: Duration,
    freed: Notify,
}

impl Answers {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self::with(limit, PATIENCE)
    }

    fn with(limit: u64, patience: Duration) -> Self {
        Answers(Arc::new(Budget { used: AtomicU64::new(0), limit, patience, freed: Notify::new() }))
    }

    /// Room for an answer of ordinary size.
    ///
    /// # Errors
    /// 503 when none becomes free in a short time.
    pub async fn room(&self) -> Result<Room, ApiError> {
        let mut room = Room { budget: self.0.clone(), bytes: 0 };
        room.grow(FIRST).await?;
        Ok(room)
    }
}

/// Bytes taken of the budget; given back when dropped.
#[derive(Debug)]
pub struct Room {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Room {
    /// How much it is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Gives back what it has and waits for `bytes`, or for all there is when that is less: what is larger is answered alone.
    ///
    /// # Errors
    /// 503 when that does not become free in a short time.
    pub async fn grow(&mut self, bytes: u64) -> Result<(), ApiError> {
        self.give_back(self.bytes);
        let budget = self.budget.clone();
        let most = if bytes <= FIRST { budget.limit } else { budget.limit - budget.limit / RESERVE };
        let bytes = bytes.min(most);
        let taken = async {
            loop {
                let mut freed = pin!(budget.freed.notified());
                freed.as_mut().enable();
                let take = |used: u64| used.checked_add(bytes).filter(|total| *total <= most);
                if budget.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_ok() {
                    return;
                }
                freed.await;
            }
        };
        let taken = tokio::time::timeout(budget.patience, taken).await;
        taken.map_err(|_| ApiError::overloaded("other answers take all memory that answers may take (server.max_answers_mib)", 2))?;
        self.bytes = bytes;
        Ok(())
    }

    /// Room for an answer that is there already: it is counted, whether it fits or not.
    fn settle(&mut self, bytes: u64) {
        if bytes > self.bytes {
            self.budget.used.fetch_add(bytes - self.bytes, Ordering::AcqRel);
            self.bytes = bytes;
        } else {
            self.give_back(self.bytes - bytes);
        }
    }

    fn give_back(&mut self, bytes: u64) {
        self.budget.used.fetch_sub(bytes, Ordering::AcqRel);
        self.bytes -= bytes;
        self.budget.freed.notify_waiters();
    }

    /// `value` as JSON that keeps its room until it has been sent.
    ///
    /// # Errors
    /// 500 when it cannot be written as JSON.
    pub fn json<T: Serialize>(mut self, value: T) -> Result<Response, ApiError> {
        let mut bytes = Vec::new();
        if self.bytes > FIRST {
            // Written twice rather than grown: what grows is in memory up to three times.
            let mut length = Length(0);
            serde_json::to_writer(&mut length, &value).map_err(|error| ApiError::internal(&error))?;
            bytes.reserve_exact(length.0);
        }
        serde_json::to_writer(&mut bytes, &value).map_err(|error| ApiError::internal(&error))?;
        drop(value);
        bytes.shrink_to_fit();
        self.settle(bytes.len() as u64 + BESIDE);
        let mut response = Response::new(Body::from(Bytes::from_owner(Held { bytes, _room: self })));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

/// Runs `work` over a snapshot that may take as much memory as there is room for; again with more room when that does not do.
///
/// # Errors
/// Those of `work`, and 503 when the room does not become free in a short time.
pub async fn read<T, F>(app: &Arc<App>, work: F) -> Result<(T, Room), ApiError>
where
    T: Send + 'static,
    F: Fn(&Snapshot) -> Result<T, StoreError> + Send + Sync + 'static,
{
    let work = Arc::new(work);
    let mut room = app.answers.room().await?;
    let mut allowed = room.bytes();
    // Each time for more than before; stored content changes little meanwhile.
    for _ in 0..8 {
        let (store, work) = (app.store.clone(), work.clone());
        let done = tokio::task::spawn_blocking(move || work(&store.snapshot()?.within(allowed))).await;
        match done.map_err(|_| ApiError::unexpected())? {
            Ok(value) => return Ok((value, room)),
            Err(StoreError::Needs { bytes }) => {
                room.grow(bytes).await?;
                allowed = bytes;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(ApiError::overloaded("the answer did not fit the memory that answers may take", 2))
}

/// The bytes of an answer and their room.
struct Held {
    bytes: Vec<u8>,
    _room: Room,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    const NOT_AT_ALL: Duration = Duration::ZERO;
    const AS_LONG_AS_IT_TAKES: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn an_answer_keeps_its_room_until_its_bytes_are_gone() {
        let answers = Answers::with(32 << 20, NOT_AT_ALL);
        let mut room = answers.room().await.unwrap();
        room.grow(20 << 20).await.unwrap();
        let answer = room.json("x".repeat(15 << 20)).unwrap();
        assert!(answers.0.used.load(Ordering::Relaxed) < (15 << 20) + 2 * BESIDE);
        let mut second = answers.room().await.unwrap();
        assert_eq!(second.grow(20 << 20).await.unwrap_err().status(), StatusCode::SERVICE_UNAVAILABLE);
        let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        assert!(second.grow(20 << 20).await.is_err());
        drop(bytes);
        second.grow(20 << 20).await.unwrap();
        drop(second);
        assert_eq!(answers.0.used.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_read_waits_for_others_to_end() {
        let answers = Answers::with(32 << 20, AS_LONG_AS_IT_TAKES);
        let mut first = answers.room().await.unwrap();
        first.grow(20 << 20).await.unwrap();
        let mut second = answers.room().await.unwrap();
        let (grown, ()) = tokio::join!(second.grow(20 << 20), async { drop(first) });
        grown.unwrap();
    }

    #[tokio::test]
    async fn large_answers_leave_room_for_small_ones() {
        let answers = Answers::with(32 << 20, NOT_AT_ALL);
        let mut large = answers.room().await.unwrap();
        large.grow(1 << 40).await.unwrap();
        assert_eq!(large.bytes(), 30 << 20);
        let small = (answers.room().await.unwrap(), answers.room().await.unwrap());
        assert!(answers.room().await.is_err());
        drop(small);
        answers.room().await.unwrap();
    }
}
