/* Free stretches of numbers; see ranges.h. */
#include "map/ranges.h"

#include <errno.h>
#include <string.h>

/* At worst every other number is free. */
static uint32_t most_ranges(uint32_t numbers)
{
	return numbers / 2 + 2;
}

size_t skep_ranges_bytes(uint32_t numbers)
{
	return sizeof(struct skep_ranges) + most_ranges(numbers) * sizeof(struct skep_range);
}

void skep_ranges_init(struct skep_ranges *ranges, uint32_t numbers)
{
	ranges->most = most_ranges(numbers);
	skep_ranges_give_back(ranges, 0, numbers);
}

static uint32_t length(const struct skep_range *range)
{
	return range->last - range->start + 1;
}

int skep_ranges_find(const struct skep_ranges *ranges, uint32_t n, uint32_t *ret_start)
{
	const struct skep_range *best = NULL;

	for (uint32_t i = 0; i < ranges->n; i++) {
		const struct skep_range *at = &ranges->ranges[i];

		if (length(at) < n)
			continue;
		if (!best || length(at) < length(best) ||
		    (length(at) == length(best) && at->changed > best->changed))
			best = at;
	}
	if (!best)
		return -ENOENT;
	*ret_start = best->start;
	return 0;
}

/* The first stretch that ends at @number or after. */
static uint32_t first_reaching(const struct skep_ranges *ranges, uint32_t number)
{
	uint32_t lo = 0, hi = ranges->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ranges->ranges[mid].last < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool skep_ranges_are_free(const struct skep_ranges *ranges, uint32_t start, uint32_t n)
{
	uint32_t i = first_reaching(ranges, start);

	return i < ranges->n && ranges->ranges[i].start <= start &&
	       ranges->ranges[i].last >= start + n - 1;
}

static void set(struct skep_ranges *ranges, uint32_t i, uint32_t start, uint32_t last)
{
	ranges->ranges[i] = (struct skep_range){start, last, ++ranges->clock};
}

/* Put @add (0 or 1) places in the stead of @n at @i. */
static void resize(struct skep_ranges *ranges, uint32_t i, uint32_t n, uint32_t add)
{
	memmove(&ranges->ranges[i + add], &ranges->ranges[i + n],
		(ranges->n - i - n) * sizeof(ranges->ranges[0]));
	ranges->n += add - n;
}

void skep_ranges_take(struct skep_ranges *ranges, uint32_t start, uint32_t n)
{
	uint32_t last = start + n - 1, i = first_reaching(ranges, start);

	while (i < ranges->n && ranges->ranges[i].start <= last) {
		struct skep_range at = ranges->ranges[i];

		if (at.start < start && at.last > last) {
			if (ranges->n == ranges->most)
				return;
			resize(ranges, i + 1, 0, 1);
			set(ranges, i, at.start, start - 1);
			set(ranges, i + 1, last + 1, at.last);
			return;
		}
		if (at.start < start)
			set(ranges, i++, at.start, start - 1);
		else if (at.last > last)
			set(ranges, i++, last + 1, at.last);
		else
			resize(ranges, i, 1, 0);
	}
}

void skep_ranges_give_back(struct skep_ranges *ranges, uint32_t start, uint32_t n)
{
	uint32_t last = start + n - 1, i, first, end;

	if (skep_ranges_are_free(ranges, start, n))
		return;
	skep_ranges_take(ranges, start, n);
	i = first_reaching(ranges, start);
	first = i > 0 && ranges->ranges[i - 1].last + 1 == start ? i - 1 : i;
	end = i < ranges->n && ranges->ranges[i].start == last + 1 ? i + 1 : i;
	if (first < i)
		start = ranges->ranges[first].start;
	if (end > i)
		last = ranges->ranges[i].last;
	if (first == end && ranges->n == ranges->most)
		return;
	resize(ranges, first, end - first, 1);
	set(ranges, first, start, last);
}
