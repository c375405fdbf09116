//! A server that runs, as commands ask it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::Value;
use telemetry_server::Config;
use telemetry_server::config::Secret;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// Where the server is, and the token that it asks for reads.
pub(super) struct Client {
    url: String,
    address: String,
    token: Option<Secret>,
}

/// What came back.
pub(super) struct Answer {
    /// HTTP's.
    pub(super) status: u16,
    /// The body; null when it is not JSON.
    pub(super) json: Value,
}

impl Client {
    /// Of the server at `url`, or, when that is empty, at the address of the configuration. Its read token is the one in `token_file`, else
    /// that of the configuration.
    ///
    /// # Errors
    /// When `url` is not an address without TLS, or the file cannot be read.
    pub(super) fn new(url: &str, token_file: Option<&Path>, config: &Config) -> anyhow::Result<Self> {
        let server = &config.server;
        let url = if url.is_empty() { format!("http://{}", own_address(&server.host, server.port)) } else { url.to_owned() };
        let address = url.trim_end_matches('/').strip_prefix("http://").with_context(|| format!("`{url}` is not an http:// address"))?;
        let address = if has_port(address) { address.to_owned() } else { format!("{address}:80") };
        let token = match token_file {
            Some(path) => Some(Secret::read(path).map_err(|reason| anyhow!("--token-file: {reason}"))?),
            None => server.read_token.clone(),
        };
        Ok(Client { url, address, token })
    }

    /// Asks; a body is sent as JSON.
    ///
    /// # Errors
    /// When nobody answers, or not as HTTP.
    pub(super) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
        let reading = || format!("reading the answer of `{}`", self.url);
        let mut stream = TcpStream::connect(&self.address).with_context(|| format!("connecting to `{}`", self.url))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let token = self.token.as_ref().map(|token| format!("authorization: Bearer {}\r\n", token.reveal())).unwrap_or_default();
        let sent = write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\naccept: application/json\r\n{token}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        sent.with_context(|| format!("asking `{}`", self.url))?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).with_context(reading)?;
        let answer = String::from_utf8(answer).with_context(reading)?;
        let (head, body) = answer.split_once("\r\n\r\n").with_context(|| format!("`{}` does not answer as HTTP", self.url))?;
        let body = if head.to_ascii_lowercase().contains("transfer-encoding: chunked") { whole(body) } else { body.to_owned() };
        let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("`{}` does not answer as HTTP", self.url))?;
        Ok(Answer { status, json: serde_json::from_str(&body).unwrap_or_default() })
    }

    /// [`Client::ask`], whose answer must be a good one.
    ///
    /// # Errors
    /// As there, and what the server says is wrong.
    pub(super) fn get(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let answer = self.ask(method, path, body)?;
        match answer.status {
            200..300 => Ok(answer.json),
            _ => bail!("{}", self.said(&answer)),
        }
    }

    /// Why an answer is not a good one.
    pub(super) fn said(&self, answer: &Answer) -> String {
        if answer.status == 401 {
            return format!("`{}` wants the token of its reads: name the file that holds it with --token-file", self.url);
        }
        let error = answer.json.get("error");
        let message = error.and_then(|error| error.get("message")).and_then(Value::as_str).unwrap_or("no reason given");
        let details = error.and_then(|error| error.get("details")).and_then(Value::as_array).into_iter().flatten();
        let reasons =
            details.filter_map(|detail| Some(format!("; {}: {}", detail.get("field")?.as_str()?, detail.get("reason")?.as_str()?)));
        format!("`{}` answered {}: {message}{}", self.url, answer.status, reasons.collect::<String>())
    }
}

/// Where this machine reaches a server that listens at `host`.
fn own_address(host: &str, port: u16) -> String {
    match host {
        "0.0.0.0" => format!("127.0.0.1:{port}"),
        "::" | "[::]" => format!("[::1]:{port}"),
        host if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{port}"),
        host => format!("{host}:{port}"),
    }
}

fn has_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The chunks of a body put together.
fn whole(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let Some(chunk) = usize::from_str_radix(size.trim(), 16).ok().filter(|size| *size > 0).and_then(|size| rest.get(..size)) else {
            break;
        };
        text.push_str(chunk);
        body = rest.get(chunk.len() + 2..).unwrap_or_default();
    }
    text
}
