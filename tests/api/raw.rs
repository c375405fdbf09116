//! A client that can be as rude as it likes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::harness::Server;

/// One connection.
pub struct Raw(TcpStream);

impl Raw {
    pub fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.addr()).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        Raw(stream)
    }

    /// Sends bytes; the server may have closed already.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.0.write_all(bytes.as_ref());
        self
    }

    /// Says that nothing more will come.
    pub fn end(&mut self) -> &mut Self {
        let _ = self.0.shutdown(Shutdown::Write);
        self
    }

    /// The head of an answer, byte by byte: what follows is left where it is.
    pub fn head(&mut self) -> String {
        let mut bytes = Vec::new();
        let mut byte = [0];
        while !bytes.ends_with(b"\r\n\r\n") && matches!(self.0.read(&mut byte), Ok(1)) {
            bytes.extend(byte);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Everything until the server closes.
    pub fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let _ = self.0.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The status line and the head of one request over a connection of its own; `lines` are headers beside `Connection: close`.
pub fn ask(server: &Server, request_line: &str, lines: &[&str]) -> String {
    let mut head = format!("{request_line} HTTP/1.1\r\nConnection: close\r\n");
    for line in lines {
        head.push_str(line);
        head.push_str("\r\n");
    }
    Raw::connect(server).send(head + "\r\n").rest()
}

/// `200` of `HTTP/1.1 200 OK`.
pub fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}
