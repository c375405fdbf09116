//! Sorts events by their name.

use cylestio_plugin_sdk::{Enricher, Patch, Row, export_enricher};

#[derive(Default)]
struct EventCategory;

impl Enricher for EventCategory {
    fn enrich(&self, event: &Row, out: &mut Patch) {
        out.text("event.category", event.text("event.name").map(category));
    }
}

export_enricher!(EventCategory);

/// The category of an event's name, by its first words.
fn category(name: &str) -> &'static str {
    let mut words = name.split('.');
    match words.next().unwrap_or_default() {
        "llm" => "llm",
        "tool" | "mcp" | "mcp_request" | "mcp_response" | "mcp_error" | "call_start" | "call_finish" | "call_error" => "tool",
        "security" => "security",
        "framework" | "langgraph" | "langchain" | "chain" | "retrieval" => "framework",
        "agent" | "agent_tool" | "monitoring" => "agent",
        "session" | "conversation" | "user" => "session",
        _ => "other",
    }
}
