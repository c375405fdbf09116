//! Extractors whose rejections are [`ApiError`]s.

use axum::body::HttpBody;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::ApiError;
use crate::analysis::params::Params;
use crate::server::BodyTimeout;

/// Query parameters as `T`; a wrong one answers 400.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Query(value)),
            Err(rejection) => Err(ApiError::field("query", reason(&rejection))),
        }
    }
}

/// In front of a route without query parameters: any but an empty one answers 400.
pub async fn no_parameters(Query(pairs): Query<Vec<(String, String)>>, request: Request, next: Next) -> Response {
    match Params::new(&pairs).finish() {
        Ok(()) => next.run(request).await,
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// Parts of the path as `T`; one that cannot be read answers 404, since nothing can be there.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Path(value)),
            Err(rejection) => Err(ApiError::not_found(format!("the path names nothing: {}", rejection.body_text()))),
        }
    }
}

/// A JSON body as `T`, at most 1 MiB, sent as `application/json`; telemetry itself is taken more kindly.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

const JSON_LIMIT: usize = 1 << 20;

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        json(request, JSON_LIMIT).await.map(Json)
    }
}

/// A JSON body of at most `limit` bytes, sent as `application/json`.
///
/// # Errors
/// 400, 408, 413, 415.
pub async fn json<T: DeserializeOwned>(request: Request, limit: usize) -> Result<T, ApiError> {
    if !is_json(request.headers()) {
        return Err(ApiError::unsupported_media_type("the body must be sent as application/json"));
    }
    let too_large = || match limit >> 20 {
        0 => ApiError::too_large(format!("the body is larger than {limit} bytes")),
        mib => ApiError::too_large(format!("the body is larger than {mib} MiB")),
    };
    let body = request.into_body();
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let body = match axum::body::to_bytes(body, limit).await {
        Ok(body) => body,
        Err(error) if BodyTimeout::caused(&error) => return Err(ApiError::body_timeout()),
        Err(error) if reason(&error).contains("length limit") => return Err(too_large()),
        Err(_) => return Err(ApiError::validation("the body broke off")),
    };
    serde_json::from_slice(&body).map_err(|error| ApiError::field("body", error.to_string()))
}

/// Whether `Content-Type` says `application/json`, parameters aside.
pub fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(header::CONTENT_TYPE).map(|value| value.to_str()) else { return false };
    value.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

/// Whether `Content-Type` names a character set that is not UTF-8, which is all that JSON is sent in.
pub fn is_other_charset(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(header::CONTENT_TYPE).map(|value| value.to_str()) else { return false };
    let parameters = value.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let mut charsets = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    charsets.any(|(_, charset)| {
        let charset = charset.trim().trim_matches('"');
        !["utf-8", "utf8"].iter().any(|known| charset.eq_ignore_ascii_case(known))
    })
}

/// An error's deepest words.
fn reason(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_json_by_its_media_type() {
        let is = |value: &str| is_json(&[(header::CONTENT_TYPE, value.parse().unwrap())].into_iter().collect());
        assert!(is("application/json") && is("Application/JSON; charset=utf-8"));
        assert!(!is("text/plain") && !is("application/jsonx") && !is_json(&HeaderMap::new()));
    }

    #[test]
    fn knows_other_character_sets() {
        let is = |value: &str| is_other_charset(&[(header::CONTENT_TYPE, value.parse().unwrap())].into_iter().collect());
        for value in ["application/json", "application/json; charset=utf-8", "application/json;Charset=\"UTF-8\"", "a/b; x=y; charset=utf8"]
        {
            assert!(!is(value), "{value}");
        }
        for value in ["application/json; charset=latin-1", "application/json; x=y; charset=\"utf-16\"", "application/json; charset="] {
            assert!(is(value), "{value}");
        }
        assert!(!is_other_charset(&HeaderMap::new()));
    }
}
