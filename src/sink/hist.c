/* Histograms as text and JSON, see hist.h. */
#include "sink/hist.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "sink/number.h"

#define LABEL_WIDTH 16
#define COUNT_WIDTH 8

void skep_hist_done(struct skep_hist *hist)
{
	free(hist->rows);
	*hist = (struct skep_hist){0};
}

/* --- Rows from buckets -------------------------------------------------------------------- */

/* The first and the last bucket with something in it; false: none. */
static bool used_range(const uint64_t *counts, size_t n, size_t *ret_first, size_t *ret_last)
{
	bool found = false;

	for (size_t i = 0; i < n; i++) {
		if (!counts[i])
			continue;
		if (!found)
			*ret_first = i;
		*ret_last = i;
		found = true;
	}
	return found;
}

static struct skep_hist new_hist(size_t first, size_t last)
{
	return (struct skep_hist){
		.rows = skep_xcalloc(last - first + 1, sizeof(struct skep_hist_row)),
		.n = last - first + 1};
}

static struct skep_hist_bound exact(int64_t value)
{
	return (struct skep_hist_bound){
		.value = (uint64_t)value, .is_signed = true, .is_exact = true};
}

/* Where bucket @i ends, which is where i + 1 starts. */
static struct skep_hist_bound log2_end(size_t i, unsigned bits)
{
	uint64_t n = 1ull << bits;

	if (i <= n * 2)
		return exact((int64_t)i);
	unsigned power = (unsigned)(i >> bits) - 1;
	uint64_t factor = n + (i & (n - 1));
	unsigned decade = power / 10 < 6 ? power / 10 : 6;
	bool fits = power < 64 && factor << power >> power == factor;
	return (struct skep_hist_bound){.value = fits ? factor << power : UINT64_MAX,
					.unit = "\0KMGTPE"[decade],
					.shown = (int64_t)(factor << ((power - 10 * decade) & 63))};
}

struct skep_hist skep_hist_log2(const uint64_t *counts, size_t n, unsigned bits, uint32_t div)
{
	size_t first = 0, last = 0;

	if (!used_range(counts, n, &first, &last))
		return (struct skep_hist){0};
	struct skep_hist hist = new_hist(first, last);
	for (size_t i = first; i <= last; i++) {
		struct skep_hist_row *row = &hist.rows[i - first];
		row->from = i ? log2_end(i - 1, bits) : (struct skep_hist_bound){.is_open = true};
		row->to = log2_end(i, bits);
		row->count = counts[i] / (div ? div : 1);
	}
	return hist;
}

/* Units only where every bound has one: steps of whole K. */
static struct skep_hist_bound linear_end(int64_t value, int64_t step)
{
	struct skep_hist_bound bound = exact(value);

	if (step % 1024)
		return bound;
	bound.is_exact = false;
	if (value && value % (1024 * 1024) == 0) {
		bound.unit = 'M';
		bound.shown = value / (1024 * 1024);
	} else if (value && value % 1024 == 0) {
		bound.unit = 'K';
		bound.shown = value / 1024;
	}
	return bound;
}

struct skep_hist skep_hist_linear(const uint64_t *counts, size_t n, int64_t min, int64_t max,
				  int64_t step)
{
	const struct skep_hist_bound open = {.is_open = true};
	size_t first = 0, last = 0;

	if (step <= 0 || !used_range(counts, n, &first, &last))
		return (struct skep_hist){0};
	struct skep_hist hist = new_hist(first, last);
	for (size_t i = first; i <= last; i++) {
		struct skep_hist_row *row = &hist.rows[i - first];
		int64_t from = (int64_t)((uint64_t)min + ((uint64_t)i - 1) * (uint64_t)step);
		uint64_t left = (uint64_t)max - (uint64_t)from;
		bool is_last = i && (from > max || left < (uint64_t)step || i == n - 1);
		row->from = i ? linear_end(from, step) : open;
		row->to = is_last ? open : linear_end(i ? from + step : min, step);
		row->count = counts[i];
	}
	return hist;
}

/* --- Text ----------------------------------------------------------------------------------- */

static void add_bound(const struct skep_hist_bound *bound, struct skep_buf *buf)
{
	if (bound->is_open) {
		skep_buf_puts(buf, "...");
		return;
	}
	if (bound->unit) {
		skep_sink_s64(buf, bound->shown);
		skep_buf_addc(buf, bound->unit);
	} else if (bound->is_signed) {
		skep_sink_s64(buf, (int64_t)bound->value);
	} else {
		skep_sink_u64(buf, bound->value);
	}
}

static void add_label(const struct skep_hist_row *row, struct skep_buf *buf)
{
	const struct skep_hist_bound *from = &row->from, *to = &row->to;
	size_t start = buf->len;
	bool single = !from->is_open && !to->is_open && from->is_exact && to->is_exact &&
		      to->value - from->value == 1;

	skep_buf_addc(buf, from->is_open ? '(' : '[');
	add_bound(from, buf);
	if (!single) {
		skep_buf_puts(buf, ", ");
		add_bound(to, buf);
	}
	skep_buf_addc(buf, single ? ']' : ')');
	skep_sink_pad(buf, start, LABEL_WIDTH, true, ' ');
}

static uint64_t largest(const struct skep_hist *hist)
{
	uint64_t max = 0;

	for (size_t i = 0; i < hist->n; i++)
		max = hist->rows[i].count > max ? hist->rows[i].count : max;
	return max;
}

void skep_hist_render(const struct skep_hist *hist, struct skep_buf *buf)
{
	uint64_t max = largest(hist);

	for (size_t i = 0; i < hist->n; i++) {
		const struct skep_hist_row *row = &hist->rows[i];
		/* In single precision, as the field's other tools do: bars match to the dot. */
		float part = max ? (float)row->count / (float)max : 0;
		size_t bar = (size_t)(part * SKEP_HIST_BAR_WIDTH);

		add_label(row, buf);
		size_t start = buf->len;
		skep_sink_u64(buf, row->count);
		skep_sink_pad(buf, start, COUNT_WIDTH, false, ' ');
		skep_buf_puts(buf, " |");
		skep_buf_fill(buf, '@', bar);
		skep_buf_fill(buf, ' ', SKEP_HIST_BAR_WIDTH - bar);
		skep_buf_puts(buf, "|\n");
	}
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void json_row(const struct skep_hist_row *row, struct skep_buf *buf)
{
	skep_buf_addc(buf, '{');
	if (!row->from.is_open) {
		skep_buf_puts(buf, "\"min\": ");
		if (row->from.is_signed)
			skep_sink_json_s64(buf, (int64_t)row->from.value);
		else
			skep_sink_json_u64(buf, row->from.value);
		skep_buf_puts(buf, ", ");
	}
	if (!row->to.is_open) {
		skep_buf_puts(buf, "\"max\": ");
		if (row->to.is_signed)
			skep_sink_json_s64(buf, (int64_t)(row->to.value - 1));
		else
			skep_sink_json_u64(buf, row->to.value - 1);
		skep_buf_puts(buf, ", ");
	}
	skep_buf_puts(buf, "\"count\": ");
	skep_sink_u64(buf, row->count);
	skep_buf_addc(buf, '}');
}

void skep_hist_json(const struct skep_hist *hist, struct skep_buf *buf)
{
	skep_buf_addc(buf, '[');
	for (size_t i = 0; i < hist->n; i++) {
		if (i)
			skep_buf_addc(buf, ',');
		json_row(&hist->rows[i], buf);
	}
	skep_buf_addc(buf, ']');
}
