/*
 * Maps as text and as JSON. What is expected are the outputs of bpftrace's
 * runtime tests for the same values.
 */
#include "output_test.h"

#include "trace/run/output_impl.h"

static struct skep_trace_map map_of(const char *name, const struct skep_type *key,
				    const struct skep_type *value)
{
	return (struct skep_trace_map){.name = name, .key = key, .value = value};
}

static const struct skep_type *string_type(struct bench *b, uint32_t size)
{
	return skep_type_string(&b->program.types, size);
}

static const struct skep_type *pair(struct bench *b, const struct skep_type *x,
				    const struct skep_type *y)
{
	const struct skep_type *both[] = {x, y};

	return skep_type_tuple(&b->program.types, both, 2);
}

/* --- Scalars and keys ------------------------------------------------------------------------ */

static void test_scalars(void **state)
{
	struct bench b;
	int64_t five = 5;

	bench_init(&b);
	struct skep_trace_map map = map_of("@scalar", NULL, &skep_type_s64);
	assert_string_equal(print_map(&b, &map, NULL, &five, 1, 0, 0), "@scalar: 5\n");
	assert_string_equal(print_map(&b, &map, NULL, &five, 0, 0, 0), "");
	b.out.json = true;
	assert_string_equal(print_map(&b, &map, NULL, &five, 1, 0, 0),
			    "{\"type\": \"map\", \"data\": {\"@scalar\": 5}}\n");
	assert_string_equal(print_map(&b, &map, NULL, &five, 0, 0, 0), "");
	map = map_of("@scalar_str", NULL, string_type(&b, 16));
	assert_string_equal(print_map(&b, &map, NULL, "a b \n d e\0\0\0\0\0\0\0\0", 1, 0, 0),
			    "{\"type\": \"map\", \"data\": {\"@scalar_str\": \"a b \\n d e\"}}\n");
	bench_done(&b);
}

static void test_unset_scalars(void **state)
{
	struct bench b;

	bench_init(&b);
	struct skep_trace_map map = map_of("@x", NULL, &skep_type_s64);
	skep_output_map_unset(&b.out, &map, &b.buf);
	map = map_of("@", NULL, skep_type_agg(&b.program.types, SKEP_T_STATS, false));
	skep_output_map_unset(&b.out, &map, &b.buf);
	map = map_of("@k", &skep_type_s64, &skep_type_s64); /* nothing: it has keys */
	skep_output_map_unset(&b.out, &map, &b.buf);
	assert_string_equal(b.buf.data, "@x: 0\n@: { .count = 0, .average = 0, .total = 0 }\n");
	bench_done(&b);
}

static void test_keys(void **state)
{
	struct {
		char comm[16];
		int64_t number;
	} key = {"bpftrace", 2};
	struct bench b;
	int64_t five = 5;

	bench_init(&b);
	struct skep_trace_map map =
		map_of("@complex", pair(&b, string_type(&b, 16), &skep_type_s64), &skep_type_s64);
	assert_string_equal(print_map(&b, &map, &key, &five, 1, 0, 0),
			    "@complex[bpftrace, 2]: 5\n");
	b.out.json = true;
	assert_string_equal(print_map(&b, &map, &key, &five, 1, 0, 0),
			    "{\"type\": \"map\", \"data\": {\"@complex\": {\"bpftrace,2\": 5}}}\n");
	/* What is in a string stays: no blank, no parenthesis of it is ours. */
	map = map_of("@", string_type(&b, 16), &skep_type_s64);
	assert_string_equal(print_map(&b, &map, "(sd-pam x)\0\0\0\0\0\0", &five, 1, 0, 0),
			    "{\"type\": \"map\", \"data\": {\"@\": {\"(sd-pam x)\": 5}}}\n");
	b.out.json = false;
	assert_string_equal(print_map(&b, &map, "(sd-pam x)\0\0\0\0\0\0", &five, 1, 0, 0),
			    "@[(sd-pam x)]: 5\n");
	bench_done(&b);
}

static void test_nested_keys(void **state)
{
	int64_t key[] = {1, 2, 3, 4}, value = 9;
	struct bench b;

	bench_init(&b);
	const struct skep_type *inner = pair(&b, &skep_type_s64, &skep_type_s64);
	struct skep_trace_map map = map_of("@n", pair(&b, inner, inner), &skep_type_s64);
	assert_string_equal(print_map(&b, &map, key, &value, 1, 0, 0), "@n[(1, 2), (3, 4)]: 9\n");
	b.out.json = true;
	assert_string_equal(print_map(&b, &map, key, &value, 1, 0, 0),
			    "{\"type\": \"map\", \"data\": {\"@n\": {\"(1,2),(3,4)\": 9}}}\n");
	map = map_of("@v", NULL, inner);
	assert_string_equal(print_map(&b, &map, NULL, key, 1, 0, 0),
			    "{\"type\": \"map\", \"data\": {\"@v\": [1,2]}}\n");
	bench_done(&b);
}

/* --- Order ----------------------------------------------------------------------------------- */

static void test_sorted_by_value(void **state)
{
	char keys[][4] = {"a", "b", "c", "d"};
	int64_t values[] = {3, -1, 3, 2};
	struct bench b;

	bench_init(&b);
	struct skep_trace_map map = map_of("@", string_type(&b, 4), &skep_type_s64);
	assert_string_equal(print_map(&b, &map, keys, values, 4, 0, 0),
			    "@[b]: -1\n@[d]: 2\n@[a]: 3\n@[c]: 3\n");
	assert_string_equal(print_map(&b, &map, keys, values, 4, 2, 0), "@[a]: 3\n@[c]: 3\n");
	/* Unsigned: -1 is the largest. */
	map.value = &skep_type_u64;
	assert_string_equal(print_map(&b, &map, keys, values, 4, 1, 0),
			    "@[b]: 18446744073709551615\n");
	map.value = skep_type_agg(&b.program.types, SKEP_T_COUNT, false);
	assert_string_equal(print_map(&b, &map, keys, values, 4, 3, 0),
			    "@[a]: 3\n@[c]: 3\n@[b]: 18446744073709551615\n");
	bench_done(&b);
}

static void test_sorted_by_key(void **state)
{
	int64_t keys[] = {3, -2, 1};
	char values[][4] = {"x", "y", "z"};
	struct {
		char name[8];
		int64_t n;
	} pairs[] = {{"b", 1}, {"a", 2}, {"a", -1}};
	struct bench b;

	bench_init(&b);
	struct skep_trace_map map = map_of("@", &skep_type_s64, string_type(&b, 4));
	assert_string_equal(print_map(&b, &map, keys, values, 3, 0, 0),
			    "@[-2]: y\n@[1]: z\n@[3]: x\n");
	map.key = pair(&b, string_type(&b, 8), &skep_type_s64);
	assert_string_equal(print_map(&b, &map, pairs, values, 3, 0, 0),
			    "@[a, -1]: z\n@[a, 2]: y\n@[b, 1]: x\n");
	bench_done(&b);
}

/* --- Aggregates ------------------------------------------------------------------------------ */

static void test_averages(void **state)
{
	char keys[][2] = {"b", "a", "d", "c"};
	uint64_t values[][2] = {{20, 1}, {10, 1}, {80, 2}, {30, 1}};
	struct bench b;

	bench_init(&b);
	struct skep_trace_map map =
		map_of("@", string_type(&b, 2), skep_type_agg(&b.program.types, SKEP_T_AVG, false));
	assert_string_equal(print_map(&b, &map, keys, values, 4, 2, 10), "@[c]: 3\n@[d]: 4\n");
	assert_string_equal(print_map(&b, &map, keys, values, 4, 10, 10),
			    "@[a]: 1\n@[b]: 2\n@[c]: 3\n@[d]: 4\n");
	b.out.json = true;
	assert_string_equal(print_map(&b, &map, keys, values, 4, 2, 10),
			    "{\"type\": \"stats\", \"data\": {\"@\": {\"c\": 3, \"d\": 4}}}\n");
	bench_done(&b);
}

static void test_stats(void **state)
{
	char keys[][8] = {"zsh", "curl"};
	uint64_t values[][2] = {{10, 1}, {2, 1}}, one[] = {12, 2};
	int64_t negative[] = {-10, 3};
	struct bench b;

	bench_init(&b);
	struct skep_trace_map map =
		map_of("@stats", NULL, skep_type_agg(&b.program.types, SKEP_T_STATS, true));
	assert_string_equal(print_map(&b, &map, NULL, negative, 1, 0, 0),
			    "@stats: { .count = 3, .average = -3, .total = -10 }\n");
	b.out.json = true;
	assert_string_equal(print_map(&b, &map, NULL, one, 1, 0, 0),
			    "{\"type\": \"stats\", \"data\": {\"@stats\": "
			    "{\"count\": 2, \"average\": 6, \"total\": 12}}}\n");
	map.key = string_type(&b, 8);
	assert_string_equal(print_map(&b, &map, keys, values, 2, 0, 0),
			    "{\"type\": \"stats\", \"data\": {\"@stats\": "
			    "{\"curl\": {\"count\": 1, \"average\": 2, \"total\": 2}, "
			    "\"zsh\": {\"count\": 1, \"average\": 10, \"total\": 10}}}}\n");
	bench_done(&b);
}

static void test_min_max_sum(void **state)
{
	int64_t extremes[][2] = {{-7, 1}, {5, 1}, {0, 0}}, keys[] = {1, 2, 3}, sum = -12;
	struct bench b;

	bench_init(&b);
	struct skep_trace_map map =
		map_of("@m", &skep_type_s64, skep_type_agg(&b.program.types, SKEP_T_MIN, true));
	assert_string_equal(print_map(&b, &map, keys, extremes, 3, 0, 0),
			    "@m[1]: -7\n@m[3]: 0\n@m[2]: 5\n");
	map = map_of("@s", NULL, skep_type_agg(&b.program.types, SKEP_T_SUM, true));
	assert_string_equal(print_map(&b, &map, NULL, &sum, 1, 0, 5), "@s: -2\n");
	bench_done(&b);
}

/* --- Histograms ------------------------------------------------------------------------------ */

#define FULL "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"
#define HALF "@@@@@@@@@@@@@@@@@@@@@@@@@@                          "
#define NONE "                                                    "

static void test_hist(void **state)
{
	uint64_t counts[66] = {[0] = 1, [3] = 2, [4] = 1, [6] = 1};
	struct bench b;

	bench_init(&b);
	struct skep_trace_map map = map_of("@", NULL, skep_type_hist(&b.program.types, 0));
	assert_string_equal(print_map(&b, &map, NULL, counts, 1, 0, 0),
			    "@:\n"
			    "(..., 0)               1 |" HALF "|\n"
			    "[0]                    0 |" NONE "|\n"
			    "[1]                    0 |" NONE "|\n"
			    "[2, 4)                 2 |" FULL "|\n"
			    "[4, 8)                 1 |" HALF "|\n"
			    "[8, 16)                0 |" NONE "|\n"
			    "[16, 32)               1 |" HALF "|\n\n");
	b.out.json = true;
	assert_string_equal(print_map(&b, &map, NULL, counts, 1, 0, 0),
			    "{\"type\": \"hist\", \"data\": {\"@\": ["
			    "{\"max\": -1, \"count\": 1},"
			    "{\"min\": 0, \"max\": 0, \"count\": 0},"
			    "{\"min\": 1, \"max\": 1, \"count\": 0},"
			    "{\"min\": 2, \"max\": 3, \"count\": 2},"
			    "{\"min\": 4, \"max\": 7, \"count\": 1},"
			    "{\"min\": 8, \"max\": 15, \"count\": 0},"
			    "{\"min\": 16, \"max\": 31, \"count\": 1}]}}\n");
	bench_done(&b);
}

static void test_keyed_hist(void **state)
{
	uint64_t counts[2][66] = {{[12] = 30}, {[5] = 1}};
	struct {
		char name[8];
		int64_t n;
	} keys[] = {{"curl", 3}, {"bpf", 2}};
	struct bench b;

	bench_init(&b);
	struct skep_trace_map map = map_of("@x", pair(&b, string_type(&b, 8), &skep_type_s64),
					   skep_type_hist(&b.program.types, 0));
	/* By total; divided counts. */
	assert_string_equal(print_map(&b, &map, keys, counts, 2, 0, 10),
			    "@x[bpf, 2]:\n"
			    "[8, 16)                0 |" NONE "|\n\n"
			    "@x[curl, 3]:\n"
			    "[1K, 2K)               3 |" FULL "|\n\n");
	b.out.json = true;
	assert_string_equal(print_map(&b, &map, keys, counts, 2, 0, 0),
			    "{\"type\": \"hist\", \"data\": {\"@x\": {"
			    "\"bpf,2\": [{\"min\": 8, \"max\": 15, \"count\": 1}], "
			    "\"curl,3\": [{\"min\": 1024, \"max\": 2047, \"count\": 30}]}}}\n");
	bench_done(&b);
}

static void test_empty_hist(void **state)
{
	uint64_t counts[66] = {0};
	struct bench b;

	bench_init(&b);
	struct skep_trace_map map = map_of("@hist", NULL, skep_type_hist(&b.program.types, 0));
	assert_string_equal(print_map(&b, &map, NULL, counts, 1, 0, 0), "@hist:\n\n");
	assert_string_equal(print_map(&b, &map, NULL, counts, 0, 0, 0), "");
	b.out.json = true;
	assert_string_equal(print_map(&b, &map, NULL, counts, 1, 0, 0),
			    "{\"type\": \"hist\", \"data\": {\"@hist\": []}}\n");
	bench_done(&b);
}

static void test_lhist(void **state)
{
	uint64_t counts[] = {1, 0, 2, 0, 1, 0, 1}, tens[12] = {[1] = 1, [6] = 1, [11] = 1};
	struct bench b;

	bench_init(&b);
	struct skep_trace_map map = map_of("@", NULL, skep_type_lhist(&b.program.types, 0, 10, 2));
	assert_string_equal(print_map(&b, &map, NULL, counts, 1, 0, 0),
			    "@:\n"
			    "(..., 0)               1 |" HALF "|\n"
			    "[0, 2)                 0 |" NONE "|\n"
			    "[2, 4)                 2 |" FULL "|\n"
			    "[4, 6)                 0 |" NONE "|\n"
			    "[6, 8)                 1 |" HALF "|\n"
			    "[8, 10)                0 |" NONE "|\n"
			    "[10, ...)              1 |" HALF "|\n\n");
	b.out.json = true;
	map = map_of("@h", NULL, skep_type_lhist(&b.program.types, 0, 100, 10));
	const char *got = print_map(&b, &map, NULL, tens, 1, 0, 0);
	assert_non_null(strstr(got, "[{\"min\": 0, \"max\": 9, \"count\": 1},{\"min\": 10"));
	assert_non_null(strstr(got, "{\"min\": 90, \"max\": 99, \"count\": 0},"
				    "{\"min\": 100, \"count\": 1}]}}\n"));
	bench_done(&b);
}

/* --- Stacks as keys -------------------------------------------------------------------------- */

static int three_frames(void *ctx, bool user, uint32_t stack_id, uint64_t *ret, uint32_t max)
{
	assert_int_equal(stack_id, 7);
	for (uint32_t i = 0; i < 3 && i < max; i++)
		ret[i] = 0x1000 * (i + 1);
	return 3;
}

static void test_stack_keys(void **state)
{
	struct skep_stack_key key = {.stack_id = 7, .pid = 0}, failed = {.stack_id = UINT32_MAX};
	uint64_t count = 5;
	struct bench b;

	bench_init(&b);
	b.out.stack = three_frames;
	struct skep_trace_map map =
		map_of("@", skep_type_stack(&b.program.types, false, SKEP_STACK_BPFTRACE, 127),
		       skep_type_agg(&b.program.types, SKEP_T_COUNT, false));
	assert_string_equal(print_map(&b, &map, &key, &count, 1, 0, 0),
			    "@[\n        0x1000\n        0x2000\n        0x3000\n]: 5\n");
	assert_string_equal(print_map(&b, &map, &failed, &count, 1, 0, 0), "@[\n]: 5\n");
	b.out.json = true;
	assert_string_equal(print_map(&b, &map, &key, &count, 1, 0, 0),
			    "{\"type\": \"map\", \"data\": {\"@\": "
			    "{\"\\n0x1000\\n0x2000\\n0x3000\\n\": 5}}}\n");
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_unset_scalars),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_nested_keys),
		cmocka_unit_test(test_sorted_by_value),
		cmocka_unit_test(test_sorted_by_key),
		cmocka_unit_test(test_averages),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_min_max_sum),
		cmocka_unit_test(test_hist),
		cmocka_unit_test(test_keyed_hist),
		cmocka_unit_test(test_empty_hist),
		cmocka_unit_test(test_lhist),
		cmocka_unit_test(test_stack_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
