/*
 * Records as the kernel would send them, built by hand, and what they print.
 * The layout is that of lower/event.c: the header, then each argument at its
 * alignment; long strings and buffers behind the fixed part.
 */
#ifndef OUTPUT_TEST_H
#define OUTPUT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "trace/config.h"
#include "trace/run/output.h"

#define MOST_ARGS 8

struct bench {
	struct skep_arena arena;
	struct skep_trace_program program;
	struct skep_event event;
	struct skep_event_arg args[MOST_ARGS];
	uint8_t record[16384];
	uint32_t fixed_bytes, size; /* of the record: the fixed part, all */
	struct skep_output out;
	struct skep_buf buf;
};

static inline void bench_init(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	skep_arena_init(&b->arena);
	skep_types_init(&b->program.types, &b->arena);
	skep_config_init(&b->program.config);
	b->program.events = &b->event;
	b->program.n_events = 1;
	b->event.args = b->args;
	b->out.program = &b->program;
	b->fixed_bytes = b->size = sizeof(struct skep_event_hdr);
}

static inline void bench_done(struct bench *b)
{
	skep_output_done(&b->out);
	skep_types_done(&b->program.types);
	skep_arena_done(&b->arena);
	skep_buf_done(&b->buf);
}

static inline void bench_again(struct bench *b)
{
	skep_output_done(&b->out);
	skep_buf_clear(&b->buf);
	memset(b->record, 0, sizeof(b->record));
	b->event.n_args = 0;
	b->fixed_bytes = b->size = sizeof(struct skep_event_hdr);
}

/* All arguments must be given before the bytes of varying ones: fixed parts come first. */
static inline void arg(struct bench *b, const struct skep_type *type, const void *value)
{
	struct skep_event_arg *a = &b->args[b->event.n_args++];
	uint32_t align = type->align ? type->align : 1;

	b->fixed_bytes = (b->fixed_bytes + align - 1) / align * align;
	*a = (struct skep_event_arg){
		.type = type, .off = b->fixed_bytes, .is_signed = type->is_signed};
	memcpy(b->record + b->fixed_bytes, value, type->size);
	b->fixed_bytes += type->size;
	b->size = b->fixed_bytes;
}

static inline void arg_s64(struct bench *b, int64_t value)
{
	arg(b, &skep_type_s64, &value);
}

static inline void arg_u64(struct bench *b, uint64_t value)
{
	arg(b, &skep_type_u64, &value);
}

static inline void arg_s32(struct bench *b, int32_t value)
{
	arg(b, &skep_type_s32, &value);
}

/* A string of a type of @size bytes, stored in place. */
static inline void arg_str(struct bench *b, uint32_t size, const char *text)
{
	char room[8192] = "";
	size_t len = strlen(text);

	assert_true(size <= sizeof(room));
	memcpy(room, text, len < size ? len : size);
	arg(b, skep_type_string(&b->program.types, size), room);
}

/* The last argument: bytes behind the fixed part. */
static inline void arg_varying(struct bench *b, const struct skep_type *type, const void *bytes,
			       uint32_t len)
{
	struct skep_event_arg *a = &b->args[b->event.n_args++];
	uint32_t at = (b->fixed_bytes + 3) & ~3u, place[2];

	*a = (struct skep_event_arg){.type = type, .off = at, .is_varying = true};
	b->fixed_bytes = (at + 8 + 7) & ~7u;
	place[0] = b->fixed_bytes;
	place[1] = len;
	memcpy(b->record + at, place, sizeof(place));
	memcpy(b->record + place[0], bytes, len);
	b->size = place[0] + len;
}

static inline const char *print_event(struct bench *b, enum skep_event_kind kind, const char *text)
{
	b->event.kind = kind;
	b->event.text = text;
	skep_buf_clear(&b->buf);
	skep_output_event(&b->out, &b->event, b->record, b->size, &b->buf);
	return b->buf.data ? b->buf.data : "";
}

static inline const char *print_value(struct bench *b, const struct skep_type *type,
				      const void *value)
{
	skep_buf_clear(&b->buf);
	skep_output_value(&b->out, type, value, &b->buf);
	return b->buf.data ? b->buf.data : "";
}

/* A map of @n entries; keys and values one behind the other. */
static inline const char *print_map(struct bench *b, const struct skep_trace_map *map,
				    const void *keys, const void *values, size_t n, uint32_t top,
				    uint32_t div)
{
	struct skep_map_entry *entries = calloc(n + 1, sizeof(*entries));

	for (size_t i = 0; i < n; i++) {
		entries[i].key = map->key ? (const char *)keys + i * map->key->size : NULL;
		entries[i].value = (const char *)values + i * map->value->size;
	}
	skep_buf_clear(&b->buf);
	skep_output_map(&b->out, map, entries, n, top, div, &b->buf);
	free(entries);
	return b->buf.data ? b->buf.data : "";
}

#endif
