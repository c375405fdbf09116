/* Columns in C: as much of the contract (wit/README.md) as an enricher of one text column needs. No library beneath. */
#ifndef AGENT_TELEMETRY_H
#define AGENT_TELEMETRY_H

#include <stdint.h>

typedef struct { const uint8_t *ptr; uint32_t len; } at_text;
typedef struct { uint16_t kind, bitmaps; uint32_t count, at; } at_column;
typedef struct { uint32_t rows; at_column *columns; uint32_t column_count; uint8_t *data; uint32_t len; } at_batch;

/* What the plugin defines. */
void enrich(const at_batch *in, at_batch *out);

/* ---- memory: static first, then more pages; all of it is free again once the host has read an answer */

static uint8_t at_arena[256 * 1024] __attribute__((aligned(16)));
/* The next free byte and the end of where it lies; the first page behind all static data, once there is one. */
static uintptr_t at_top, at_end, at_heap;

static void at_reset(void) {
    at_top = (uintptr_t)at_arena;
    at_end = at_top + sizeof at_arena;
}

static void *at_alloc(uint32_t size, uint32_t align) {
    if (!at_end) at_reset();
    uintptr_t start = (at_top + align - 1) & ~(uintptr_t)(align - 1);
    if (start + size > at_end) {
        if (at_end == (uintptr_t)at_arena + sizeof at_arena) {
            if (!at_heap) at_heap = (uintptr_t)__builtin_wasm_memory_size(0) * 65536;
            start = at_heap;
        }
        at_end = (uintptr_t)__builtin_wasm_memory_size(0) * 65536;
        if (start + size > at_end) {
            uintptr_t pages = (start + size - at_end + 65535) / 65536;
            if (__builtin_wasm_memory_grow(0, pages) == (__SIZE_TYPE__)-1) __builtin_trap();
            at_end += pages * 65536;
        }
    }
    at_top = start + size;
    return (void *)start;
}

__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, uint32_t old_size, uint32_t align, uint32_t new_size) {
    void *moved = at_alloc(new_size, align);
    if (old_size) __builtin_memcpy(moved, old, old_size < new_size ? old_size : new_size);
    return moved;
}

/* ---- reading */

typedef struct { const uint8_t *present; const uint32_t *codes, *offsets; const uint8_t *bytes; } at_text_column;

static inline uint32_t at_padded(uint32_t len) { return (len + 7) & ~7u; }

static at_text_column at_read_text(const at_batch *in, uint32_t index) {
    const at_column *column = &in->columns[index];
    const uint8_t *at = in->data + column->at;
    at_text_column out = {0, 0, 0, 0};
    if (column->bitmaps & 1) { out.present = at; at += at_padded((in->rows + 7) / 8); }
    if (column->bitmaps & 2) at += at_padded((in->rows + 7) / 8);
    if (column->kind == 8) { out.codes = (const uint32_t *)at; at += at_padded(in->rows * 4); }
    out.offsets = (const uint32_t *)at;
    out.bytes = at + at_padded((column->count + 1) * 4);
    return out;
}

static inline int at_get_text(const at_text_column *column, uint32_t row, at_text *out) {
    if (column->present && !(column->present[row / 8] >> (row % 8) & 1)) return 0;
    uint32_t entry = column->codes ? column->codes[row] : row;
    out->ptr = column->bytes + column->offsets[entry];
    out->len = column->offsets[entry + 1] - column->offsets[entry];
    return 1;
}

/* ---- writing one text column; `most` is the longest value */

typedef struct { at_batch *out; uint8_t *present; uint32_t *offsets; uint8_t *bytes; uint32_t end; int all; } at_text_writer;

static inline at_text_writer at_write_text(at_batch *out, uint32_t rows, uint32_t most) {
    uint32_t bitmap = at_padded((rows + 7) / 8), offsets = at_padded((rows + 1) * 4), size = bitmap + offsets + at_padded(rows * most);
    out->rows = rows;
    out->column_count = 1;
    out->columns = at_alloc(sizeof(at_column), 4);
    out->data = at_alloc(size, 8);
    __builtin_memset(out->data, 0, size);
    return (at_text_writer){out, out->data, (uint32_t *)(out->data + bitmap), out->data + bitmap + offsets, 0, 1};
}

static inline void at_put_text(at_text_writer *writer, uint32_t row, at_text value) {
    for (uint32_t i = 0; i < value.len; i++) writer->bytes[writer->end + i] = value.ptr[i];
    writer->end += value.len;
    writer->present[row / 8] |= (uint8_t)(1 << (row % 8));
    writer->offsets[row + 1] = writer->end;
}

static inline void at_put_absent(at_text_writer *writer, uint32_t row) {
    writer->all = 0;
    writer->offsets[row + 1] = writer->end;
}

static inline void at_finish_text(at_text_writer *writer) {
    at_batch *out = writer->out;
    uint32_t skipped = writer->all ? (uint32_t)((uint8_t *)writer->offsets - writer->present) : 0;
    out->data += skipped;
    out->len = (uint32_t)(writer->bytes - out->data) + at_padded(writer->end);
    out->columns[0] = (at_column){5, writer->all ? 0 : 1, out->rows, 0};
}

static inline at_text at_literal(const char *text) {
    uint32_t len = 0;
    while (text[len]) len++;
    return (at_text){(const uint8_t *)text, len};
}

static inline int at_equal(at_text one, at_text other) {
    if (one.len != other.len) return 0;
    for (uint32_t i = 0; i < one.len; i++)
        if (one.ptr[i] != other.ptr[i]) return 0;
    return 1;
}

/* ---- the component's skin: results as the canonical ABI lays them out */

static struct { uint8_t is_error; uint32_t rows; at_column *columns; uint32_t column_count; uint8_t *data; uint32_t len; } at_answer;
static struct { uint8_t is_error; uint32_t which; const char *message; uint32_t len; } at_configured;

__attribute__((export_name("agent-telemetry:enricher/enricher@0.1.0-rc#configure"))) void *at_configure(const char *config, uint32_t len) {
    (void)config, (void)len;
    return &at_configured;
}

__attribute__((export_name("agent-telemetry:enricher/enricher@0.1.0-rc#enrich"))) void *at_enrich(
    uint32_t rows, at_column *columns, uint32_t column_count, uint8_t *data, uint32_t len) {
    at_batch in = {rows, columns, column_count, data, len}, out = {0, 0, 0, 0, 0};
    enrich(&in, &out);
    at_answer.rows = out.rows;
    at_answer.columns = out.columns;
    at_answer.column_count = out.column_count;
    at_answer.data = out.data;
    at_answer.len = out.len;
    return &at_answer;
}

__attribute__((export_name("cabi_post_agent-telemetry:enricher/enricher@0.1.0-rc#enrich"))) void at_read(void *answer) {
    (void)answer;
    at_reset();
}

#endif
