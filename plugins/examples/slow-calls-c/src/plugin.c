/* Counts model calls that took longer than a limit. */
#include "agent_telemetry.h"

typedef struct { double limit_ms; uint64_t slow, calls; } slow_calls;

const char *configure(slow_calls *self, const at_settings *settings) {
    self->limit_ms = 1000;
    at_setting_real(settings, "limit_ms", &self->limit_ms);
    return NULL;
}

void update(slow_calls *self, const at_row *call) {
    double duration;
    self->calls++;
    if (at_get_real(call, "call.duration_ms", &duration) && duration >= self->limit_ms) self->slow++;
}

void merge(slow_calls *self, const slow_calls *other) {
    self->slow += other->slow;
    self->calls += other->calls;
}

void state(const slow_calls *self, at_writer *out) {
    at_put_unsigned(out, self->slow);
    at_put_unsigned(out, self->calls);
}

bool restore(slow_calls *self, at_reader *in) {
    return at_take_unsigned(in, &self->slow) && at_take_unsigned(in, &self->calls);
}

void evaluate(const slow_calls *self, at_patch *out) {
    at_set_count(out, "slow", self->slow);
    at_set_count(out, "calls", self->calls);
}

AT_METRIC(slow_calls)
