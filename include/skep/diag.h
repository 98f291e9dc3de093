/*
 * Diagnostics: what went wrong, why, where, and what to try.
 *
 * A function that can fail takes a `struct skep_diag *` and adds one item to
 * it; libraries never print. Every message is a row of src/base/diag.def with
 * a stable id (T0102, L0003, …), so that tests and people can name it.
 *
 * Rendered:
 *
 *	error T0102: unknown variable $x
 *	  --> script.bt:3:9
 *	   3 | 	@[$x] = count()
 *	     | 	  ^^
 *	  why: it is read before anything was assigned to it
 *	  try: assign to $x first, or declare it with: let $x
 */
#ifndef SKEP_DIAG_H
#define SKEP_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skep/begin.h>

enum skep_severity { SKEP_NOTE, SKEP_WARNING, SKEP_ERROR };

enum skep_diag_id {
	SKEP_DIAG_NONE,
#define DIAG(name, id, severity, fmt, hint) SKEP_DIAG_##name,
#include "diag.def"
#undef DIAG
	SKEP_DIAG_CNT
};

/** A stretch of a source text: bytes [off, off + len). len 0: no place known. */
struct skep_span {
	uint32_t off, len;
};

struct skep_diag_item {
	enum skep_diag_id id;
	struct skep_span span;
	char *what; /* one sentence without full stop; owned */
	char *why;  /* further lines, '\n' between them, or NULL; owned */
	char *hint; /* what to try, or NULL; owned */
};

/** Where spans point into. The text is borrowed. */
struct skep_source {
	const char *name; /* "script.bt", "-e" */
	const char *text;
	size_t len;
};

struct skep_diag {
	struct skep_diag_item *items; /* owned */
	size_t n_items, cap_items;
	size_t n_errors;
	const struct skep_source *source; /* borrowed; NULL: no carets */
};

/** A zeroed skep_diag is valid and empty. Items over SKEP_DIAG_MAX are counted, not kept. */
#define SKEP_DIAG_MAX 64
void skep_diag_done(struct skep_diag *diag);

/** Add one item; the arguments fill the row's format. @diag may be NULL: then nothing happens. */
void skep_diag_add(struct skep_diag *diag, enum skep_diag_id id, struct skep_span span, ...);
/** The same, and return @err: `return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_X, span, …);` */
int skep_diag_fail(struct skep_diag *diag, int err, enum skep_diag_id id, struct skep_span span,
		   ...);
/** Add a line to the last item's "why". */
void skep_diag_why(struct skep_diag *diag, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/** Replace the last item's hint ("what to try"). */
void skep_diag_try(struct skep_diag *diag, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/** Hint "did you mean X?" for the candidate nearest to @word, if one is near. */
void skep_diag_did_you_mean(struct skep_diag *diag, const char *word, const char *const *candidates,
			    size_t n);

/** The row's stable id ("T0102"), severity, format and hint. */
const char *skep_diag_code(enum skep_diag_id id);
enum skep_severity skep_diag_severity(enum skep_diag_id id);
const char *skep_diag_format(enum skep_diag_id id);
const char *skep_diag_hint(enum skep_diag_id id);
/** "note", "warning", "error" */
const char *skep_severity_name(enum skep_severity severity);

struct skep_buf;
/** All items as text (ANSI colours if @color) or as JSON objects, one a line. */
void skep_diag_render(const struct skep_diag *diag, bool color, struct skep_buf *out);
void skep_diag_render_json(const struct skep_diag *diag, struct skep_buf *out);

/** 1-based line and column (bytes) of offset @off. */
void skep_source_pos(const struct skep_source *src, uint32_t off, uint32_t *line, uint32_t *col);

#define SKEP_NOWHERE   ((struct skep_span){0, 0})
#define _cleanup_diag_ __attribute__((cleanup(skep_diag_done)))

#include <skep/end.h>

#endif
