/* Part of agent_telemetry.c: as much JSON as settings need, from objects that the host has checked. */

struct at_settings { at_text config, parameters; };

static at_text kept(const char *ptr, uint32_t len) {
    char *copy = at_keep(len + 1);
    __builtin_memcpy(copy, ptr, len);
    return (at_text){copy, len};
}

static at_text trimmed(at_text text) {
    while (text.len && (*text.ptr == ' ' || *text.ptr == '\n' || *text.ptr == '\r' || *text.ptr == '\t')) text.ptr++, text.len--;
    return text;
}

static at_text behind(at_text text, uint32_t len) { return trimmed((at_text){text.ptr + len, text.len - len}); }

/* The length of the value at the beginning of `text`. */
static uint32_t value_len(at_text text) {
    uint32_t depth = 0, at = 0;
    bool quoted = false, escaped = false;
    for (; at < text.len; at++) {
        char c = text.ptr[at];
        if (quoted) {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
            if (!quoted && !depth) return at + 1;
        } else if (c == '"') quoted = true;
        else if (c == '{' || c == '[') depth++;
        else if (c == '}' || c == ']') {
            if (!depth) return at;
            if (!--depth) return at + 1;
        } else if (!depth && (c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t')) return at;
    }
    return at;
}

static bool member(at_text object, const char *name, at_text *value) {
    at_text rest = trimmed(object), wanted = at_literal(name);
    for (rest = behind(rest, rest.len ? 1 : 0); rest.len && *rest.ptr == '"';) {
        uint32_t key_len = value_len(rest);
        at_text key = {rest.ptr + 1, key_len - 2};
        rest = behind(behind(rest, key_len), 1);
        uint32_t len = value_len(rest);
        *value = (at_text){rest.ptr, len};
        if (at_equal(key, wanted)) return true;
        rest = behind(rest, len);
        rest = behind(rest, rest.len ? 1 : 0);
    }
    return false;
}

static bool setting(const at_settings *settings, const char *name, at_text *value) {
    return member(settings->parameters, name, value) || member(settings->config, name, value);
}

static bool whole_number(at_text text, int64_t *value) {
    bool negative = text.len && *text.ptr == '-';
    uint64_t sum = 0, most = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    uint32_t at = negative;
    if (at == text.len) return false;
    for (; at < text.len; at++) {
        uint64_t digit = (uint64_t)(text.ptr[at] - '0');
        if (digit > 9 || sum > (most - digit) / 10) return false;
        sum = sum * 10 + digit;
    }
    *value = (int64_t)(negative ? 0 - sum : sum);
    return true;
}

bool at_setting_integer(const at_settings *settings, const char *name, int64_t *value) {
    at_text text;
    return setting(settings, name, &text) && whole_number(text, value);
}

/* Exact up to 15 digits and powers of ten up to 22, else to some units in the last place. */
bool at_setting_real(const at_settings *settings, const char *name, double *value) {
    at_text text;
    if (!setting(settings, name, &text) || !text.len || (*text.ptr != '-' && (*text.ptr < '0' || *text.ptr > '9'))) return false;
    uint32_t at = *text.ptr == '-';
    uint64_t digits = 0;
    int64_t power = 0, more = 0;
    bool fraction = false;
    for (; at < text.len && (text.ptr[at] == '.' || (text.ptr[at] >= '0' && text.ptr[at] <= '9')); at++) {
        if (text.ptr[at] == '.') fraction = true;
        else if (digits < 100000000000000000) digits = digits * 10 + (uint64_t)(text.ptr[at] - '0'), power -= fraction;
        else power += !fraction;
    }
    if (at < text.len) {
        at += at + 1 < text.len && text.ptr[at + 1] == '+';
        if (!whole_number((at_text){text.ptr + at + 1, text.len - at - 1}, &more)) return false;
    }
    power += more;
    double scale = 1, result = (double)digits;
    for (int64_t i = power < 0 ? -power : power; i > 0 && i < 700; i--) scale *= 10;
    result = power < 0 ? result / scale : result * scale;
    *value = *text.ptr == '-' ? -result : result;
    return result - result == 0;
}

bool at_setting_boolean(const at_settings *settings, const char *name, bool *value) {
    at_text text;
    if (!setting(settings, name, &text)) return false;
    *value = at_equal(text, at_literal("true"));
    return *value || at_equal(text, at_literal("false"));
}

static uint32_t four(const char *at) {
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) unit = unit * 16 + (uint32_t)(at[i] <= '9' ? at[i] - '0' : (at[i] | 32) - 'a' + 10);
    return unit;
}

static uint32_t utf8(char *to, uint32_t unit) {
    if (unit < 0x80) return to[0] = (char)unit, 1;
    if (unit < 0x800) return to[0] = (char)(0xc0 | unit >> 6), to[1] = (char)(0x80 | (unit & 63)), 2;
    uint32_t len = unit < 0x10000 ? 3 : 4, at = len;
    for (; at > 1; unit >>= 6) to[--at] = (char)(0x80 | (unit & 63));
    to[0] = (char)((len == 3 ? 0xe0 : 0xf0) | unit);
    return len;
}

bool at_setting_text(const at_settings *settings, const char *name, at_text *value) {
    at_text raw;
    if (!setting(settings, name, &raw) || raw.len < 2 || *raw.ptr != '"') return false;
    char *out = at_keep(raw.len);
    uint32_t used = 0;
    for (const char *at = raw.ptr + 1, *end = raw.ptr + raw.len - 1; at < end; at++) {
        if (*at != '\\') {
            out[used++] = *at;
            continue;
        }
        char c = *++at;
        if (c != 'u') {
            out[used++] = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'b' ? '\b' : c == 'f' ? '\f' : c;
            continue;
        }
        uint32_t unit = four(at + 1), low = end - at > 10 && at[5] == '\\' && at[6] == 'u' ? four(at + 7) : 0;
        bool pair = unit >= 0xd800 && unit < 0xdc00 && low >= 0xdc00 && low < 0xe000;
        if (pair) unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        used += utf8(out + used, unit >= 0xd800 && unit < 0xe000 ? 0xfffd : unit);
        at += pair ? 10 : 4;
    }
    *value = (at_text){out, used};
    return true;
}
