//! `cylestio-server`: arguments, configuration, run, exit code.

mod arguments;
mod commands;

use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use telemetry_model::time::SystemClock;
use telemetry_plugins::Catalog;
use telemetry_server::config::{self, Config, Policy};
use telemetry_server::{Surroundings, logging, serve_after};

use arguments::{Action, Arguments, ConfigAction};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    take_small_pages();
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "cylestio-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The allocator asks for pages of 2 MiB, of which a process that does little fills a third: 60 MB resident instead of 40, and nothing
/// gets faster for it.
fn take_small_pages() {
    // A kernel that refuses has none of them.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let load = || config::load(&arguments.sources(std::env::vars_os()));
    let mut out = std::io::stdout();
    match &arguments.action {
        Some(Action::Config(ConfigAction::Show)) => write!(out, "{}", load()?.show()).context("printing the configuration")?,
        Some(Action::Config(ConfigAction::Check)) => {
            let plugins = load()?.config.plugins;
            for (key, reason) in plugins.unknown_ids(&plugins.ids()) {
                writeln!(out, "warning: {key}: {reason}").context("printing")?;
            }
            writeln!(out, "the configuration is fine").context("printing")?;
        }
        Some(Action::Mask(action)) => commands::mask::run(action, &load()?.config)?,
        Some(Action::Plugin(action)) => return commands::plugin::run(action, &|| Ok(load()?.config)),
        Some(Action::Audit(action)) => return commands::audit::run(action, &|| Ok(load()?.config)),
        None => start(load()?.config)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Has a child compile when nothing is in the cache yet: what a compiler allocates would stay with a process that runs for weeks.
/// When that fails, the start itself compiles.
fn compile_apart(config: &Config) {
    let Ok(settings) = config.plugins.settings() else { return };
    if Catalog::is_compiled(&settings) {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut child = Command::new(program);
    child.args(std::env::args_os().skip(1)).args(["plugin", "compile"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match child.status() {
        Ok(status) if status.success() => tracing::info!("plugins compiled into the cache"),
        Ok(status) => tracing::warn!(%status, "compiling plugins apart failed"),
        Err(error) => tracing::warn!(%error, "compiling plugins apart failed"),
    }
}

/// Runs until SIGINT or SIGTERM.
fn start(config: Config) -> anyhow::Result<()> {
    logging::start(&config.logging)?;
    logging::log_panics();
    warn(&config);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if config.server.workers > 0 {
        builder.worker_threads(config.server.workers);
    }
    let runtime = builder.enable_all().build().context("starting the runtime")?;
    runtime.block_on(async {
        let stop = stop_signal()?;
        let running = serve_after(config, Arc::new(SystemClock), surroundings(), compile_apart).await?;
        tracing::info!(server.address = %running.addr, version = env!("CARGO_PKG_VERSION"), "listening");
        stop.await;
        tracing::info!("stopping");
        running.shutdown().await;
        tracing::info!("stopped");
        Ok(())
    })
}

fn surroundings() -> Surroundings {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    Surroundings { program: std::env::current_exe().ok(), environment: std::env::vars_os().filter_map(text).collect() }
}

/// Says at start what the operator has opened.
fn warn(config: &Config) {
    if config.server.insecure_reads {
        tracing::warn!("server.insecure_reads: anyone who reaches this server may read what is stored");
    }
    if config.plugins.policy == Policy::Open {
        tracing::warn!("plugins.policy is open: every plugin sees every field");
    }
}

/// Resolves at the first SIGINT or SIGTERM.
#[cfg(unix)]
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Resolves at Ctrl-C.
#[cfg(not(unix))]
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
