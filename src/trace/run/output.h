/*
 * What a script prints: printf() formats, values, maps, histograms, stacks;
 * as text to the letter of bpftrace's, or as JSON, one object a line.
 *
 * Values come as bytes in the layout of their type (type.h): from events and,
 * read by maps.c, from maps with per-CPU copies already summed.
 */
#ifndef SKEP_TRACE_OUTPUT_H
#define SKEP_TRACE_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "trace/program.h"
#include "unwind/losses.h"
#include "unwind/walk.h"

struct skep_ksyms;
struct skep_lines_trouble;
struct skep_usyms;

/**
 * Fill in what is above the line and leave the rest zero; skep_output_done()
 * frees what was made for it while printing.
 */
struct skep_output {
	const struct skep_trace_program *program;
	struct skep_ksyms *ksyms; /* borrowed */
	struct skep_usyms *usyms; /* borrowed */
	bool json;
	/** Frames of a stack by its id: fills @ret (up to @max); returns how many, or -errno. */
	int (*stack)(void *ctx, bool user, uint32_t stack_id, uint64_t *ret, uint32_t max);
	/** Why a user stack has no more frames. */
	enum skep_unwind_end (*stack_end)(void *ctx, uint32_t stack_id);
	void *ctx;
	const struct skep_source *source; /* of the script, for errorf(); borrowed; may be NULL */
	uint64_t boot_to_wall_ns;         /* add to a boot time for the wall clock (strftime) */
	/* --- */
	uint64_t strings_cut;            /* printed with config.str_trunc_trailer */
	struct skep_output_state *state; /* caches; owned */
};

void skep_output_done(struct skep_output *out);

/** One entry of a map: bytes of key (key NULL: scalar) and of the summed value. */
struct skep_map_entry {
	const void *key, *value;
};

/** A value as print() and maps show it, appended as text (or a JSON value). */
void skep_output_value(struct skep_output *out, const struct skep_type *type, const void *value,
		       struct skep_buf *buf);
/** An event's arguments by its format, appended. @data: the whole record of @size bytes, which
 *  may be anything (hostile): offsets are checked. */
void skep_output_format(struct skep_output *out, const struct skep_event *event, const void *data,
			size_t size, const char *format, struct skep_buf *buf);
/** One event's line(s), as they go to the output: PRINTF, PRINT, PRINT_KEY, JOIN, TIME; ERRORF
 *  and WARNF as they go to the errors in text ("FILE:LINE:COL-COL: ERROR: …"), to the output in
 *  JSON. */
void skep_output_event(struct skep_output *out, const struct skep_event *event, const void *data,
		       size_t size, struct skep_buf *buf);
/**
 * A whole map, sorted as bpftrace sorts it (by value ascending; by key where
 * values are equal; histograms by total).
 *
 * @top  only the last @top entries (0: all).   @div  values divided by it (0, 1: not)
 */
void skep_output_map(struct skep_output *out, const struct skep_trace_map *map,
		     struct skep_map_entry *entries, size_t n, uint32_t top, uint32_t div,
		     struct skep_buf *buf);
/** A scalar map that holds nothing, as print(@x) shows it: as 0 or "". (Maps that are empty when
 *  the script ends are not shown.) */
void skep_output_map_unset(struct skep_output *out, const struct skep_trace_map *map,
			   struct skep_buf *buf);
/** What one map brings to a table. */
struct skep_map_part {
	const struct skep_trace_map *map;
	const struct skep_map_entry *entries;
	size_t n;
};
/**
 * table(): maps joined by key, greatest first, or by the column event->sort.
 *
 * @parts  event->n_maps (1 to SKEP_TABLE_COLUMNS_MAX), all with keys of the same type
 * @top    rows at most; 0: all
 */
void skep_output_table(struct skep_output *out, const struct skep_event *event,
		       const struct skep_map_part *parts, uint32_t top, struct skep_buf *buf);
/** The next table has its heading again. */
void skep_output_refresh(struct skep_output *out);
/** What system() and cat() bring: as it is, or as {"type": @type, "data": …}. bpftrace's types
 *  are "syscall" and "cat"; text of the former is followed by a newline. */
void skep_output_text(struct skep_output *out, const char *type, const char *text, size_t len,
		      struct skep_buf *buf);
/** What stands between a script's own output and its maps at the end: two empty lines in text. */
void skep_output_end(struct skep_output *out, struct skep_buf *buf);
/** A line that is not the script's own: {"type": "attached_probes", "count": 1, "data":
 *  {"probes": 1}} or "Attached 1 probe" (for the errors). */
void skep_output_attached(struct skep_output *out, uint32_t n_probes, struct skep_buf *buf);
/** Where metrics are served: {"type": "metrics", "data": "http://…"} or "Metrics at http://…". */
void skep_output_serving(struct skep_output *out, const char *url, struct skep_buf *buf);
/** Losses by cause: "Lost 12 events, …" with what to try, or {"type": "lost_…"}. */
void skep_output_loss(struct skep_output *out, enum skep_loss loss, uint64_t n,
		      struct skep_buf *buf);
void skep_output_map_full(struct skep_output *out, const struct skep_trace_map *map, uint64_t n,
			  struct skep_buf *buf);

/** What stacks by call frame information lack. */
void skep_output_unwinding(struct skep_output *out, enum skep_unwind_loss loss, uint64_t n,
			   struct skep_buf *buf);
/** Source lines that could not be read, or not all (@is_partial); nothing if there are none. */
void skep_output_lines_trouble(struct skep_output *out, const struct skep_lines_trouble *trouble,
			       bool is_partial, struct skep_buf *buf);
/** Hits of probes that the kernel left out (recursion, no memory for a return probe). */
void skep_output_missed(struct skep_output *out, uint64_t n, struct skep_buf *buf);

#endif
