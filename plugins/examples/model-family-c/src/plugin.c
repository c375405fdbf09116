/* Names the family of a model: gpt of gpt-4o-mini. */
#include "agent_telemetry.h"

void enrich(const at_row *event, at_patch *out) {
    at_text model;
    if (at_get_text(event, "attributes[\"llm.model\"]", &model)) at_set_text(out, "model.family", at_until(model, '-'));
}
