//! `cargo +nightly fuzz run output`, in `host/telemetry-model`.
#![no_main]

#[path = "../src/output.rs"]
mod output;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| output::run(bytes));
