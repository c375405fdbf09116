/* Part of agent_telemetry.c: columns that grow row by row, rows in order. */

struct at_patch { uint32_t row; };

/* Cells of 8 bytes (of a boolean: 1), or bytes and where each row's end. */
typedef struct { uint8_t *present, *cells; uint32_t *ends; char *bytes; uint32_t used, room, filled, given; } growing;

static growing out_columns[AT_WRITE_COUNT + 1];

__attribute__((unused)) static void clear_columns(uint32_t rows) {
    for (uint32_t i = 0; i < AT_WRITE_COUNT; i++) {
        bool is_text = writes[i].kind >= TEXT;
        out_columns[i] = (growing){.present = at_alloc((rows + 7) / 8)};
        if (is_text) out_columns[i].ends = at_alloc(rows * 4);
        else out_columns[i].cells = at_alloc(rows * 8);
    }
}

static growing *written(at_patch *out, const char *key, uint16_t kind) {
    growing *column = &out_columns[find(writes, AT_WRITE_COUNT, key, kind, "` is not among the writes of plugin.toml")];
    uint8_t *byte = &column->present[out->row / 8], bit = (uint8_t)(1 << (out->row % 8));
    column->given += !(*byte & bit);
    *byte |= bit;
    return column;
}

/* Rows below `row` that were passed over are empty. */
static void fill_ends(growing *column, uint32_t row) {
    for (; column->filled < row; column->filled++) column->ends[column->filled] = column->used;
}

static void append_bytes(growing *column, at_text value) {
    if (column->room - column->used < value.len) {
        uint32_t room = (column->used + value.len) * 2 + 64;
        char *moved = call_memory(room, 8);
        if (column->used) __builtin_memcpy(moved, column->bytes, column->used);
        column->bytes = moved;
        column->room = room;
    }
    if (value.len < 16) for (uint32_t i = 0; i < value.len; i++) column->bytes[column->used + i] = value.ptr[i];
    else __builtin_memcpy(column->bytes + column->used, value.ptr, value.len);
    column->used += value.len;
}

static void set_bytes(growing *column, uint32_t row, at_text value) {
    if (column->filled > row) { /* set again: take back the last */
        column->filled = row;
        column->used = row ? column->ends[row - 1] : 0;
    }
    fill_ends(column, row);
    append_bytes(column, value);
    column->ends[column->filled++] = column->used;
}

void at_set_text(at_patch *out, const char *key, at_text value) { set_bytes(written(out, key, TEXT), out->row, value); }
void at_set_json(at_patch *out, const char *key, at_text value) { set_bytes(written(out, key, JSON), out->row, value); }
void at_set_integer(at_patch *out, const char *key, int64_t value) { ((int64_t *)written(out, key, INTEGER)->cells)[out->row] = value; }
void at_set_time(at_patch *out, const char *key, int64_t value) { ((int64_t *)written(out, key, TIME)->cells)[out->row] = value; }
void at_set_boolean(at_patch *out, const char *key, bool value) { written(out, key, BOOLEAN)->cells[out->row] = value; }

void at_set_count(at_patch *out, const char *key, uint64_t value) {
    if (value <= INT64_MAX) at_set_integer(out, key, (int64_t)value);
}

void at_set_real(at_patch *out, const char *key, double value) {
    if (value - value == 0) ((double *)written(out, key, REAL)->cells)[out->row] = value;
}

/* ---- columns to a batch */

static uint8_t *section(uint8_t *to, const void *from, uint32_t len) {
    if (len) __builtin_memcpy(to, from, len);
    return to + padded(len);
}

static uint32_t width(uint16_t kind) { return kind == BOOLEAN ? 1 : 8; }

static uint32_t size_of(const growing *column, uint16_t kind, uint32_t rows) {
    uint32_t bitmap = column->given == rows ? 0 : padded((rows + 7) / 8);
    if (kind < TEXT) return bitmap + padded(rows * width(kind));
    return bitmap + padded((rows + 1) * 4) + padded(column->used);
}

__attribute__((unused)) static batch joined(growing *columns, const declared *known, uint32_t count, uint32_t rows) {
    uint32_t len = 0;
    for (uint32_t i = 0; i < count; i++) len += size_of(&columns[i], known[i].kind, rows);
    batch out = {rows, call_memory(count * sizeof(column), 4), count, at_alloc(len), len};
    uint8_t *to = out.data;
    for (uint32_t i = 0; i < count; i++) {
        growing *from = &columns[i];
        uint16_t kind = known[i].kind, bitmaps = from->given == rows ? 0 : PRESENT;
        out.columns[i] = (column){kind, bitmaps, rows, (uint32_t)(to - out.data)};
        if (bitmaps) to = section(to, from->present, (rows + 7) / 8);
        if (kind < TEXT) {
            to = section(to, from->cells, rows * width(kind));
            continue;
        }
        fill_ends(from, rows);
        section(to + 4, from->ends, rows * 4);
        to = section(to + padded((rows + 1) * 4), from->bytes, from->used);
    }
    return out;
}

/* ---- states: numbers as variable-length integers, smallest first */

struct at_writer { growing bytes; };
struct at_reader { const uint8_t *at, *end; };

void at_put_unsigned(at_writer *out, uint64_t value) {
    char bytes[10];
    uint32_t len = 0;
    for (; value >= 0x80; value >>= 7) bytes[len++] = (char)(value | 0x80);
    bytes[len++] = (char)value;
    append_bytes(&out->bytes, (at_text){bytes, len});
}

void at_put_signed(at_writer *out, int64_t value) { at_put_unsigned(out, (uint64_t)value << 1 ^ (uint64_t)(value >> 63)); }
void at_put_real(at_writer *out, double value) { append_bytes(&out->bytes, (at_text){(const char *)&value, 8}); }

void at_put_text(at_writer *out, at_text value) {
    at_put_unsigned(out, value.len);
    append_bytes(&out->bytes, value);
}

bool at_take_unsigned(at_reader *in, uint64_t *value) {
    *value = 0;
    for (uint32_t shift = 0; in->at < in->end && shift < 64; shift += 7) {
        uint64_t byte = *in->at++;
        if (shift == 63 && (byte & 0x7f) > 1) return false;
        *value |= (byte & 0x7f) << shift;
        if (!(byte & 0x80)) return true;
    }
    return false;
}

bool at_take_signed(at_reader *in, int64_t *value) {
    uint64_t folded;
    if (!at_take_unsigned(in, &folded)) return false;
    *value = (int64_t)(folded >> 1 ^ (0 - (folded & 1)));
    return true;
}

bool at_take_real(at_reader *in, double *value) {
    if (in->end - in->at < 8) return false;
    __builtin_memcpy(value, in->at, 8);
    in->at += 8;
    return true;
}

bool at_take_text(at_reader *in, at_text *value) {
    uint64_t len;
    if (!at_take_unsigned(in, &len) || len > (uint64_t)(in->end - in->at)) return false;
    *value = (at_text){(const char *)in->at, (uint32_t)len};
    in->at += len;
    return true;
}
