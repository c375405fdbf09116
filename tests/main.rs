//! The integration tests: the whole server over HTTP, and the rules of the house.

mod api;
mod harness;
mod plugins;
mod scenarios;
mod tidy;
