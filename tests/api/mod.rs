//! HTTP behaviour, route by route.

mod answers;
mod bad_input;
mod connections;
mod guards;
mod ingest;
mod log;
mod moody;
mod openapi;
mod page;
mod plugins;
pub mod raw;
mod reads;
mod reports;
mod schemas;
