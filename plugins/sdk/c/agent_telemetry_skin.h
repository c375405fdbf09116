/* Part of agent_telemetry.c: the functions of the component, their results laid out as the canonical ABI has them. */

/* result<_, plugin-error> with the error `invalid-config` (0) or `invalid-input` (1), or any of the results below with `is_error` set. */
static struct { uint8_t is_error; uint32_t word; const char *message; uint32_t len; const void *data; uint32_t data_len; } answer;

static void *fine(uint32_t word) {
    answer.is_error = 0;
    answer.word = word;
    return &answer;
}

__attribute__((unused)) static void *declined(uint32_t which, const char *message) {
    answer.is_error = 1;
    answer.word = which;
    answer.message = message;
    answer.len = at_literal(message).len;
    return &answer;
}

__attribute__((unused)) static void *answered(batch out) {
    fine(out.rows);
    answer.message = (const char *)out.columns;
    answer.len = out.column_count;
    answer.data = out.data;
    answer.data_len = out.len;
    return &answer;
}

#define BATCH uint32_t rows, column *columns, uint32_t column_count, uint8_t *data, uint32_t len
#define AS_BATCH {rows, columns, column_count, data, len}

#if AT_KIND == AT_METRIC_KIND

#define NAME "agent-telemetry:metric/metric" SERIES
#define METHOD(name) NAME "#[method]accumulator." name

typedef struct { at_settings settings; uint8_t *groups; uint32_t count, room; } accumulator;

__attribute__((import_module("[export]" NAME), import_name("[resource-new]accumulator"))) uint32_t resource_new(accumulator *self);

static uint32_t stride(void) { return (at_metric_size + 15) & ~15u; }
static void *group(accumulator *self, uint32_t id) { return self->groups + (size_t)id * stride(); }

static void grow(accumulator *self, uint32_t count) {
    if (count > self->room) {
        uint32_t room = count > self->room * 2 ? count : self->room * 2;
        uint8_t *moved = at_keep(room * stride());
        if (self->count) __builtin_memcpy(moved, self->groups, (size_t)self->count * stride());
        self->groups = moved;
        self->room = room;
    }
    for (; self->count < count; self->count++) {
        const char *problem = at_metric_configure(group(self, self->count), &self->settings);
        if (problem) at_panic(problem);
    }
}

EXPORT(NAME "#[static]accumulator.open") void *at_open(const char *config, uint32_t len, const char *parameters, uint32_t parameters_len) {
    accumulator *self = at_keep(sizeof(accumulator));
    self->settings = (at_settings){kept(config, len), kept(parameters, parameters_len)};
    const char *problem = at_metric_configure(at_alloc(at_metric_size), &self->settings);
    return problem ? declined(0, problem) : fine(resource_new(self));
}

EXPORT(NAME "#[dtor]accumulator") void at_drop(accumulator *self) { (void)self; }

EXPORT(METHOD("update")) void *at_update(accumulator *self, BATCH, uint32_t group_count) {
    batch in = AS_BATCH;
    const uint32_t *ids = (const uint32_t *)(data + columns[column_count - 1].at);
    grow(self, group_count);
    look(&in);
    for (at_row row = {0}; row.row < rows; row.row++) {
        if (ids[row.row] >= self->count) return declined(1, "a group is not below the group count");
        at_metric_update(group(self, ids[row.row]), &row);
    }
    return fine(0);
}

EXPORT(METHOD("merge")) void *at_merge(accumulator *self, BATCH, uint32_t group_count) {
    batch in = AS_BATCH;
    cells states = apart(&in, &columns[0]);
    const uint32_t *ids = (const uint32_t *)(data + columns[column_count - 1].at);
    void *other = at_alloc(at_metric_size);
    grow(self, group_count);
    for (uint32_t row = 0; row < rows; row++) {
        at_text state = entry(&states, row);
        at_reader reader = {(const uint8_t *)state.ptr, (const uint8_t *)state.ptr + state.len};
        __builtin_memset(other, 0, at_metric_size);
        const char *problem = at_metric_configure(other, &self->settings);
        if (problem) return declined(0, problem);
        if (!at_metric_restore(other, &reader) || reader.at != reader.end) return declined(1, "a state is not one of this metric's");
        if (ids[row] >= self->count) return declined(1, "a group is not below the group count");
        at_metric_merge(group(self, ids[row]), other);
    }
    return fine(0);
}

EXPORT(METHOD("state")) void *at_state(accumulator *self) {
    static const declared state = {"state", BYTES, NULL};
    at_writer out = {{.ends = at_alloc(self->count * 4), .given = self->count}};
    for (uint32_t id = 0; id < self->count; id++) {
        at_metric_state(group(self, id), &out);
        out.bytes.ends[id] = out.bytes.used;
    }
    out.bytes.filled = self->count;
    return answered(joined(&out.bytes, &state, 1, self->count));
}

EXPORT(METHOD("evaluate")) void *at_evaluate(accumulator *self) {
    clear_columns(self->count);
    for (at_patch out = {0}; out.row < self->count; out.row++) at_metric_evaluate(group(self, out.row), &out);
    return answered(joined(out_columns, writes, AT_WRITE_COUNT, self->count));
}

EXPORT("cabi_post_" METHOD("update")) void at_read_update(void *read) { (void)read, end_call(); }
EXPORT("cabi_post_" METHOD("merge")) void at_read_merge(void *read) { (void)read, end_call(); }
EXPORT("cabi_post_" METHOD("state")) void at_read_state(void *read) { (void)read, end_call(); }
EXPORT("cabi_post_" METHOD("evaluate")) void at_read_evaluate(void *read) { (void)read, end_call(); }

#else

#if AT_KIND == AT_ENRICHER_KIND
#define NAME "agent-telemetry:enricher/enricher" SERIES
#define WORK NAME "#enrich"
#elif AT_KIND == AT_MASKER_KIND
#define NAME "agent-telemetry:masker/masker" SERIES
#define WORK NAME "#mask"
#else
#define NAME "agent-telemetry:validator/validator" SERIES
#define WORK NAME "#validate"
#endif

__attribute__((weak)) const char *configure(const at_settings *settings) { return (void)settings, (const char *)NULL; }

EXPORT(NAME "#configure") void *at_configure(const char *config, uint32_t len) {
    at_settings settings = {kept(config, len), {"{}", 2}};
    const char *problem = configure(&settings);
    return problem ? declined(0, problem) : fine(0);
}

#if AT_KIND == AT_ENRICHER_KIND

void enrich(const at_row *event, at_patch *out);

EXPORT(WORK) void *at_work(BATCH) {
    batch in = AS_BATCH;
    look(&in);
    clear_columns(rows);
    for (at_row row = {0}; row.row < rows; row.row++) enrich(&row, &(at_patch){row.row});
    return answered(joined(out_columns, writes, AT_WRITE_COUNT, rows));
}

#elif AT_KIND == AT_MASKER_KIND

typedef struct { uint32_t leaf, start, end; at_text replacement; } span;
struct at_spans { uint32_t leaf; };

static span *spans;
static uint32_t span_count, span_room;

void at_replace(at_spans *out, uint32_t start, uint32_t end, const char *replacement) {
    if (span_count == span_room) {
        span_room = span_room * 2 + 16;
        span *moved = at_alloc(span_room * sizeof(span));
        if (span_count) __builtin_memcpy(moved, spans, span_count * sizeof(span));
        spans = moved;
    }
    spans[span_count++] = (span){out->leaf, start, end, at_literal(replacement)};
}

void mask(const at_leaf *leaf, at_spans *out);

EXPORT(WORK) void *at_work(BATCH) {
    static const declared known[4] = {{"leaf", INTEGER, 0}, {"start", INTEGER, 0}, {"end", INTEGER, 0}, {"replacement", TEXT, 0}};
    batch in = AS_BATCH;
    cells columns_in[4] = {0};
    if (column_count < 3 || column_count > 4) return declined(1, "a masker takes the columns field, part, pointer and text");
    for (uint32_t i = 0; i < column_count; i++) columns_in[i] = apart(&in, &columns[i]);
    span_count = span_room = 0;
    for (uint32_t row = 0; row < rows; row++) {
        at_leaf leaf = {entry(&columns_in[0], row), entry(&columns_in[1], row), {"", 0}, entry(&columns_in[column_count - 1], row)};
        if (column_count == 4) leaf.pointer = entry(&columns_in[2], row);
        mask(&leaf, &(at_spans){row});
    }
    growing out[4];
    for (uint32_t i = 0; i < 3; i++) out[i] = (growing){.cells = at_alloc(span_count * 8), .given = span_count};
    out[3] = (growing){.ends = at_alloc(span_count * 4), .given = span_count};
    for (uint32_t row = 0; row < span_count; row++) {
        ((int64_t *)out[0].cells)[row] = spans[row].leaf;
        ((int64_t *)out[1].cells)[row] = spans[row].start;
        ((int64_t *)out[2].cells)[row] = spans[row].end;
        set_bytes(&out[3], row, spans[row].replacement);
    }
    return answered(joined(out, known, 4, span_count));
}

#else

typedef struct { uint32_t row; at_text field, code, message; uint8_t severity; } violation;
struct at_report { uint32_t row; };

static violation *violations;
static uint32_t violation_count, violation_room;

static void note(at_report *report, const char *field, const char *code, const char *message, uint8_t severity) {
    if (violation_count == violation_room) {
        violation_room = violation_room * 2 + 16;
        violation *moved = at_alloc(violation_room * sizeof(violation));
        if (violation_count) __builtin_memcpy(moved, violations, violation_count * sizeof(violation));
        violations = moved;
    }
    violations[violation_count++] = (violation){report->row, at_literal(field), at_literal(code), at_literal(message), severity};
}

void at_reject(at_report *report, const char *field, const char *code, const char *message) { note(report, field, code, message, 0); }
void at_flag(at_report *report, const char *field, const char *code, const char *message) { note(report, field, code, message, 1); }

void validate(const at_row *event, at_report *report);

EXPORT(WORK) void *at_work(BATCH) {
    batch in = AS_BATCH;
    look(&in);
    violation_count = violation_room = 0;
    for (at_row row = {0}; row.row < rows; row.row++) validate(&row, &(at_report){row.row});
    fine((uint32_t)(uintptr_t)violations);
    answer.message = (const char *)(uintptr_t)violation_count;
    return &answer;
}

#endif

EXPORT("cabi_post_" WORK) void at_read_work(void *read) { (void)read, end_call(); }

#endif
