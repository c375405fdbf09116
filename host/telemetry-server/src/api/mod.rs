//! The REST API: thin handlers, one file a noun, over `processing` and `analysis`.

pub mod error;
pub mod extract;
pub mod guard;
pub mod health;
pub mod page;

pub use error::{ApiError, Code};
