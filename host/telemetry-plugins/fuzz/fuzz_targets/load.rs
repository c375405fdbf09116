//! `cargo +nightly fuzz run load`, in `host/telemetry-plugins`.
#![no_main]

#[path = "../src/load.rs"]
mod load;

libfuzzer_sys::fuzz_target!(
    // The compiler panics on some components, which the host takes for one that does not load: that is no finding.
    init: std::panic::set_hook(Box::new(|_| ())),
    |bytes: &[u8]| {
        // The hook that ends the process at a panic was taken away.
        if load::run(bytes).is_err() {
            std::process::abort();
        }
    }
);
