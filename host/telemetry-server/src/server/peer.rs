//! The other side of a connection: whether it still waits for an answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

/// What a client that has only said that it will send no more still gets: TCP does not tell it from one that is gone.
const GRACE: Duration = Duration::from_secs(1);

/// In the extensions of every request.
#[derive(Clone, Debug)]
pub struct Peer(Arc<OwnedReadHalf>);

impl Peer {
    pub(super) fn new(stream: OwnedReadHalf) -> Self {
        Peer(Arc::new(stream))
    }

    pub(super) fn stream(&self) -> &TcpStream {
        (*self.0).as_ref()
    }

    /// Ends a moment after the other side has closed. One that has sent its next request already is not watched.
    pub async fn gone(&self) {
        match self.stream().peek(&mut [0]).await {
            Ok(0) | Err(_) => tokio::time::sleep(GRACE).await,
            Ok(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    async fn pair() -> (TcpStream, Peer) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (client, Peer::new(server.into_split().0))
    }

    #[tokio::test]
    async fn notices_a_client_that_closes() {
        let (client, peer) = pair().await;
        let ((), ()) = tokio::join!(peer.gone(), async { drop(client) });
    }

    #[tokio::test]
    async fn takes_a_client_that_sends_more_for_one_that_is_there() {
        let (mut client, peer) = pair().await;
        client.write_all(b"GET").await.unwrap();
        peer.stream().readable().await.unwrap();
        drop(client);
        let mut gone = std::pin::pin!(peer.gone());
        let waits = std::future::poll_fn(|context| std::task::Poll::Ready(gone.as_mut().poll(context).is_pending())).await;
        assert!(waits);
    }
}
