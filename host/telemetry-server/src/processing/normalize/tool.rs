//! What an event says of a tool execution.

use telemetry_model::JsonText;
use telemetry_model::facts::{Facts, Role, ToolExecutionFacts};

use super::facts::Reader;

pub(super) fn facts(role: Role, is_error: bool, reader: &mut Reader<'_>) -> Facts {
    let reported = reader.says_error(&["tool.status"]) || reader.given("tool.error").is_some_and(|error| error.as_boolean() != Some(false));
    Facts::ToolExecution(Box::new(ToolExecutionFacts {
        role,
        tool_name: reader.text(&["tool.name"]),
        tool_id: reader.text(&["tool.id"]),
        framework: reader.text(&["framework.name"]),
        result_type: reader.text(&["tool.result.type"]),
        duration_ms: reader.milliseconds(&["tool.duration_ms"]),
        is_error: is_error || reported,
        error_type: reader.text(&["error.type", "tool.error_type"]),
        arguments: arguments(reader),
    }))
}

/// The arguments as sent: a list, an object or a string. Positional and named ones together become one object.
fn arguments(reader: &Reader<'_>) -> Option<JsonText> {
    if let Some(value) = ["tool.params", "tool.input", "tool.call.inputs"].iter().find_map(|key| reader.given(key)) {
        return Some(value.clone());
    }
    let (args, kwargs) = (reader.given("tool.args"), reader.given("tool.kwargs"));
    let (args, kwargs) = match (args, kwargs) {
        (None, None) => return None,
        (args, kwargs) => (args.map_or("null", JsonText::as_str), kwargs.map_or("null", JsonText::as_str)),
    };
    JsonText::parse(&format!(r#"{{"args":{args},"kwargs":{kwargs}}}"#)).ok()
}
