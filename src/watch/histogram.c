/* Reading histograms of powers of two, see histogram.h. */
#include "watch/histogram.h"

uint32_t skep_histogram_bucket(uint64_t value, unsigned bits)
{
	unsigned high = value >> bits ? 63 - (unsigned)__builtin_clzll(value) : bits;
	unsigned above = high - bits;

	return 1 + (above << bits) + (uint32_t)(value >> above);
}

uint64_t skep_histogram_from(uint32_t i, unsigned bits)
{
	uint32_t n = 1u << bits;

	if (i <= 2 * n)
		return i ? i - 1 : 0;
	uint32_t above = ((i - 1) >> bits) - 1;
	uint64_t from = n + ((i - 1) & (n - 1));
	return above + bits >= 63 ? UINT64_MAX : from << above;
}

uint64_t skep_histogram_total(const struct skep_histogram *h)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < h->n; i++)
		total += h->counts[i];
	return total;
}

uint64_t skep_histogram_over(const struct skep_histogram *h, uint64_t value)
{
	uint32_t bucket = skep_histogram_bucket(value, h->bits);
	uint64_t from = skep_histogram_from(bucket, h->bits);
	uint64_t to = skep_histogram_from(bucket + 1, h->bits);
	uint64_t over = 0;

	if (bucket >= h->n)
		return 0;
	for (uint32_t i = bucket + 1; i < h->n; i++)
		over += h->counts[i];
	return over +
	       (uint64_t)((double)h->counts[bucket] * (double)(to - value) / (double)(to - from));
}

double skep_histogram_percentile(const struct skep_histogram *h, double share, uint64_t total)
{
	uint64_t inside = skep_histogram_total(h);
	double rest = share * (double)total - (double)(total > inside ? total - inside : 0);

	if (rest <= 0)
		return 0;
	for (uint32_t i = 0; i < h->n; i++) {
		double count = (double)h->counts[i];
		if (count > 0 && rest <= count) {
			double from = (double)skep_histogram_from(i, h->bits);
			double to = (double)skep_histogram_from(i + 1, h->bits);
			return from + (to - from) * rest / count;
		}
		rest -= count;
	}
	return h->n ? (double)skep_histogram_from(h->n, h->bits) : 0;
}
