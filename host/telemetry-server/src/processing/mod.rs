//! The write path: bytes to stored events. Knows no HTTP and no read path.
//!
//! [`Pipeline::ingest`] takes the body of one request and answers when everything in it is durable. Worker threads decode and run
//! plugins over whatever waits; only the store's writer groups what is ready into transactions.

mod budget;
pub mod decode;
mod flags;
mod mask;
pub mod normalize;
mod pipeline;
mod quarantine;
mod queue;
mod rowqueue;
pub(crate) mod rows;
mod spare;
mod stages;
mod unit;

pub use budget::{Budget, Exhausted, Lease};
pub use mask::{ReplayError, replay};
pub use pipeline::{Pipeline, PipelineSettings};
pub use rowqueue::RowQueue;
pub use stages::dry::{Found, Tried, try_events};
pub use unit::{Answer, EventOutcome, IngestError, StrictDetail, Unit, Unread};
