//! What an event says of a model call.

use telemetry_model::DigestKey;
use telemetry_model::facts::{Facts, LlmCallFacts, Role};

use super::facts::Reader;
use super::messages::{self, Request};

pub(super) fn facts(role: Role, is_error: bool, reader: &mut Reader<'_>, key: &DigestKey) -> Facts {
    let request = if role == Role::Begin { request(reader, key) } else { Request::default() };
    let model = reader.text(&["llm.model"]).or(request.model).or_else(|| reader.text(&["llm.name"]));
    Facts::LlmCall(Box::new(LlmCallFacts {
        role,
        vendor: reader.text(&["llm.vendor", "llm.provider"]),
        model,
        request_type: reader.text(&["llm.request.type", "llm.response.type"]),
        request_timestamp: reader.time("llm.request.timestamp"),
        response_id: reader.text(&["llm.response.id"]),
        response_timestamp: reader.time("llm.response.timestamp"),
        duration_ms: reader.milliseconds(&["llm.response.duration_ms"]),
        stop_reason: reader.text(&["llm.response.stop_reason"]),
        input_tokens: reader.count(&["llm.usage.input_tokens", "llm.response.usage.input_tokens"]),
        output_tokens: reader.count(&["llm.usage.output_tokens", "llm.response.usage.output_tokens"]),
        total_tokens: reader.count(&["llm.usage.total_tokens", "llm.response.usage.total_tokens"]),
        is_error: is_error || reader.says_error(&["llm.status"]),
        error_type: reader.text(&["error.type"]),
        messages: request.messages,
    }))
}

fn request(reader: &mut Reader<'_>, key: &DigestKey) -> Request {
    const KEY: &str = "llm.request.data";
    let Some(data) = reader.given(KEY) else { return Request::default() };
    messages::request(data, key).unwrap_or_else(|| {
        reader.flag("request-unreadable", KEY);
        Request::default()
    })
}
