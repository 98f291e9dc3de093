/*
 * Histograms as the scripts' hist(us, bits) makes them: powers of two, each cut into 2^bits
 * buckets; bucket 0 is for what is negative (sink/hist.h).
 */
#ifndef SKEP_WATCH_HISTOGRAM_H
#define SKEP_WATCH_HISTOGRAM_H

#include <stdint.h>

struct skep_histogram {
	const uint64_t *counts; /* borrowed */
	uint32_t n;
	unsigned bits;
};

/** The bucket of @value. */
uint32_t skep_histogram_bucket(uint64_t value, unsigned bits);
/** The least value of bucket @i. */
uint64_t skep_histogram_from(uint32_t i, unsigned bits);
uint64_t skep_histogram_total(const struct skep_histogram *h);
/** How many are at least @value: exact where a bucket begins there, else by the share of the
 *  bucket above it. */
uint64_t skep_histogram_over(const struct skep_histogram *h, uint64_t value);
/**
 * The value that @share (0 to 1) of @total do not exceed, within a bucket as if its values were
 * spread evenly.
 *
 * @total  at least what is in the histogram: what is beyond that is below all that is in it
 * Return  0 if the value is among those
 */
double skep_histogram_percentile(const struct skep_histogram *h, double share, uint64_t total);

#endif
