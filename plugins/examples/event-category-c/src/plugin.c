/* Sorts events by the first word of their name. */
#include "agent_telemetry.h"

static const struct { const char *word, *category; } WORDS[] = {
    {"llm", "llm"},
    {"tool", "tool"}, {"mcp", "tool"}, {"mcp_request", "tool"}, {"mcp_response", "tool"}, {"mcp_error", "tool"},
    {"call_start", "tool"}, {"call_finish", "tool"}, {"call_error", "tool"},
    {"security", "security"},
    {"framework", "framework"}, {"langgraph", "framework"}, {"langchain", "framework"}, {"chain", "framework"}, {"retrieval", "framework"},
    {"agent", "agent"}, {"agent_tool", "agent"}, {"monitoring", "agent"},
    {"session", "session"}, {"conversation", "session"}, {"user", "session"},
};

void enrich(const at_row *event, at_patch *out) {
    at_text name, category = at_literal("other");
    if (!at_get_text(event, "event.name", &name)) return;
    at_text word = at_until(name, '.');
    for (uint32_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (at_equal(word, at_literal(WORDS[i].word))) category = at_literal(WORDS[i].category);
    at_set_text(out, "event.category.c", category);
}
