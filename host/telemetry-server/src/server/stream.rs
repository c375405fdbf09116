//! A connection whose peer must take what it asked for, and is told in words what of a request could not be read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::Sleep;

use super::peer::Peer;
use super::unreadable;

/// A stream on which a write that makes no progress for a time fails. The timer is made only when a write has to wait.
pub(super) struct TimedStream {
    peer: Peer,
    stream: OwnedWriteHalf,
    limit: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
    /// What is left of the words that go out instead of an answer without any.
    words: Vec<u8>,
}

impl TimedStream {
    pub(super) fn new(stream: TcpStream, limit: Duration) -> Self {
        let (read, stream) = stream.into_split();
        TimedStream { peer: Peer::new(read), stream, limit, deadline: None, words: Vec::new() }
    }

    /// For those that want to know whether the other side is still there.
    pub(super) fn peer(&self) -> Peer {
        self.peer.clone()
    }

    /// Passes a result on, or holds a pending write to its time.
    fn timed<T>(&mut self, result: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.deadline = None;
            return result;
        }
        let limit = self.limit;
        ready!(self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit))).as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Writes all of `words`.
    fn poll_words(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.words.is_empty() {
            let result = Pin::new(&mut self.stream).poll_write(context, &self.words);
            match ready!(self.timed(result, context))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => drop(self.words.drain(..written)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = self.peer.stream();
        loop {
            ready!(stream.poll_read_ready(context))?;
            match stream.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.words.is_empty()
            && let Some(words) = unreadable::answer(bytes)
        {
            self.words = words;
        }
        if !self.words.is_empty() {
            // While they wait the same bytes are offered again.
            return self.poll_words(context).map_ok(|()| bytes.len());
        }
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.timed(result, context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if let Some(part) = parts.iter().find(|part| !part.is_empty())
            && (!self.words.is_empty() || unreadable::answer(part).is_some())
        {
            return self.poll_write(context, part);
        }
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.timed(result, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(context);
        self.timed(result, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(context);
        self.timed(result, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn a_peer_that_reads_nothing_is_given_up() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = TimedStream::new(stream, Duration::from_millis(50));
        let error = loop {
            if let Err(error) = stream.write_all(&[0; 1 << 20]).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
