//! `[server]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::Findings;
use super::secret::Secret;

/// The listener, its limits, and who may read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Name or address to listen on.
    pub host: String,
    /// TCP port; 0 takes a free one.
    pub port: u16,
    /// Threads that serve requests; 0 is one a core.
    pub workers: usize,
    /// Connections served at once; more wait in the socket's queue.
    pub max_connections: usize,
    /// Seconds for the head of a request, and for the next request on a kept connection.
    pub header_timeout_s: u64,
    /// Seconds for a body.
    pub body_timeout_s: u64,
    /// Seconds running requests get when the server stops.
    pub shutdown_timeout_s: u64,
    /// MiB of one event's body, after decompression too.
    pub max_body_mib: u32,
    /// MiB of a batch's body, after decompression too.
    pub max_batch_mib: u32,
    /// Events in one batch.
    pub max_batch_events: usize,
    /// MiB that answers may take together, from reading what is stored until the last byte is sent; beyond that reads are answered 503.
    pub max_answers_mib: u32,
    /// Origins whose pages may read answers.
    pub cors_origins: Vec<String>,
    /// Names accepted in the Host header beside loopback names, addresses and `host`.
    pub allowed_hosts: Vec<String>,
    /// Token that reads must send.
    pub read_token: Option<Secret>,
    /// File that holds it.
    pub read_token_file: Option<PathBuf>,
    /// Lets anyone read on a bind beyond loopback.
    pub insecure_reads: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            host: "127.0.0.1".into(),
            port: 8000,
            workers: 0,
            max_connections: 1024,
            header_timeout_s: 10,
            body_timeout_s: 30,
            shutdown_timeout_s: 10,
            max_body_mib: 16,
            max_batch_mib: 64,
            max_batch_events: 1000,
            max_answers_mib: 256,
            cors_origins: vec!["http://localhost:3000".into(), "http://127.0.0.1:3000".into()],
            allowed_hosts: Vec::new(),
            read_token: None,
            read_token_file: None,
            insecure_reads: false,
        }
    }
}

impl ServerConfig {
    /// Bytes of one event's body.
    pub fn max_body_bytes(&self) -> usize {
        (self.max_body_mib as usize) << 20
    }

    /// Bytes of a batch's body.
    pub fn max_batch_bytes(&self) -> usize {
        (self.max_batch_mib as usize) << 20
    }

    /// Bytes that answers may take together.
    pub fn max_answers_bytes(&self) -> u64 {
        u64::from(self.max_answers_mib) << 20
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        if self.host.trim().is_empty() {
            findings.add("server.host", "must be a name or an address");
        }
        findings.range("server.workers", self.workers, 0, 256);
        findings.range("server.max_connections", self.max_connections, 1, 65_536);
        findings.range("server.header_timeout_s", self.header_timeout_s, 1, 3600);
        findings.range("server.body_timeout_s", self.body_timeout_s, 1, 3600);
        findings.range("server.shutdown_timeout_s", self.shutdown_timeout_s, 0, 3600);
        findings.range("server.max_body_mib", self.max_body_mib, 1, 64);
        findings.range("server.max_batch_mib", self.max_batch_mib, 1, 256);
        findings.range("server.max_batch_events", self.max_batch_events, 1, 100_000);
        findings.range("server.max_answers_mib", self.max_answers_mib, 16, 65_536);
        for origin in &self.cors_origins {
            let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            if !authority.is_some_and(|rest| !rest.is_empty() && !rest.trim_end_matches('/').contains(['/', '*', ' '])) {
                findings.add("server.cors_origins", format!("`{origin}` is not an origin like http://localhost:3000"));
            }
        }
        for host in &self.allowed_hosts {
            if host.is_empty() || host.contains(['/', '*', ' ']) {
                findings.add("server.allowed_hosts", format!("`{host}` is not a host name"));
            }
        }
        if self.read_token.as_ref().is_some_and(|token| token.reveal().len() < 16) {
            // Named as the operator wrote it.
            let key = if self.read_token_file.is_some() { "server.read_token_file" } else { "server.read_token" };
            findings.add(key, "must have at least 16 characters");
        }
        if self.read_token.is_some() && self.insecure_reads {
            findings.add("server.insecure_reads", "contradicts server.read_token: keep one of the two");
        }
    }
}
