/*
 * Text in aligned columns: cells are added row by row, widths are found when
 * it is printed.
 *
 *	struct skep_columns table;
 *	skep_columns_init(&table, 2, "lr");
 *	skep_columns_add(&table, "PROGRAM", -1); skep_columns_add(&table, "RUNS", -1);
 *	…
 *	skep_columns_render(&table, &buf);
 *	skep_columns_done(&table);
 */
#ifndef SKEP_SINK_COLUMNS_H
#define SKEP_SINK_COLUMNS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/vec.h"

#define SKEP_COLUMNS_MAX 32

struct skep_columns {
	uint32_t n;                   /* columns */
	char align[SKEP_COLUMNS_MAX]; /* 'l' or 'r' for each */
	uint32_t max_width;           /* of a cell; longer ones end in "…"; 0: no limit */
	struct skep_buf text;         /* all cells, one behind the other; owned */
	SKEP_VEC(size_t) ends;        /* where each cell ends in text; owned */
};

/** @align  one of 'l', 'r' for each of @n (1 to SKEP_COLUMNS_MAX) columns */
void skep_columns_init(struct skep_columns *table, uint32_t n, const char *align);
void skep_columns_done(struct skep_columns *table);
/** The next cell; @len -1: up to the NUL. Control characters become '?'. */
void skep_columns_add(struct skep_columns *table, const char *text, ssize_t len);
void skep_columns_u64(struct skep_columns *table, uint64_t value);
/** Two blanks between columns, none at the end of a line; an unfinished last row has empty cells.
 *  Widths count code points, not bytes. */
void skep_columns_render(const struct skep_columns *table, struct skep_buf *buf);

#endif
