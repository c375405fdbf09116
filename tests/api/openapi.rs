//! The API as it is told: every route, and nothing else.

use std::collections::BTreeSet;

use super::raw::{ask, status};
use crate::harness::Server;

const METHODS: [&str; 4] = ["get", "post", "put", "delete"];

/// `method path` of every route that stands in the router's source, pages aside.
fn routes() -> BTreeSet<String> {
    let source = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../host/telemetry-server/src/router.rs")).unwrap();
    let mut routes = BTreeSet::new();
    for route in source.split(".route(\"").skip(1) {
        let (path, rest) = route.split_once('"').unwrap();
        if path == "/" || path == "/docs" || path == "/openapi.json" || path.starts_with("/assets/") {
            continue;
        }
        let line = rest.lines().next().unwrap();
        let taken = METHODS.iter().filter(|method| line.contains(&format!(" {method}(")) || line.contains(&format!(".{method}(")));
        routes.extend(taken.map(|method| format!("{method} {path}")));
    }
    routes
}

#[test]
fn tells_every_route_and_nothing_else() {
    let server = Server::start();
    let told = server.get("/openapi.json").json;
    assert_eq!(told["openapi"], "3.1.0");
    let mut listed = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for (path, methods) in told["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            listed.insert(format!("{method} {path}"));
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
            let parameters = operation["parameters"].as_array().unwrap();
            let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path").count();
            assert_eq!(in_path, path.matches('{').count(), "{path}");
            let names: BTreeSet<_> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
            assert_eq!(names.len(), parameters.len(), "{path}");
        }
    }
    assert!(listed.len() > 20);
    assert_eq!(listed, routes());
}

#[test]
fn routes_take_the_parameters_that_are_told() {
    let server = Server::start();
    let told = server.get("/openapi.json").json;
    for (path, methods) in told["paths"].as_object().unwrap() {
        let Some(parameters) = methods["get"]["parameters"].as_array().filter(|_| !path.contains('{')) else { continue };
        for parameter in parameters {
            let name = parameter["name"].as_str().unwrap();
            let value = match (name, &parameter["schema"]["enum"][0], parameter["schema"]["type"].as_str().unwrap()) {
                ("from_time" | "to_time" | "created_after", ..) => "2026-11-23T08:00:00Z",
                ("time_range", ..) => "1d",
                ("interval", ..) => "1h",
                ("dimensions", ..) => "agent_id",
                ("cursor", ..) => continue,
                (_, serde_json::Value::String(choice), _) => choice,
                (.., "integer") => "1",
                _ => "x",
            };
            let answer = ask(&server, &format!("GET {path}?{name}={value}"), &["Host: localhost"]);
            assert_eq!(status(&answer), "200", "{path}?{name}={value}: {answer}");
        }
    }
}

#[test]
fn docs_page_is_whole() {
    let server = Server::start();
    let page = server.get("/docs");
    assert_eq!(page.status, 200);
    for link in page.text.split('"').filter(|text| text.starts_with("/assets/") || *text == "/openapi.json") {
        assert_eq!(server.get(link).status, 200, "{link}");
    }
}
