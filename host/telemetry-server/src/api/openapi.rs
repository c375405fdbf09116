//! `GET /openapi.json`: what the API is, for programs; `/docs` shows it to people.
//!
//! The operations stand in a table beside this file. A test holds the table to the router: no route untold, none invented.

mod operations;
mod parameters;
mod schemas;

use axum::Json;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::exposition;
use operations::{OPERATIONS, Operation};
use parameters::Parameter;

/// The document, OpenAPI 3.1.
pub async fn document() -> Json<Value> {
    Json(build())
}

/// The page that shows it.
pub async fn docs() -> Response {
    super::page::file("text/html; charset=utf-8", include_str!("page/docs.html"))
}

/// The script of that page.
pub async fn docs_script() -> Response {
    super::page::file("text/javascript; charset=utf-8", include_str!("page/docs.js"))
}

fn build() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(operation.method.to_owned(), tell(operation));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Cylestio Local Server",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Telemetry of AI agents: ingest, reads, reports by WebAssembly components.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "readToken": { "type": "http", "scheme": "bearer", "description": "server.read_token, once one is set" } },
            "responses": { "Error": { "description": "Refused", "content": content(json!({ "$ref": "#/components/schemas/Error" })) } },
            "schemas": schemas::all(),
        },
    })
}

fn tell(operation: &Operation) -> Value {
    let (status, answer) = operation.answer;
    let mut responses = Map::new();
    let told_as = match operation.path {
        exposition::PATH => json!({ exposition::CONTENT_TYPE: { "schema": { "type": "string" } } }),
        _ => content(schemas::answer(operation.id)),
    };
    responses.insert(status.to_string(), json!({ "description": answer, "content": told_as }));
    for status in operation.errors {
        responses.insert(status.to_string(), json!({ "$ref": "#/components/responses/Error" }));
    }
    let mut told = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": operation.parameters.iter().copied().flatten().map(parameter).collect::<Vec<_>>(),
        "responses": responses,
        "security": if operation.open { json!([]) } else { json!([{}, { "readToken": [] }]) },
    });
    if let (Some(body), Some(told)) = (operation.body, told.as_object_mut()) {
        let body = json!({ "required": true, "description": body, "content": content(schemas::body(operation.id)) });
        told.insert("requestBody".to_owned(), body);
    }
    told
}

fn parameter(parameter: &Parameter) -> Value {
    let schema = match parameter.choices {
        [] => json!({ "type": parameter.ty }),
        choices => json!({ "type": parameter.ty, "enum": choices }),
    };
    let in_path = parameter.place == "path";
    json!({ "name": parameter.name, "in": parameter.place, "required": in_path, "description": parameter.description, "schema": schema })
}

fn content(schema: Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}
