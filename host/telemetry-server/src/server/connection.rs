//! One task accepts, one task serves each connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::body::TimedBody;
use super::gate::Gate;
use super::stream::TimedStream;
use crate::config::ServerConfig;

/// What a client may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    header: Duration,
    body: Duration,
}

impl Limits {
    pub(super) fn new(server: &ServerConfig) -> Self {
        Limits { header: Duration::from_secs(server.header_timeout_s), body: Duration::from_secs(server.body_timeout_s) }
    }
}

/// Accepts until told to stop. Over the cap of connections it stops accepting: the rest wait in the socket's queue.
pub(super) async fn accept(
    listener: TcpListener,
    gate: Gate,
    limits: Limits,
    connections: Arc<Semaphore>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = told(&mut stopped) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                tokio::spawn(serve(stream, peer, gate.clone(), limits, permit, stopped.clone()));
            }
            Err(error) => {
                // Out of file handles, mostly: give connections that end a moment to return theirs.
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    gate: Gate,
    limits: Limits,
    _permit: OwnedSemaphorePermit,
    mut stopped: watch::Receiver<bool>,
) {
    // Answers are small and whole: waiting to join them with more would only delay them.
    let _ = stream.set_nodelay(true);
    let stream = TimedStream::new(stream, limits.body);
    let waiting = stream.peer();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (gate, waiting) = (gate.clone(), waiting.clone());
        async move {
            let mut request = request.map(|body| Body::new(TimedBody::new(body, limits.body)));
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(waiting);
            Ok::<_, Infallible>(gate.answer(request).await)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let running = tokio::select! {
        result = connection.as_mut() => Some(result),
        () = told(&mut stopped) => None,
    };
    let result = match running {
        Some(result) => result,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection ended early");
    }
}

/// Ends when the server is told to stop.
async fn told(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await.map(|stop| *stop);
}
