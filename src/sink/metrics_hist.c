/*
 * A histogram's buckets as Prometheus has them.
 *
 * Ours hold integers, [from, to). Prometheus' bounds belong to the bucket below:
 * "le" is less or equal. So a count of integers (bytes, retries) has the last
 * value inside as its bound: 4095, not 4096, and what is said is true. Times were
 * cut down to whole units, 7 us are anything below 8: there the bound is `to`.
 *
 * Native buckets go from powers of two of the base unit. Those of microseconds
 * are no powers of two of a second: 2^-20 s is 0.95 us. Each goes where it nearly is (a
 * thousand is 1024 but for 2.4 %), so in seconds the bounds are 2, 5 or 7 % lower
 * than they were. Powers that are cut finer are put together.
 */
#include <math.h>
#include <stdlib.h>

#include "base/arena.h"
#include "sink/metrics_impl.h"

void skep_metric_hist_done(struct skep_metric_hist *hist)
{
	free(hist->buckets);
	*hist = (struct skep_metric_hist){0};
}

double skep_metric_scaled(double value, unsigned scale)
{
	static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

	return value / tens[scale <= 9 ? scale : 9];
}

/* The bound of a bucket whose values end before @to. */
static double bound(double to, unsigned scale)
{
	return scale ? skep_metric_scaled(to, scale) : to - 1;
}

static struct skep_metric_hist new_hist(size_t n)
{
	return (struct skep_metric_hist){
		.buckets = skep_xcalloc(n + 1, sizeof(struct skep_metric_bucket))};
}

static void add_bucket(struct skep_metric_hist *hist, double le, uint64_t count)
{
	hist->buckets[hist->n++] = (struct skep_metric_bucket){le, count};
}

/* Below the least bound there is mostly nothing, and no need to say so each time. */
static size_t first(const uint64_t *counts, size_t n)
{
	return n && !counts[0] ? 1 : 0;
}

size_t skep_metric_hist_used(const uint64_t *counts, size_t n)
{
	while (n && !counts[n - 1])
		n--;
	return n;
}

/* Where bucket @i of a power-of-two histogram ends. */
static double log2_end(size_t i, unsigned bits)
{
	uint64_t n = 1ull << bits;

	if (i <= 2 * n)
		return (double)i;
	return ldexp((double)(n + (i & (n - 1))), (int)(i >> bits) - 1);
}

/* Which power of two the values of bucket @i, not the first two, begin with. */
static unsigned power_of(size_t i, unsigned bits)
{
	size_t value = i - 1;

	if (value < 1ull << bits)
		return 63 - (unsigned)__builtin_clzll(value);
	return (unsigned)(value >> bits) + bits - 1;
}

static void add_native(struct skep_metric_hist *hist, const uint64_t *counts, size_t n,
		       unsigned bits)
{
	hist->zeros = n > 1 ? counts[1] : 0;
	for (size_t i = 2; i < n; i++) {
		unsigned power = power_of(i, bits);
		if (power < SKEP_METRIC_POWERS)
			hist->powers[power] += counts[i];
	}
}

struct skep_metric_hist skep_metric_hist_log2(const uint64_t *counts, size_t used, unsigned bits,
					      unsigned scale)
{
	struct skep_metric_hist hist = new_hist(used);

	for (size_t i = first(counts, used); i < used; i++)
		add_bucket(&hist, bound(log2_end(i, bits), scale), counts[i]);
	/* How far below 0 the negative ones are is not known: there is no native form of them. */
	hist.has_native = !used || !counts[0];
	hist.native_shift = -(int32_t)(scale * 10 / 3);
	if (hist.has_native)
		add_native(&hist, counts, used, bits);
	return hist;
}

struct skep_metric_hist skep_metric_hist_linear(const uint64_t *counts, size_t n, int64_t min,
						int64_t step, unsigned scale)
{
	struct skep_metric_hist hist = new_hist(n);

	for (size_t i = first(counts, n); i + 1 < n; i++)
		add_bucket(&hist, bound((double)min + (double)i * (double)step, scale), counts[i]);
	hist.above = n ? counts[n - 1] : 0;
	return hist;
}
