/*
 * What a panel shows, without a screen: facts (one number with its name), tables and histograms,
 * with units. Screen, text and JSON are three ways to write the same.
 */
#ifndef SKEP_WATCH_TABLE_H
#define SKEP_WATCH_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include <skep/arena.h>
#include <skep/buf.h>

#include "base/vec.h"
#include "watch/histogram.h"

enum skep_unit {
	SKEP_UNIT_TEXT,
	SKEP_UNIT_NUMBER, /* as it is: process ids, ports */
	SKEP_UNIT_COUNT,  /* 12.3k */
	SKEP_UNIT_RATE,   /* so many a second */
	SKEP_UNIT_BYTES,  /* 12.3 MiB */
	SKEP_UNIT_BYTERATE,
	SKEP_UNIT_NS,      /* 12.3 ms */
	SKEP_UNIT_PERCENT, /* 12.3% */
};

struct skep_cell {
	const char *text; /* TEXT; of the view's arena or static */
	double number;    /* otherwise */
	bool is_empty;    /* nothing is known: shown as "-" */
};

struct skep_column {
	const char *title; /* "CPU" */
	const char *json;  /* "cpu_percent" */
	enum skep_unit unit;
	uint8_t width;      /* what it needs at least */
	uint8_t importance; /* a narrow table leaves those with less out first; 0: never */
};

#define SKEP_TABLE_COLUMNS 8

struct skep_table {
	const char *title; /* "busiest processes" */
	const char *json;  /* "processes" */
	const struct skep_column *columns;
	uint32_t n_columns;
	SKEP_VEC(struct skep_cell) cells; /* row by row; owned */
};

struct skep_fact {
	const char *title, *json;
	enum skep_unit unit;
	double number;
	bool is_empty;
};

struct skep_shown_hist {
	const char *title, *json;        /* "waits for a CPU", "wait_us" */
	struct skep_histogram histogram; /* in microseconds */
};

struct skep_shown {
	struct skep_arena *arena; /* borrowed: texts of cells */
	SKEP_VEC(struct skep_fact) facts;
	SKEP_VEC(struct skep_table) tables;
	SKEP_VEC(struct skep_shown_hist) histograms;
	const char *why_not; /* some of it is not to be had; NULL */
};

void skep_shown_done(struct skep_shown *view);

/** A table that rows are added to with skep_row_…(), a cell for each column in order. Good until
 *  the next one is added. */
struct skep_table *skep_shown_add_table(struct skep_shown *view, const char *title,
					const char *json, const struct skep_column *columns,
					uint32_t n_columns);
void skep_shown_add_fact(struct skep_shown *view, const char *title, const char *json,
			 enum skep_unit unit, double number);
/** The same, of something that may not be known (NAN). */
void skep_shown_add_histogram(struct skep_shown *view, const char *title, const char *json,
			      struct skep_histogram histogram);

/** @text is copied: up to @size bytes or a NUL. */
void skep_row_text(struct skep_shown *view, struct skep_table *table, const char *text,
		   size_t size);
/** NAN: nothing is known. */
void skep_row_number(struct skep_table *table, double number);
uint32_t skep_table_n_rows(const struct skep_table *table);
const struct skep_cell *skep_table_cell(const struct skep_table *table, uint32_t row,
					uint32_t column);
/** Greatest first; text by the alphabet. Rows that are alike stay in their order. */
void skep_table_sort(struct skep_table *table, uint32_t column);

/** A number as people read it; "-" for NAN. */
void skep_unit_text(enum skep_unit unit, double number, struct skep_buf *buf);
/** A fact with its name, and "/s" where it is a rate: it has no heading that says so. */
void skep_fact_text(const struct skep_fact *fact, struct skep_buf *buf);
/** Are numbers of it put to the right? */
bool skep_unit_is_right(enum skep_unit unit);

#endif
