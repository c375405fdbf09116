/* Replaces the numbers of employees' badges: EMP- and digits. */
#include "agent_telemetry.h"

void mask(const at_leaf *leaf, at_spans *out) {
    at_text text = leaf->text;
    for (uint32_t start = 0; start < text.len; start++) {
        if (!at_starts_with((at_text){text.ptr + start, text.len - start}, "EMP-")) continue;
        uint32_t number = start + 4, end = number;
        while (end < text.len && text.ptr[end] >= '0' && text.ptr[end] <= '9') end++;
        if (end > number) at_replace(out, start, end, "[badge]");
    }
}
