//! `cargo +nightly fuzz run table`, in `host/telemetry-plugins`.
#![no_main]

#[path = "../src/table.rs"]
mod table;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| table::run(bytes));
