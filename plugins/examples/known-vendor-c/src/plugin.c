/* Flags events of vendors that are not expected. */
#include "agent_telemetry.h"

#define VENDOR "attributes[\"llm.vendor\"]"

void validate(const at_row *event, at_report *report) {
    at_text vendor;
    if (!at_get_text(event, VENDOR, &vendor)) return;
    if (at_equal(vendor, at_literal("openai")) || at_equal(vendor, at_literal("anthropic"))) return;
    at_flag(report, VENDOR, "vendor-unknown", "neither openai nor anthropic");
}
