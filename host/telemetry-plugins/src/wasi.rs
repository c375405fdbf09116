//! WASI, for plugins that were granted it: an empty context (no environment, no arguments, no folders, no network, streams that
//! lead nowhere), with the granted parts real. Such a plugin may wait, so its calls run on a fiber under a limit of wall time.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::guest::{Ended, Guest};
use crate::load::LoadError;
use crate::manifest::Capabilities;

/// The parts that a manifest may ask for, and what each opens.
const PARTS: [(&str, &str); 2] = [("clock", "clocks/"), ("random", "random/")];
/// Harmless in an empty context, and wanted by most toolchains: linked beside any part.
const EMPTY: [&str; 3] = ["cli/", "filesystem/", "io/"];

/// The context of one instance.
pub(crate) struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
}

impl Default for Wasi {
    fn default() -> Self {
        let mut context = WasiCtxBuilder::new();
        context.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false).max_random_size(64 << 10);
        Wasi { context: context.build(), table: ResourceTable::new() }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Wasi { context, table } = &mut **self.wasi.get_or_insert_default();
        WasiCtxView { ctx: context, table }
    }
}

/// Whether this series has the parts that a manifest asks for.
///
/// # Errors
/// [`LoadError::Wasi`].
pub(crate) fn check_parts(asked: &Capabilities) -> Result<(), LoadError> {
    match asked.wasi.iter().find(|part| PARTS.iter().all(|(known, _)| known != part)) {
        None => Ok(()),
        Some(part) => {
            let problem = "a part that this series never links, granted or not (it has clock and random)".to_owned();
            Err(LoadError::Wasi { import: part.clone(), problem })
        }
    }
}

/// Whether `path` (what follows `wasi:`) belongs to a part that the manifest asks for.
///
/// # Errors
/// [`LoadError::Wasi`].
pub(crate) fn check_import(asked: &Capabilities, path: &str) -> Result<(), LoadError> {
    let refused = |problem: String| Err(LoadError::Wasi { import: path.to_owned(), problem });
    if let Some((part, _)) = PARTS.iter().find(|(_, prefix)| path.starts_with(prefix)) {
        return match asked.wasi.iter().any(|asked| asked == part) {
            true => Ok(()),
            false => refused(format!("but its manifest does not ask for it: capabilities.wasi = [\"{part}\"]")),
        };
    }
    if !EMPTY.iter().any(|prefix| path.starts_with(prefix)) {
        return refused("which is never linked in this series, granted or not".into());
    }
    match asked.wasi.is_empty() {
        false => Ok(()),
        true => refused("but its manifest asks for no part of WASI (build it without WASI, or ask: capabilities.wasi)".into()),
    }
}

/// Links WASI.
///
/// # Errors
/// When the engine refuses a definition.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)
}

/// The timer of a plugin that may wait.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    runtime: Arc<Runtime>,
    pub(crate) limit: Duration,
}

impl Waiting {
    /// For calls of at most `limit` of wall time.
    ///
    /// # Errors
    /// When the system gives no timer.
    pub(crate) fn new(limit: Duration) -> std::io::Result<Self> {
        let runtime = Arc::new(Builder::new_current_thread().enable_time().build()?);
        Ok(Waiting { runtime, limit })
    }

    /// Runs `call` on this thread, which must be one that may block.
    pub(crate) fn run<T>(&self, call: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
        let limited = async { tokio::time::timeout(self.limit, call).await };
        self.runtime.block_on(limited).unwrap_or_else(|_| Err(Ended::Waited.into()))
    }
}
