//! The Host rule: a page of a foreign site whose name was pointed at this machine must not reach the server.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::api::ApiError;
use crate::app::App;
use crate::config::ServerConfig;

/// Lets through loopback names, any IP literal (a name can be rebound, an address cannot), the configured host and
/// `server.allowed_hosts`, ports ignored; answers 403 to anything else, 400 without a usable Host. The same holds for the authority of
/// a request line that has one.
pub async fn host(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match check(&request, &app.config.server) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn check(request: &Request, server: &ServerConfig) -> Result<(), ApiError> {
    let mut given = request.headers().get_all(header::HOST).iter();
    let host = match (given.next(), given.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    };
    let authority = request.uri().authority().map(|authority| Some(authority.as_str()));
    for name in authority.into_iter().chain([host]) {
        let Some(name) = name.and_then(host_name) else {
            let error = ApiError::validation("the request has no usable Host header");
            return Err(error.with("host", "missing, empty, repeated or unreadable"));
        };
        if !is_allowed(&name, server) {
            let error = ApiError::authorization(format!("host `{name}` is not served here"));
            return Err(error.with("host", "add it to server.allowed_hosts to allow it"));
        }
    }
    Ok(())
}

/// The name of an authority without user, port, brackets and the root's dot, lower case.
fn host_name(authority: &str) -> Option<String> {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.trim().trim_end_matches('.').to_ascii_lowercase();
    (!name.is_empty() && name.len() <= 255).then_some(name)
}

fn is_allowed(name: &str, server: &ServerConfig) -> bool {
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok()
        || [&server.host].into_iter().chain(&server.allowed_hosts).any(|known| host_name(known).as_deref() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allows_loopback_names_addresses_and_configured_names() {
        let server = ServerConfig { host: "box.lan".into(), allowed_hosts: vec!["Telemetry.example".into()], ..ServerConfig::default() };
        for (authority, allowed) in [
            ("localhost:8000", true),
            ("LOCALHOST", true),
            ("localhost.", true),
            ("a.localhost:1", true),
            ("127.0.0.1:8000", true),
            ("192.168.1.7", true),
            ("[::1]:8000", true),
            ("box.lan:9999", true),
            ("telemetry.example", true),
            ("evil.example:8000", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.nip.example", false),
            ("x@evil.example", false),
        ] {
            let name = host_name(authority).unwrap();
            assert_eq!(is_allowed(&name, &server), allowed, "{authority}");
        }
        for authority in ["", ":8000", "[::1"] {
            assert_eq!(host_name(authority), None, "{authority}");
        }
    }
}
