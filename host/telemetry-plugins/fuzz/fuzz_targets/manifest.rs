//! `cargo +nightly fuzz run manifest`, in `host/telemetry-plugins`.
#![no_main]

#[path = "../src/manifest.rs"]
mod manifest;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| manifest::run(bytes));
