/*
 * Building JSON: objects and arrays with their commas, one line.
 *
 *	struct skep_jsonw w = {.buf = &buf};
 *	skep_jsonw_open(&w, '{');
 *	skep_jsonw_key(&w, "type"); skep_jsonw_string(&w, "map");
 *	skep_jsonw_close(&w);
 *
 * Written "key": value, "key": value; and [value,value].
 */
#ifndef SKEP_SINK_JSONW_H
#define SKEP_SINK_JSONW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skep_buf;

#define SKEP_JSONW_DEPTH 64

struct skep_jsonw {
	struct skep_buf *buf; /* borrowed */
	uint32_t depth;
	uint64_t is_array, has_items; /* a bit a level */
	bool after_key;
};

/** @bracket  '{' or '['. Deeper than SKEP_JSONW_DEPTH is a bug of the caller and asserted. */
void skep_jsonw_open(struct skep_jsonw *w, char bracket);
void skep_jsonw_close(struct skep_jsonw *w);
void skep_jsonw_key(struct skep_jsonw *w, const char *key);
void skep_jsonw_string(struct skep_jsonw *w, const char *text);
void skep_jsonw_bytes(struct skep_jsonw *w, const char *text, size_t len);
/** Numbers that a double cannot hold are quoted, see skep_sink_json_u64(). */
void skep_jsonw_u64(struct skep_jsonw *w, uint64_t value);
void skep_jsonw_s64(struct skep_jsonw *w, int64_t value);
/** With ten digits; null where it is no number. */
void skep_jsonw_double(struct skep_jsonw *w, double value);
void skep_jsonw_bool(struct skep_jsonw *w, bool value);
/** The caller writes the next value into the buffer by itself. */
void skep_jsonw_item(struct skep_jsonw *w);
void skep_jsonw_null(struct skep_jsonw *w);

#endif
