//! The answer to what is no request. The HTTP library answers it itself, before there is a request, with a bare status: it goes out with
//! the envelope that every error has.

/// The answer in words instead of `head`, if that is one of the library's own: an error without a body. Ours always have one.
pub(super) fn answer(head: &[u8]) -> Option<Vec<u8>> {
    let head = std::str::from_utf8(head.strip_prefix(b"HTTP/1.1 4")?).ok()?;
    let (status, fields) = head.split_once("\r\n")?;
    let is_bare = fields.ends_with("\r\n\r\n") && fields.lines().any(|line| line.eq_ignore_ascii_case("content-length: 0"));
    let is_ours = fields.lines().any(|line| line.get(..13).is_some_and(|name| name.eq_ignore_ascii_case("x-request-id:")));
    if !is_bare || is_ours {
        return None;
    }
    let (field, reason) = match status.get(..2)? {
        "31" => ("headers", "too many or too large"),
        "14" => ("path", "too long"),
        _ => ("request", "its line or its headers cannot be read as HTTP/1.1"),
    };
    let message = "the request cannot be read";
    let body =
        format!(r#"{{"error":{{"code":"VALIDATION_ERROR","message":"{message}","details":[{{"field":"{field}","reason":"{reason}"}}]}}}}"#);
    let fields = "content-type: application/json\r\ncache-control: no-store\r\nconnection: close";
    Some(format!("HTTP/1.1 4{status}\r\n{fields}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bare_errors_get_words() {
        let bare = answer(b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").unwrap();
        let bare = String::from_utf8(bare).unwrap();
        assert!(bare.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n") && bare.contains(r#""field":"headers""#), "{bare}");
        let (_, body) = bare.split_once("\r\n\r\n").unwrap();
        assert!(bare.contains(&format!("content-length: {}\r\n", body.len())));
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
        for other in [
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 404 Not Found\r\nx-request-id: r1\r\ncontent-length: 0\r\n\r\n",
            "content-length: 0\r\n\r\n",
        ] {
            assert_eq!(answer(other.as_bytes()), None, "{other}");
        }
    }
}
