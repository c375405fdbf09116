//! The page at `/`.

use crate::harness::Server;

#[test]
fn page_is_whole_and_strict() {
    let server = Server::start();
    for (path, media) in [
        ("/", "text/html; charset=utf-8"),
        ("/assets/page.js", "text/javascript; charset=utf-8"),
        ("/assets/page.css", "text/css; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
    ] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.headers["content-type"].to_str().unwrap()), (200, media), "{path}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
    let page = server.get("/").text;
    for link in page.split(['"', '\'']).filter(|text| text.starts_with("/assets/")) {
        assert_eq!(server.get(link).status, 200, "{link}");
    }
}

#[test]
fn page_can_be_switched_off() {
    let server = Server::start_with(|config, _| config.features.page = false);
    assert_eq!(server.get("/").status, 404);
    assert_eq!(server.get("/assets/page.js").status, 404);
    assert_eq!(server.get("/v1/health").status, 200);
}
