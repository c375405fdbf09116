//! What the host offers beside the rows.

use crate::bindings::host;

/// How serious a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For the author.
    Debug,
    /// Worth knowing.
    Info,
    /// Odd.
    Warn,
    /// Broken.
    Error,
}

/// Writes a line to the plugin's own ring, shown at `/v1/plugins/{id}`. Natively it goes to standard error.
pub fn log(level: Level, message: &str) {
    if cfg!(not(target_arch = "wasm32")) {
        eprintln!("{level:?}: {message}");
        return;
    }
    let level = match level {
        Level::Debug => host::log::Level::Debug,
        Level::Info => host::log::Level::Info,
        Level::Warn => host::log::Level::Warn,
        Level::Error => host::log::Level::Error,
    };
    host::log::log(level, message);
}

/// The row of an operator's table whose key is `key`, as a JSON object. Needs `lookup = ["<table>"]` and a grant. Natively `None`.
pub fn lookup_exact(table: &str, key: &str) -> Option<String> {
    if cfg!(target_arch = "wasm32") { host::lookup::exact(table, key) } else { None }
}

/// The row of an operator's table whose key is the longest prefix of `key`. Natively `None`.
pub fn lookup_longest_prefix(table: &str, key: &str) -> Option<String> {
    if cfg!(target_arch = "wasm32") { host::lookup::longest_prefix(table, key) } else { None }
}

/// Sends the text of a panic to the ring; without it a trap says nothing.
pub(crate) fn report_panics() {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string())));
}
