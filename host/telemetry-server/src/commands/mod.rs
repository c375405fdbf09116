//! What the binary does instead of serving.

pub mod audit;
mod http;
pub mod mask;
pub mod plugin;
mod progress;
