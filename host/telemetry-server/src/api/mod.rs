//! The REST API: thin handlers, one file a noun, over `processing` and `analysis`.

pub mod error;
pub mod extract;
pub mod guard;
pub mod health;
pub mod overview;
pub mod page;

pub use error::{ApiError, Code};

/// Runs `work`, which blocks, off the reactor.
///
/// # Errors
/// Its own, or 500 when it panicked.
pub async fn blocking<T, E, F>(work: F) -> Result<T, ApiError>
where
    T: Send + 'static,
    E: Send + 'static,
    ApiError: From<E>,
    F: FnOnce() -> Result<T, E> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(ApiError::from),
        Err(_) => Err(ApiError::unexpected()),
    }
}
