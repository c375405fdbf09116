//! What a plugin author runs: building a component from a plugin's folder, and running its cases against it.
//!
//! One file is the plugin: the component carries its manifest and a note of how it was built as custom sections.

pub mod build;
pub mod digest;
pub mod section;
pub mod toolchain;

pub use build::{BuildError, BuildSettings, Built, build};
pub use digest::{DigestError, source_digest};
pub use section::{BuildNote, section};
pub use toolchain::{Toolchain, ToolchainError};
