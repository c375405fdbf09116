//! WASI, for plugins that were granted parts of it: a context that is empty but for what was granted by name (no other variable,
//! no arguments, no other folder or address, streams that lead nowhere). Such a plugin may wait, so its calls run on a fiber under a
//! limit of wall time.

mod parts;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::guest::{Ended, Guest};
use crate::load::LoadError;
use crate::manifest::Capabilities;
use parts::{Part, asked, host_folder};

pub(crate) use parts::covering;

/// Harmless in an empty context, and wanted by most toolchains: linked beside any part.
const EMPTY: [&str; 3] = ["cli/", "filesystem/", "io/"];
/// Bytes of randomness that one call may ask for.
const MAX_RANDOM: u64 = 64 << 10;

/// What one plugin was granted, as its context is built from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Granted {
    variables: Vec<(String, String)>,
    /// Folder of this machine, path in the plugin.
    folders: Vec<(PathBuf, String, bool)>,
    addresses: Arc<[SocketAddr]>,
}

impl Granted {
    /// What of `grants` the manifest asks for; that it is all granted was decided before. `environment` is the server's.
    ///
    /// # Errors
    /// [`LoadError::Wasi`] when a folder is none.
    pub(crate) fn new(capabilities: &Capabilities, grants: &[String], environment: &BTreeMap<String, String>) -> Result<Self, LoadError> {
        let mut granted = Granted::default();
        let mut addresses = Vec::new();
        for (part, text) in asked(capabilities)?.into_iter().zip(&capabilities.wasi) {
            match part {
                Part::Clock | Part::Random => {}
                Part::Env(name) => granted.variables.extend(environment.get(&name).map(|value| (name, value.clone()))),
                Part::Folder { path, write } => {
                    granted.folders.push((host_folder(covering(grants, text).unwrap_or(text))?, path, write));
                }
                Part::Address(address) => addresses.push(address),
            }
        }
        granted.addresses = addresses.into();
        Ok(granted)
    }
}

/// The context of one instance.
pub(crate) struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
}

impl Wasi {
    /// With what was granted. A folder that went away since is not there.
    pub(crate) fn new(granted: &Granted) -> Self {
        let mut context = WasiCtxBuilder::new();
        let connects = !granted.addresses.is_empty();
        context.allow_tcp(connects).allow_udp(connects).allow_ip_name_lookup(false).max_random_size(MAX_RANDOM);
        context.envs(&granted.variables);
        for (host, path, write) in &granted.folders {
            let permissions = if *write { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            if let Err(error) = context.preopened_dir(host, path, permissions) {
                tracing::warn!(folder = %host.display(), error = %error, "granted folder not opened");
            }
        }
        let addresses = Arc::clone(&granted.addresses);
        context.socket_addr_check(move |address, purpose| {
            let allowed = is_allowed(&addresses, address, purpose);
            Box::pin(async move { allowed })
        });
        Wasi { context: context.build(), table: ResourceTable::new() }
    }
}

/// Outgoing only: to the addresses granted, from a port that the system chooses.
fn is_allowed(addresses: &[SocketAddr], address: SocketAddr, purpose: SocketAddrUse) -> bool {
    match purpose {
        SocketAddrUse::TcpConnect | SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => addresses.contains(&address),
        SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => address.ip().is_unspecified() && address.port() == 0,
        SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => false,
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Wasi { context, table } = &mut **self.wasi.get_or_insert_with(|| Box::new(Wasi::new(&Granted::default())));
        WasiCtxView { ctx: context, table }
    }
}

/// Whether this series has the parts that a manifest asks for.
///
/// # Errors
/// [`LoadError::Wasi`].
pub(crate) fn check_parts(capabilities: &Capabilities) -> Result<(), LoadError> {
    asked(capabilities).map(drop)
}

/// Whether `path` (what follows `wasi:`) belongs to a part that the manifest asks for.
///
/// # Errors
/// [`LoadError::Wasi`].
pub(crate) fn check_import(capabilities: &Capabilities, path: &str) -> Result<(), LoadError> {
    let refused = |problem: String| Err(LoadError::Wasi { import: path.to_owned(), problem });
    if asked(capabilities)?.iter().any(|part| path.starts_with(part.opens())) {
        return Ok(());
    }
    let wants = [("clocks/", "clock"), ("random/", "random"), ("sockets/", "address:IP:PORT")];
    if let Some((_, part)) = wants.iter().find(|(prefix, _)| path.starts_with(prefix)) {
        return refused(format!("but its manifest does not ask for it: capabilities.wasi = [\"{part}\"]"));
    }
    if !EMPTY.iter().any(|prefix| path.starts_with(prefix)) {
        return refused("which is never linked in this series, granted or not".into());
    }
    match capabilities.wasi.is_empty() {
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
    runtime: Arc<Reactor>,
    pub(crate) limit: Duration,
}

/// A runtime that may be dropped anywhere, in an asynchronous handler too.
#[derive(Debug)]
struct Reactor(Option<Runtime>);

impl Drop for Reactor {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Waiting {
    /// For calls of at most `limit` of wall time.
    ///
    /// # Errors
    /// When the system gives no timer.
    pub(crate) fn new(limit: Duration) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Waiting { runtime: Arc::new(Reactor(Some(runtime))), limit })
    }

    /// Runs `call` on this thread, which must be one that may block.
    pub(crate) fn run<T>(&self, call: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
        let limited = async { tokio::time::timeout(self.limit, call).await };
        match &self.runtime.0 {
            Some(runtime) => runtime.block_on(limited).unwrap_or_else(|_| Err(Ended::Waited.into())),
            None => Err(Ended::Waited.into()),
        }
    }
}
