//! What a plugin author runs: building a component from a plugin's folder, looking at it, and running its cases against it.
//!
//! One file is the plugin: the component carries its manifest and a note of how it was built as custom sections.

pub mod bench;
pub mod build;
mod c;
pub mod cases;
pub mod check;
mod derived;
pub mod digest;
pub mod files;
mod found;
pub mod grant;
pub mod inspect;
pub mod interpreted;
mod leaves;
pub mod project;
pub mod rows;
pub mod section;
pub mod toolchain;
pub mod trial;
pub mod verify;

pub use build::{BuildError, BuildSettings, Built, build};
pub use cases::{Case, CaseError, run_cases};
pub use check::{Opinion, check};
pub use derived::Failure;
pub use digest::{DigestError, source_digest};
pub use found::FindError;
pub use inspect::{Portrait, portrait};
pub use interpreted::Language;
pub use rows::JsonRows;
pub use section::{BuildNote, section};
pub use toolchain::{Toolchain, ToolchainError};
pub use trial::{Accumulator, CompileCache, Setup, Trial, TrialError};
pub use verify::{CaseResult, Verdict, VerifyError, verify};
