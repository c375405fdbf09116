//! The listener: binds, accepts, holds slow clients to their time, drains at the end.

mod body;
mod connection;
mod gate;
mod peer;
mod socket;
mod stream;
mod unreadable;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use telemetry_model::Clock;
use telemetry_plugins::CatalogError;
use telemetry_store::StoreError;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::app::App;
use crate::config::{Config, Policy};
use crate::router::router;
use gate::Gate;

pub use body::BodyTimeout;
pub use peer::Peer;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken or not ours.
    #[error("cannot listen on {host}:{port}: {problem}")]
    Bind {
        /// `server.host`.
        host: String,
        /// `server.port`.
        port: u16,
        /// Why, and what to choose instead.
        problem: String,
    },
    /// A bind beyond loopback with nothing that guards reads.
    #[error(
        "server.host `{host}` is reachable from other machines: give server.read_token_file a file with a token that reads must \
         send, or set server.insecure_reads = true to let anyone read every prompt stored"
    )]
    OpenReads {
        /// `server.host`.
        host: String,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file of grants, or of what is switched off, cannot be used.
    #[error("plugins: {0}")]
    Grants(String),
    /// The component host cannot run here.
    #[error(transparent)]
    Plugins(#[from] CatalogError),
    /// Plugins that see everything, within reach of other machines.
    #[error("plugins.policy `open` grants every field to every plugin: it needs a bind on loopback, not `{host}`")]
    OpenPolicy {
        /// `server.host`.
        host: String,
    },
    /// The system gives no threads for the write path or the watch over plugins.
    #[error("starting threads")]
    Workers(#[source] std::io::Error),
    /// The thread that opens the parts died.
    #[error("opening the parts of the server failed")]
    Opening,
}

/// A server that answers; dropping it leaves it running until the runtime ends.
pub struct RunningServer {
    /// Where it listens; with port 0 the one that was free.
    pub addr: SocketAddr,
    app: Arc<App>,
    stop: watch::Sender<bool>,
    listener: JoinHandle<()>,
    drain: Duration,
}

impl RunningServer {
    /// The built parts, for tests.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Stops accepting, lets running requests finish within `server.shutdown_timeout_s`, commits and closes the database.
    pub async fn shutdown(self) {
        let _ = self.stop.send(true);
        let drained = tokio::time::timeout(self.drain, async {
            let _ = self.listener.await;
            self.stop.closed().await;
        });
        if drained.await.is_err() {
            tracing::warn!("requests were still running when the server stopped");
        }
        let app = self.app;
        if tokio::task::spawn_blocking(move || app.close()).await.is_err() {
            tracing::error!("closing the database failed");
        }
    }
}

/// What the process stands in.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// This server's own binary: with it dropped-in plugins are compiled in a process apart.
    pub program: Option<PathBuf>,
    /// The environment, of which the operator may grant single variables to plugins.
    pub environment: BTreeMap<String, String>,
}

/// Listens at once, opens the database and the plugins, and returns when requests are answered. Until then `/v1/health` says
/// `starting` and other requests wait.
///
/// # Errors
/// When the address cannot be bound or guarded, or a part cannot be opened.
pub async fn serve(config: Config, clock: Arc<dyn Clock>) -> Result<RunningServer, StartError> {
    serve_after(config, clock, Surroundings::default(), |_| ()).await
}

/// [`serve`], with something that must be done before the parts are opened: it may block, requests wait for it as for the rest.
///
/// # Errors
/// As [`serve`].
pub async fn serve_after(
    config: Config,
    clock: Arc<dyn Clock>,
    surroundings: Surroundings,
    first: impl FnOnce(&Config) + Send + 'static,
) -> Result<RunningServer, StartError> {
    let bind_error = |error: std::io::Error| StartError::Bind {
        host: config.server.host.clone(),
        port: config.server.port,
        problem: socket::problem(&error),
    };
    let listener = socket::listen(&config.server.host, config.server.port).await.map_err(bind_error)?;
    let addr = listener.local_addr().map_err(bind_error)?;
    let server = &config.server;
    if !addr.ip().is_loopback() && server.read_token.is_none() && !server.insecure_reads {
        return Err(StartError::OpenReads { host: server.host.clone() });
    }
    if !addr.ip().is_loopback() && config.plugins.policy == Policy::Open {
        return Err(StartError::OpenPolicy { host: server.host.clone() });
    }
    let drain = Duration::from_secs(server.shutdown_timeout_s);
    let limits = connection::Limits::new(server);
    let connections = Arc::new(Semaphore::new(server.max_connections));
    let (stop, stopped) = watch::channel(false);
    let (open, gate) = Gate::closed();
    tracing::info!(server.address = %addr, "starting");
    let listener = tokio::spawn(connection::accept(listener, gate, limits, connections, stopped));

    let opening = move || {
        first(&config);
        App::open(config, clock, surroundings)
    };
    let opened = tokio::task::spawn_blocking(opening).await;
    let app = match opened {
        Ok(Ok(app)) => Arc::new(app),
        failed => {
            let _ = stop.send(true);
            return Err(failed.map_or(StartError::Opening, |opened| opened.err().unwrap_or(StartError::Opening)));
        }
    };
    open.open(router(app.clone()));
    Ok(RunningServer { addr, app, stop, listener, drain })
}
