//! The listening socket.

use std::io;

use tokio::net::{TcpListener, TcpSocket, lookup_host};

/// The monitor opens a connection an event: a burst must find room in the queue.
const BACKLOG: u32 = 4096;

/// Binds the first usable address of `host`.
pub(super) async fn listen(host: &str, port: u16) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for address in lookup_host((host.trim_matches(['[', ']']), port)).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        match socket.bind(address).and_then(|()| socket.listen(BACKLOG)) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}
