/*
 * Which bucket a value falls into, at all the boundaries: the kernel runs what
 * the compiler made of hist() and lhist(), and each bucket is compared with
 * one found here in the plainest way.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "compiled.h"

#define MOST_VALUES 400

struct values {
	int64_t at[MOST_VALUES];
	size_t n;
};

static void add(struct values *values, int64_t value)
{
	assert_true(values->n < MOST_VALUES);
	values->at[values->n++] = value;
}

/* Around zero, and around every power of two with and without a half of it more. */
static void add_boundaries(struct values *values)
{
	for (int64_t i = -3; i <= 70; i++)
		add(values, i);
	for (int bit = 7; bit < 63; bit++) {
		int64_t power = (int64_t)1 << bit;
		add(values, power - 1);
		add(values, power);
		add(values, power + 1);
		add(values, power + power / 2);
	}
	add(values, INT64_MAX);
	add(values, INT64_MIN);
	add(values, INT64_MIN + 1);
}

static size_t plain_hist(int64_t value, unsigned bits)
{
	unsigned high = 0;

	if (value < 0)
		return 0;
	if (value < (int64_t)1 << bits)
		return 1 + (size_t)value;
	while (value >> (high + 1))
		high++;
	size_t within = (size_t)(value >> (high - bits)) & (((size_t)1 << bits) - 1);
	return 1 + ((size_t)(high - bits + 1) << bits) + within;
}

struct linear {
	int64_t min, max, step;
};

static size_t plain_lhist(int64_t value, const struct linear *l)
{
	size_t last = 1 + (size_t)((l->max - l->min) / l->step);

	if (value < l->min)
		return 0;
	return value >= l->max ? last : 1 + (size_t)((value - l->min) / l->step);
}

/* The only bucket that holds something, and that is one. */
static size_t only_bucket(const uint64_t *buckets, size_t n)
{
	size_t found = n;

	for (size_t i = 0; i < n; i++) {
		if (!buckets[i])
			continue;
		assert_int_equal(buckets[i], 1);
		assert_int_equal(found, n);
		found = i;
	}
	assert_true(found < n);
	return found;
}

/*
 * @in keeps the compiler from knowing the value. The map's entries are
 * allocated beforehand: so many large ones at once are more than the kernel
 * could provide from within a program.
 */
static void write_script(const struct values *values, const char *call, struct skep_buf *out)
{
	skep_buf_puts(out, "let @x = percpulruhash(4000); BEGIN {\n");
	for (size_t i = 0; i < values->n; i++) {
		if (values->at[i] == INT64_MIN)
			skep_buf_puts(out, "@in = -9223372036854775807 - 1;");
		else
			skep_buf_printf(out, "@in = %" PRId64 ";", values->at[i]);
		skep_buf_printf(out, " @x[%zu] = %s;\n", i, call);
	}
	skep_buf_puts(out, "}\n");
}

typedef size_t plain_fn(int64_t value, const void *ctx);

static void check(const struct values *values, const char *call, plain_fn *plain, const void *ctx)
{
	_cleanup_buf_ struct skep_buf script = {0};
	struct skep_map_entries entries;
	struct compiled c;

	write_script(values, call, &script);
	compiled_run(&c, script.data);
	const struct skep_trace_map *map = compiled_find(&c, "@x");
	assert_int_equal(skep_map_read(&c.maps, map, false, &entries), 0);
	assert_int_equal(entries.n, values->n);
	for (size_t i = 0; i < entries.n; i++) {
		int64_t value = values->at[*(const uint64_t *)entries.entries[i].key];
		size_t got = only_bucket(entries.entries[i].value, map->value->n);
		if (got != plain(value, ctx))
			fail_msg("%s of %" PRId64 ": bucket %zu, not %zu", call, value, got,
				 plain(value, ctx));
	}
	skep_map_entries_done(&entries);
	compiled_done(&c);
}

static size_t hist_plain(int64_t value, const void *ctx)
{
	return plain_hist(value, *(const unsigned *)ctx);
}

static size_t lhist_plain(int64_t value, const void *ctx)
{
	return plain_lhist(value, ctx);
}

static void test_hist(void **state)
{
	for (unsigned bits = 0; bits <= 5; bits++) {
		struct values values = {0};
		char call[32];
		add_boundaries(&values);
		snprintf(call, sizeof(call), "hist(@in, %u)", bits);
		check(&values, call, hist_plain, &bits);
	}
}

static void test_lhist(void **state)
{
	static const struct linear linears[] = {{0, 100, 10},       {-50, 50, 7}, {1, 2, 1},
						{0, 1000000, 1000}, {-10, -1, 3}, {0, 7, 2}};

	for (size_t i = 0; i < sizeof(linears) / sizeof(linears[0]); i++) {
		const struct linear *l = &linears[i];
		struct values values = {0};
		char call[96];
		for (int64_t step = -2; step <= 12; step++) {
			add(&values, l->min + step * l->step - 1);
			add(&values, l->min + step * l->step);
			add(&values, l->min + step * l->step + 1);
		}
		for (int64_t d = -1; d <= 1; d++)
			add(&values, l->max + d);
		add(&values, INT64_MAX);
		add(&values, INT64_MIN + 1);
		snprintf(call, sizeof(call), "lhist(@in, %" PRId64 ", %" PRId64 ", %" PRId64 ")",
			 l->min, l->max, l->step);
		check(&values, call, lhist_plain, l);
	}
}

/* What is not negative, but too large for a signed number, counts as negative. */
static void test_huge(void **state)
{
	struct compiled c;

	compiled_run(&c, "BEGIN { @in = (uint64)0x8000000000000000; @x = hist(@in); }");
	assert_string_equal(compiled_map(&c, "@x"),
			    "@x:\n(..., 0)               1 "
			    "|@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|\n\n");
	compiled_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_hist),
					   cmocka_unit_test(test_lhist),
					   cmocka_unit_test(test_huge)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
