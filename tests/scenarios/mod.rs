//! Whole stories over HTTP and plain SQL.

mod golden;
mod journal;
