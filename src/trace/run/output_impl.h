/*
 * Shared by the files of the output: what a value is while it is printed, in
 * which style, and what is kept between two prints.
 *
 *	output.c	events
 *	output_line.c	lines of JSON, and those of the run time itself
 *	output_map.c	whole maps; sort.c puts their entries in order
 *	output_value.c	one value of any type
 *	output_name.c	kinds that are numbers and printed as names; time.c
 *	output_stack.c	stacks and symbols
 *	format.c	formats of printf(), cut up once and kept
 */
#ifndef SKEP_TRACE_OUTPUT_IMPL_H
#define SKEP_TRACE_OUTPUT_IMPL_H

#include "base/vec.h"
#include "sink/jsonw.h"
#include "trace/column.h"
#include "trace/run/output.h"

#define SKEP_MAX_FRAMES      1024
#define SKEP_VALUE_DEPTH_MAX 32

/** How a value is written. */
enum skep_style {
	SKEP_STYLE_TEXT,
	SKEP_STYLE_KEY, /* the key of a JSON object: as text, but no blanks for looks */
	SKEP_STYLE_JSON,
};

/** A value's bytes: type->size of them, but for bare ones, which are the text of a string or the
 *  bytes of a buffer without its length before. */
struct skep_view {
	const struct skep_type *type;
	const uint8_t *at;
	size_t len;
	bool is_bare;
};

struct skep_printer {
	struct skep_output *out;
	struct skep_buf *buf;
	enum skep_style style;
	uint32_t div; /* numbers are divided by it; 0, 1: not */
	int depth;
};

/** The columns of a row() or table(). */
struct skep_columns_of {
	SKEP_VEC(struct skep_column) list; /* owned; they point into the event's text */
	bool is_cut;
};

struct skep_format; /* format.c */
struct skep_record_fields;
struct skep_names;

struct skep_output_state {
	struct skep_format **formats; /* by event, made when first used; n_events; owned */
	uint32_t n_formats;
	struct skep_columns_of *columns; /* by event; n_formats of them, or NULL; owned */
	const char *heading;             /* of the table that was printed last; borrowed; NULL */
	struct skep_buf scratch; /* text on its way to become a JSON string; one at a time */
	struct skep_record_fields *records; /* output_record.c; owned list */
	struct skep_names *names;           /* output_name.c: users, control groups; owned */
	uint64_t *gfp;                      /* output_gfp.c: this kernel's bits; owned */
	uint64_t frames[SKEP_MAX_FRAMES];
};

/** The state, made when first needed. */
struct skep_output_state *skep_output_state(struct skep_output *out);

/** A view of @size bytes at @at, or an empty one if there are fewer than the type needs. */
struct skep_view skep_view_of(const struct skep_type *type, const void *at, size_t size);
/** An argument of an event; empty where the record does not hold it. */
struct skep_view skep_view_arg(const struct skep_event_arg *arg, const void *data, size_t size);
/** A scalar's bits, extended to 64 by its own sign. */
uint64_t skep_view_int(const struct skep_view *view);
/** The bytes of a string (without its NUL) or a buffer. */
const char *skep_view_bytes(const struct skep_view *view, size_t *ret_len);
/** Was this string cut when it was read? */
bool skep_view_is_cut(const struct skep_output *out, const struct skep_view *view, size_t len);

void skep_print_value(struct skep_printer *p, const struct skep_view *view);
/** The frame and the members of "{ .m = 2, .n = 3 }" in the printer's style. */
void skep_print_open(struct skep_printer *p);
void skep_print_member(struct skep_printer *p, uint32_t i, const char *name);
void skep_print_close(struct skep_printer *p);
/** A struct or union (output_record.c). */
void skep_print_record(struct skep_printer *p, const struct skep_view *view);
/** Non-printable bytes as \x0a; @escape_all: all of them; @spaced: "0a fe" instead. */
void skep_print_bytes(struct skep_buf *buf, const char *bytes, size_t len, bool escape_all,
		      bool spaced);
/** The name of an enumerator; NULL: none has this value. */
const char *skep_enum_name(struct skep_output *out, const struct skep_type *type, uint64_t value);

/* Text of the kinds that are only text (never JSON numbers), appended. */
void skep_text_stack(struct skep_printer *p, const struct skep_view *view);
void skep_text_ksym(struct skep_printer *p, const struct skep_view *view);
void skep_text_usym(struct skep_printer *p, const struct skep_view *view);
void skep_text_username(struct skep_printer *p, const struct skep_view *view);
void skep_text_inet(struct skep_printer *p, const struct skep_view *view);
void skep_text_mac(struct skep_printer *p, const struct skep_view *view);
void skep_text_timestamp(struct skep_printer *p, const struct skep_view *view);
void skep_text_cgroup_path(struct skep_printer *p, const struct skep_view *view);
void skep_text_strerror(struct skep_printer *p, const struct skep_view *view);
void skep_text_signal(struct skep_printer *p, const struct skep_view *view);
void skep_text_probe(struct skep_printer *p, const struct skep_view *view);

/** The wall clock now by a format of strftime(3) (time.c). */
void skep_text_now(const char *format, struct skep_buf *buf);
/** Flags of the page allocator (output_gfp.c). */
void skep_text_gfp(struct skep_output *out, uint64_t flags, struct skep_buf *buf);

/** @view by the one conversion @conv; numbers with all their 64 bits (format.c). */
void skep_format_value(struct skep_output *out, const struct skep_conversion *conv,
		       const struct skep_view *view, struct skep_buf *buf);

/* output_row.c */
void skep_output_row(struct skep_output *out, const struct skep_event *event, const void *data,
		     size_t size, struct skep_buf *buf);
const struct skep_columns_of *skep_output_columns(struct skep_output *out,
						  const struct skep_event *event);
/** The heading of @event's table, unless it is the one last printed. */
void skep_output_heading(struct skep_output *out, const struct skep_event *event,
			 struct skep_buf *buf);
/** A row of it, or an object of JSON: @n cells in the order of the columns. */
void skep_output_cells(struct skep_output *out, const struct skep_event *event,
		       const struct skep_view *cells, uint32_t n, struct skep_buf *buf);

/** {"type": @type; with @data all up to what follows "data". */
struct skep_jsonw skep_line_open(const char *type, bool data, struct skep_buf *buf);
/** Close all that is open, and the line. */
void skep_line_close(struct skep_jsonw *w);
/** {"type": @type, "data": @text} */
void skep_line_text(const char *type, const char *text, size_t len, struct skep_buf *buf);

void skep_names_free(struct skep_names *names);
void skep_records_free(struct skep_record_fields *records);
void skep_format_free(struct skep_format *format);

/** Put entries in the order maps are shown in (sort.c). */
void skep_sort_entries(const struct skep_trace_map *map, struct skep_map_entry *entries, size_t n);
/** What orders values of @type, which has its size of bytes at @value. */
uint64_t skep_rank_value(const struct skep_type *type, const void *value);
/** Less than, equal to, greater than 0: numbers by value, strings as text. */
int skep_compare_keys(const struct skep_type *type, const void *a, const void *b);
/** total / count of AVG and STATS, by the type's sign. */
uint64_t skep_average(const struct skep_type *type, uint64_t total, uint64_t count);

#endif
