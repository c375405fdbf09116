/* Reads columns of several types and writes two. By hand, on the header of the C example beside this folder. */
#include "agent_telemetry.h"

typedef struct { const uint8_t *present, *cells; } fixed_column;

static fixed_column read_fixed(const at_batch *in, uint32_t index) {
    const at_column *column = &in->columns[index];
    const uint8_t *at = in->data + column->at;
    fixed_column out = {0, 0};
    if (column->bitmaps & 1) { out.present = at; at += at_padded((in->rows + 7) / 8); }
    if (column->bitmaps & 2) at += at_padded((in->rows + 7) / 8);
    out.cells = at;
    return out;
}

static inline int has(const uint8_t *present, uint32_t row) { return !present || (present[row / 8] >> (row % 8) & 1); }

static inline int64_t length(const at_text_column *column, uint32_t row) {
    at_text text;
    return at_get_text(column, row, &text) ? text.len : 0;
}

static int64_t count(at_text text) {
    int64_t found = 0;
    for (uint32_t i = 0; i + 6 <= text.len; i++) {
        const uint8_t *at = text.ptr + i;
        if (at[0] == 'n' && at[1] == 'e' && at[2] == 'e' && at[3] == 'd' && at[4] == 'l' && at[5] == 'e') found++, i += 5;
    }
    return found;
}

/* An integer a row, and a boolean that is as absent as the share is. */
void enrich(const at_batch *in, at_batch *out) {
    uint32_t rows = in->rows, scores = rows * 8, bitmap = at_padded((rows + 7) / 8);
    at_text_column first = at_read_text(in, 0), second = at_read_text(in, 1), third = at_read_text(in, 2), content = at_read_text(in, 5);
    fixed_column number = read_fixed(in, 3), share = read_fixed(in, 4);
    uint32_t flags = scores + (share.present ? bitmap : 0);
    out->rows = rows;
    out->len = flags + at_padded(rows);
    out->data = at_alloc(out->len, 8);
    __builtin_memset(out->data + flags, 0, out->len - flags);
    if (share.present) __builtin_memcpy(out->data + scores, share.present, bitmap);
    for (uint32_t row = 0; row < rows; row++) {
        at_text text;
        uint64_t score = has(number.present, row) ? ((const uint64_t *)number.cells)[row] : 0;
        score += (uint64_t)(length(&first, row) + 2 * length(&second, row) + 3 * length(&third, row));
        if (at_get_text(&content, row, &text)) score += (uint64_t)count(text);
        ((uint64_t *)out->data)[row] = score;
        if (has(share.present, row)) out->data[flags + row] = ((const double *)share.cells)[row] > 0.5;
    }
    out->column_count = 2;
    out->columns = at_alloc(2 * sizeof(at_column), 4);
    out->columns[0] = (at_column){2, 0, rows, 0};
    out->columns[1] = (at_column){1, share.present ? 1 : 0, rows, scores};
}
