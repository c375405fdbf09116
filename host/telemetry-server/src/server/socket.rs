//! The listening socket.

use std::io;

use tokio::net::{TcpListener, TcpSocket, lookup_host};

/// The monitor opens a connection an event: a burst must find room in the queue.
const BACKLOG: u32 = 4096;

/// Why an address cannot be had, and what to do about it.
pub(super) fn problem(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there, perhaps another cylestio-server; choose another port with --port \
                                     or server.port (0 takes a free one)"
            .to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not; choose a port above 1023 with --port or server.port".to_owned(),
        io::ErrorKind::AddrNotAvailable => "no address of this machine; choose another with --host or server.host".to_owned(),
        _ => format!("{error}; check --host or server.host"),
    }
}

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
