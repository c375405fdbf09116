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

static at_text category(at_text name) {
    uint32_t len = 0;
    while (len < name.len && name.ptr[len] != '.') len++;
    for (uint32_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (at_equal((at_text){name.ptr, len}, at_literal(WORDS[i].word))) return at_literal(WORDS[i].category);
    return at_literal("other");
}

/* One text column in, one text column out. */
void enrich(const at_batch *in, at_batch *out) {
    at_text_column name = at_read_text(in, 0);
    at_text_writer writer = at_write_text(out, in->rows, 9);
    for (uint32_t row = 0; row < in->rows; row++) {
        at_text value;
        if (at_get_text(&name, row, &value)) at_put_text(&writer, row, category(value));
        else at_put_absent(&writer, row);
    }
    at_finish_text(&writer);
}
