//! `GET /`: one page from the binary. It fetches the JSON API; nothing comes from elsewhere.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::response::{IntoResponse, Response};

/// Scripts, styles, pictures and requests to the server itself, nothing inline, nothing framed.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page.
pub async fn index() -> Response {
    file("text/html; charset=utf-8", include_str!("page/index.html"))
}

/// Its script.
pub async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("page/page.js"))
}

/// Its style.
pub async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("page/page.css"))
}

/// Its icon.
pub async fn icon() -> Response {
    file("image/svg+xml", include_str!("page/icon.svg"))
}

/// A file of the binary's; checked again at every load, since the next version may have another under the same name.
pub(super) fn file(media: &'static str, text: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, media),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    #[test]
    fn page_builds_no_markup_from_text_and_names_no_other_host() {
        let scripts = [include_str!("page/page.js"), include_str!("page/docs.js")];
        let pages = [include_str!("page/index.html"), include_str!("page/docs.html")];
        for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
            assert!(scripts.iter().all(|script| !script.contains(word)), "{word}");
        }
        for text in scripts.iter().chain(&pages).chain(&[include_str!("page/page.css")]) {
            assert!(!text.contains("https://") && !text.contains("url(") && !text.contains("@import"));
        }
        for inline in ["<style", "style=", "onclick", "<script>"] {
            assert!(pages.iter().all(|page| !page.contains(inline)), "{inline}");
        }
    }
}
