/* The inside of the SDK: rows as the contract has them (wit/README.md), and the component's skin. No library beneath. */
#include "agent_telemetry.h"
#include "agent_telemetry_manifest.h" /* made of plugin.toml by the build */

#define EXPORT(name) __attribute__((export_name(name)))
#define SERIES "@0.1.0-rc"

enum { BOOLEAN = 1, INTEGER, REAL, TIME, TEXT, JSON, BYTES, TEXT_DICTIONARY, GROUP };
enum { PRESENT = 1, MISMATCHED = 2 };

typedef struct { uint16_t kind, bitmaps; uint32_t count, at; } column;
typedef struct { uint32_t rows; column *columns; uint32_t column_count; uint8_t *data; uint32_t len; } batch;
/* A name of plugin.toml, and the address under which the plugin last said it. */
typedef struct { const char *name; uint16_t kind; const char *seen; } declared;

static declared reads[AT_READ_COUNT + 1] = {AT_READS};
static declared writes[AT_WRITE_COUNT + 1] = {AT_WRITES};

/* ---- memory: chunks filled from the bottom; those of a call are used again for the next */

typedef struct chunk { struct chunk *next; uintptr_t end; } chunk;
typedef struct { chunk *first, *current; uintptr_t top; } area;

static union { chunk head; uint8_t bytes[256 * 1024]; } call_arena __attribute__((aligned(16)));
static union { chunk head; uint8_t bytes[16 * 1024]; } kept_arena __attribute__((aligned(16)));
static area call_area, kept_area;

static void enter(area *area, chunk *chunk) {
    area->current = chunk;
    area->top = (uintptr_t)(chunk + 1);
}

static void begin(area *area, chunk *arena, uintptr_t size) {
    arena->end = (uintptr_t)arena + size;
    area->first = arena;
    enter(area, arena);
}

static chunk *more(uintptr_t size) {
    uintptr_t pages = (size + sizeof(chunk) + 15 + 65535) / 65536;
    uintptr_t page = __builtin_wasm_memory_grow(0, pages < 4 ? 4 : pages);
    if (page == (uintptr_t)-1) __builtin_trap();
    chunk *added = (chunk *)(page * 65536);
    added->next = NULL;
    added->end = page * 65536 + (pages < 4 ? 4 : pages) * 65536;
    return added;
}

static void *take(area *area, uint32_t size, uint32_t align) {
    for (;;) {
        uintptr_t start = (area->top + align - 1) & ~(uintptr_t)(align - 1);
        if (start <= area->current->end && size <= area->current->end - start) {
            area->top = start + size;
            return (void *)start;
        }
        if (!area->current->next) area->current->next = more((uintptr_t)size + align);
        enter(area, area->current->next);
    }
}

static void *call_memory(uint32_t size, uint32_t align) {
    if (!call_area.first) begin(&call_area, &call_arena.head, sizeof call_arena);
    return take(&call_area, size, align);
}

void *at_alloc(uint32_t size) { return __builtin_memset(call_memory(size, 16), 0, size); }

void *at_keep(uint32_t size) {
    if (!kept_area.first) begin(&kept_area, &kept_arena.head, sizeof kept_arena);
    return __builtin_memset(take(&kept_area, size, 16), 0, size);
}

EXPORT("cabi_realloc") void *at_realloc(void *old, uint32_t old_size, uint32_t align, uint32_t new_size) {
    void *moved = call_memory(new_size, align);
    if (old_size) __builtin_memcpy(moved, old, old_size < new_size ? old_size : new_size);
    return moved;
}

/* The host has read the answer. */
static void end_call(void) {
    if (call_area.first) enter(&call_area, call_area.first);
}

/* ---- texts and messages */

__attribute__((import_module("agent-telemetry:host/log" SERIES), import_name("log"))) void host_log(uint32_t level, const char *ptr, uint32_t len);

at_text at_literal(const char *text) {
    uint32_t len = 0;
    while (text[len]) len++;
    return (at_text){text, len};
}

bool at_equal(at_text one, at_text other) {
    if (one.len != other.len) return false;
    for (uint32_t i = 0; i < one.len; i++)
        if (one.ptr[i] != other.ptr[i]) return false;
    return true;
}

bool at_starts_with(at_text text, const char *start) {
    at_text wanted = at_literal(start);
    return text.len >= wanted.len && at_equal((at_text){text.ptr, wanted.len}, wanted);
}

at_text at_until(at_text text, char end) {
    uint32_t len = 0;
    while (len < text.len && text.ptr[len] != end) len++;
    return (at_text){text.ptr, len};
}

void at_log(at_level level, const char *message) { host_log(level, message, at_literal(message).len); }

void at_panic(const char *message) {
    at_log(AT_ERROR, message);
    __builtin_trap();
}

static _Noreturn void wrong_name(const char *problem, const char *name) {
    at_text parts[3] = {at_literal("`"), at_literal(name), at_literal(problem)};
    char *text = at_alloc(parts[0].len + parts[1].len + parts[2].len + 1), *end = text;
    for (int i = 0; i < 3; i++) {
        __builtin_memcpy(end, parts[i].ptr, parts[i].len);
        end += parts[i].len;
    }
    at_panic(text);
}

static bool is_same(const char *one, const char *other) {
    while (*one && *one == *other) one++, other++;
    return *one == *other;
}

/* Where `name` is declared. A literal keeps its address, so that it is compared letter by letter only once. */
static uint32_t find(declared *known, uint32_t count, const char *name, uint16_t kind, const char *problem) {
    uint32_t at = 0;
    while (at < count && known[at].seen != name) at++;
    if (at == count) {
        for (at = 0; at < count && !is_same(known[at].name, name); at++) {}
        if (at == count) wrong_name(problem, name);
        known[at].seen = name;
    }
    if (kind && known[at].kind != kind) wrong_name("` is declared with another type in plugin.toml", name);
    return at;
}

/* ---- reading */

typedef struct { const uint8_t *present, *mismatched, *cells; const uint32_t *codes, *offsets; const char *bytes; } cells;
struct at_row { uint32_t row; };

static cells seen[AT_READ_COUNT + 1];

static uint32_t padded(uint32_t len) { return (len + 7) & ~7u; }

static cells apart(const batch *in, const column *column) {
    const uint8_t *at = in->data + column->at;
    uint32_t bitmap = padded((in->rows + 7) / 8);
    cells out = {0};
    if (column->bitmaps & PRESENT) out.present = at, at += bitmap;
    if (column->bitmaps & MISMATCHED) out.mismatched = at, at += bitmap;
    if (column->kind == TEXT_DICTIONARY) out.codes = (const uint32_t *)at, at += padded(in->rows * 4);
    if (column->kind >= TEXT && column->kind <= TEXT_DICTIONARY) {
        out.offsets = (const uint32_t *)at;
        out.bytes = (const char *)at + padded((column->count + 1) * 4);
    } else {
        out.cells = at;
    }
    return out;
}

static bool is_set(const uint8_t *bitmap, uint32_t row) { return bitmap[row / 8] >> (row % 8) & 1; }

__attribute__((unused)) static void look(const batch *in) {
    for (uint32_t i = 0; i < AT_READ_COUNT; i++) seen[i] = apart(in, &in->columns[i]);
}

static const cells *given(const at_row *row, const char *field, uint16_t kind) {
    const cells *found = &seen[find(reads, AT_READ_COUNT, field, kind, "` is not among the reads of plugin.toml")];
    return found->present && !is_set(found->present, row->row) ? NULL : found;
}

static at_text entry(const cells *cells, uint32_t row) {
    uint32_t at = cells->codes ? cells->codes[row] : row;
    return (at_text){cells->bytes + cells->offsets[at], cells->offsets[at + 1] - cells->offsets[at]};
}

#define GET(name, type, kind, read)                                      \
    bool name(const at_row *row, const char *field, type *value) {       \
        const cells *found = given(row, field, kind);                    \
        if (found) *value = read;                                        \
        return found != NULL;                                            \
    }
GET(at_get_text, at_text, TEXT, entry(found, row->row))
GET(at_get_json, at_text, JSON, entry(found, row->row))
GET(at_get_integer, int64_t, INTEGER, ((const int64_t *)found->cells)[row->row])
GET(at_get_real, double, REAL, ((const double *)found->cells)[row->row])
GET(at_get_time, int64_t, TIME, ((const int64_t *)found->cells)[row->row])
GET(at_get_boolean, bool, BOOLEAN, found->cells[row->row] != 0)

bool at_is_mismatched(const at_row *row, const char *field) {
    const cells *found = &seen[find(reads, AT_READ_COUNT, field, 0, "` is not among the reads of plugin.toml")];
    return found->mismatched && is_set(found->mismatched, row->row);
}

bool at_is_absent(const at_row *row, const char *field) { return !given(row, field, 0) && !at_is_mismatched(row, field); }

#include "agent_telemetry_writing.h"
#include "agent_telemetry_settings.h"
#include "agent_telemetry_skin.h"
