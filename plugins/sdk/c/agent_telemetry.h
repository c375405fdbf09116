/* Write a plugin in C by field name. What it reads and writes stands in its plugin.toml; the build takes the names and types from there.
 *
 * An enricher defines      void enrich(const at_row *event, at_patch *out);
 * a validator defines      void validate(const at_row *event, at_report *report);
 * a masker defines         void mask(const at_leaf *leaf, at_spans *out);
 * and any may define       const char *configure(const at_settings *settings);   NULL, or why the configuration is declined
 * a metric has a struct for each group, five functions on it and AT_METRIC(its_type): see below.
 *
 * There is no C library beneath, and no clock, file, network, randomness or thread. */
#ifndef AGENT_TELEMETRY_H
#define AGENT_TELEMETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AT_SDK_VERSION "0.1.0"

/* UTF-8, not ended by a zero. */
typedef struct { const char *ptr; uint32_t len; } at_text;

typedef struct at_row at_row;           /* one row, read by field name */
typedef struct at_patch at_patch;       /* what is said of one row, or of one group of a metric */
typedef struct at_report at_report;     /* what a validator finds wrong */
typedef struct at_spans at_spans;       /* what a masker replaces in a leaf */
typedef struct at_settings at_settings; /* the configuration, and a metric's parameters */
typedef struct at_writer at_writer;     /* the state of one group, being written */
typedef struct at_reader at_reader;     /* the same, being read */

/* ---- reading. False when the row has no value of that type. A field that plugin.toml does not read, or reads as another type, ends the
 * call with a message: the first test finds it. */

bool at_get_text(const at_row *row, const char *field, at_text *value);
bool at_get_json(const at_row *row, const char *field, at_text *value);
bool at_get_integer(const at_row *row, const char *field, int64_t *value);
bool at_get_real(const at_row *row, const char *field, double *value);
bool at_get_time(const at_row *row, const char *field, int64_t *value); /* UTC nanoseconds */
bool at_get_boolean(const at_row *row, const char *field, bool *value);
bool at_is_mismatched(const at_row *row, const char *field); /* it has a value of another type */
bool at_is_absent(const at_row *row, const char *field);     /* it has no value at all */

/* ---- writing. What is not set is absent; setting again replaces. */

void at_set_text(at_patch *out, const char *key, at_text value);
void at_set_json(at_patch *out, const char *key, at_text value);
void at_set_integer(at_patch *out, const char *key, int64_t value);
void at_set_count(at_patch *out, const char *key, uint64_t value); /* one that 63 bits cannot hold stays absent */
void at_set_real(at_patch *out, const char *key, double value);    /* one that is not finite stays absent */
void at_set_time(at_patch *out, const char *key, int64_t value);
void at_set_boolean(at_patch *out, const char *key, bool value);

/* ---- a validator's findings; `code` is stable and kebab-case */

void at_reject(at_report *report, const char *field, const char *code, const char *message); /* the event goes to quarantine */
void at_flag(at_report *report, const char *field, const char *code, const char *message);   /* it is stored and carries the flag */

/* ---- a masker: one string of an event at a time, keys and ids too. What it finds may depend on field, part and text alone. */

typedef struct {
    at_text field;   /* the member it belongs to: attributes["llm.request.data"] */
    at_text part;    /* where it stands there: value, key, id, name; there may come more */
    at_text pointer; /* where it stands in the event; empty unless plugin.toml has `pointer = true` under [leaves] */
    at_text text;
} at_leaf;

/* Replaces the bytes from `start` to before `end`, which lie between characters and in no other span; at most 256 bytes instead. */
void at_replace(at_spans *out, uint32_t start, uint32_t end, const char *replacement);

/* ---- settings. False when there is none of that name and type. Texts live as long as the plugin. */

bool at_setting_integer(const at_settings *settings, const char *name, int64_t *value);
bool at_setting_real(const at_settings *settings, const char *name, double *value);
bool at_setting_boolean(const at_settings *settings, const char *name, bool *value);
bool at_setting_text(const at_settings *settings, const char *name, at_text *value);

/* ---- a metric. Law: however rows are cut into batches and accumulators, merging evaluates to the same. So sum integers, keep (count, sum)
 * for a mean, and fixed bins for a quantile.
 *
 *   const char *configure(T *self, const at_settings *settings);   once a group
 *   void update(T *self, const at_row *row);
 *   void merge(T *self, const T *other);
 *   void state(const T *self, at_writer *out);     all that restore needs
 *   bool restore(T *self, at_reader *in);          in the same order, into a configured T; false when it is no state
 *   void evaluate(const T *self, at_patch *out);
 */

void at_put_unsigned(at_writer *out, uint64_t value);
void at_put_signed(at_writer *out, int64_t value);
void at_put_real(at_writer *out, double value);
void at_put_text(at_writer *out, at_text value);
bool at_take_unsigned(at_reader *in, uint64_t *value);
bool at_take_signed(at_reader *in, int64_t *value);
bool at_take_real(at_reader *in, double *value);
bool at_take_text(at_reader *in, at_text *value);

extern const uint32_t at_metric_size;
const char *at_metric_configure(void *self, const at_settings *settings);
void at_metric_update(void *self, const at_row *row);
void at_metric_merge(void *self, const void *other);
void at_metric_state(const void *self, at_writer *out);
bool at_metric_restore(void *self, at_reader *in);
void at_metric_evaluate(const void *self, at_patch *out);

#define AT_METRIC(T)                                                                                              \
    const uint32_t at_metric_size = sizeof(T);                                                                    \
    const char *at_metric_configure(void *self, const at_settings *settings) { return configure(self, settings); } \
    void at_metric_update(void *self, const at_row *row) { update(self, row); }                                   \
    void at_metric_merge(void *self, const void *other) { merge(self, other); }                                   \
    void at_metric_state(const void *self, at_writer *out) { state(self, out); }                                  \
    bool at_metric_restore(void *self, at_reader *in) { return restore(self, in); }                               \
    void at_metric_evaluate(const void *self, at_patch *out) { evaluate(self, out); }

/* ---- texts */

at_text at_literal(const char *text);
bool at_equal(at_text one, at_text other);
bool at_starts_with(at_text text, const char *start);
at_text at_until(at_text text, char end); /* what stands before the first `end`; all of it without one */

/* ---- memory and messages */

void *at_alloc(uint32_t size); /* zeroed; until this call of the plugin ends */
void *at_keep(uint32_t size);  /* zeroed; as long as the plugin lives, which is one batch or one report */

typedef enum { AT_DEBUG, AT_INFO, AT_WARN, AT_ERROR } at_level;
void at_log(at_level level, const char *message); /* a line in the plugin's own ring at /v1/plugins/{id} */
_Noreturn void at_panic(const char *message);     /* says so there, and fails the call */

#endif
