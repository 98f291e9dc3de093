/*
 * Histograms as text with bars, or as JSON.
 *
 * A histogram is rows: a range [from, to) and how many fell into it. The two
 * makers below turn bucket counts into rows, leaving out what is empty before
 * the first and behind the last; other front ends may fill rows themselves.
 */
#ifndef SKEP_SINK_HIST_H
#define SKEP_SINK_HIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skep_buf;

#define SKEP_HIST_BAR_WIDTH 52

/** One end of a row's range. */
struct skep_hist_bound {
	uint64_t value; /* an int64_t if is_signed */
	bool is_signed;
	bool is_open;  /* there is no end on this side */
	char unit;     /* 'K', 'M'…: how it is shown, see shown; '\0': as it is */
	int64_t shown; /* with a unit: the number before it */
	bool is_exact; /* shown as a bare number: [5, 6) may be written [5] */
};

struct skep_hist_row {
	struct skep_hist_bound from, to;
	uint64_t count;
};

struct skep_hist {
	struct skep_hist_row *rows; /* owned; heap */
	size_t n;
};

void skep_hist_done(struct skep_hist *hist);
#define _cleanup_hist_ __attribute__((cleanup(skep_hist_done)))

/**
 * Rows of a power-of-two histogram, each power cut into 2^@bits: bucket 0 holds
 * what is negative, 1 + v the values v below 2^bits, 1 + (a << bits) + b those
 * whose highest bit is a + bits - 1, with b the @bits bits below it.
 *
 * @div  counts are divided by it (0, 1: not)
 */
struct skep_hist skep_hist_log2(const uint64_t *counts, size_t n, unsigned bits, uint32_t div);
/** Rows of a linear one: bucket 0 below @min, then steps of @step, the last from @max on. */
struct skep_hist skep_hist_linear(const uint64_t *counts, size_t n, int64_t min, int64_t max,
				  int64_t step);

/** One line a row: label, count, bar, relative to the largest count. */
void skep_hist_render(const struct skep_hist *hist, struct skep_buf *buf);
/** [{"min": 2, "max": 3, "count": 1},…]: max is the last value inside. */
void skep_hist_json(const struct skep_hist *hist, struct skep_buf *buf);

#endif
