//! The integration tests: the whole server over HTTP, and the rules of the house.

mod api;
mod harness;
mod scenarios;
mod tidy;
