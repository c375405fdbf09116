//! What the binary does instead of serving.

pub mod plugin;
