//! `cylestio-server plugin ..`, each command as its user runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod audit;
mod desk;
mod look;
mod make;
mod operate;
mod prove;
mod rules;
