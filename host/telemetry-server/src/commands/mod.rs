//! What the binary does instead of serving.

pub mod audit;
pub mod mask;
pub mod plugin;
mod progress;
