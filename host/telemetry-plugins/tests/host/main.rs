//! The host with real components: what loads, what is refused, what a bad row costs.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod guest;

mod enrichers;
mod laws;
mod loading;
mod metrics;
mod registry;
mod shipped;
mod tables;
mod validators;
mod wasi;
