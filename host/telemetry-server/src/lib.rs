//! The HTTP server of agent telemetry: configuration, routes, the write path and the read path, wired together.
//!
//! `api` speaks HTTP and calls `processing` (writes) and `analysis` (reads); those two know neither HTTP nor each other.

pub mod analysis;
pub mod api;
pub mod app;
pub mod audit;
pub mod config;
pub mod history;
pub mod journal;
pub mod live;
pub mod logging;
pub mod offline;
pub mod processing;
pub mod router;
pub mod server;

pub use app::App;
pub use config::Config;
pub use server::{RunningServer, StartError, Surroundings, serve, serve_after};
