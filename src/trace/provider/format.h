/* Tracepoint format files (tracefs events/CATEGORY/EVENT/format). */
#ifndef SKEP_TRACE_FORMAT_H
#define SKEP_TRACE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skep_arena;

struct skep_format_field {
	const char *decl; /* as written: "const char * filename", "char comm[16]" */
	const char *type; /* "const char *", "char": without array bounds and __data_loc */
	const char *name;
	uint32_t off, size; /* bytes; size 0: an array to the record's end */
	bool is_common;     /* in every tracepoint: common_pid */
	bool is_array;
	bool is_signed;
	bool is_data_loc, is_rel_loc;
};

/** Limits: 1024 fields, records of 64 KiB (as in the kernel, which has 16 bits for offsets). */
struct skep_format {
	const struct skep_format_field *fields;
	uint32_t n_fields;
};

/**
 * Read the text of a format file. Bytes may be anything.
 *
 * @ret      strings on @arena; untouched on error
 * @ret_line on error: the line that makes no sense, from 1
 * Return    0 | -EINVAL | -E2BIG over a limit
 */
int skep_format_parse(struct skep_arena *arena, const char *text, size_t len,
		      struct skep_format *ret, uint32_t *ret_line);

#endif
