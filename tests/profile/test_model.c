/* The model: what is equal is kept once; and the shapes that are made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skep/diag.h>

#include "profile/shape.h"
#include "profile_test.h"

static uint32_t push(struct skep_profile *p, uint32_t parent, const char *name, uint8_t kind)
{
	struct skep_profile_frame frame = {.name = skep_profile_text(p, name), .kind = kind};

	return skep_profile_node(p, parent, skep_profile_frame(p, &frame));
}

static void add(struct skep_profile *p, uint32_t node, uint32_t pid, const char *comm,
		int64_t value)
{
	struct skep_profile_sample sample = {
		node, pid, pid + 1, skep_profile_text(p, comm), {value}};

	skep_profile_add(p, &sample);
}

static void start(struct skep_profile *p)
{
	skep_profile_init(p);
	assert_int_equal(skep_profile_add_type(p, "samples", "count"), 0);
}

static void assert_dump(const struct skep_profile *p, const char *want)
{
	_cleanup_buf_ struct skep_buf buf = {0};
	const char *samples;

	profile_dump(p, &buf);
	samples = strstr(buf.data, "sample ");
	assert_string_equal(samples ? samples : "", want);
}

static void test_equal_is_once(void **state)
{
	struct skep_profile p;

	start(&p);
	for (int round = 0; round < 3; round++) {
		uint32_t a = push(&p, 0, "a", 0), b = push(&p, a, "b", 0);
		assert_int_not_equal(a, b);
		assert_true(p.nodes[b].parent == a && a < b);
		add(&p, b, 7, "x", 5);
		add(&p, a, 7, "x", 1);
	}
	assert_int_equal(p.n_nodes, 3);
	assert_int_equal(p.n_frames, 3);
	assert_int_equal(p.n_samples, 2);
	assert_int_equal(p.samples[0].values[0], 15);
	assert_int_equal(skep_profile_total(&p, 0), 18);
	assert_int_equal(push(&p, 0, "a", SKEP_FRAME_KERNEL), 3);
	add(&p, 1, 8, "x", 1);
	add(&p, 1, 7, "y", 1);
	assert_int_equal(p.n_samples, 4);
	skep_profile_done(&p);
}

/* Many: the sets grow, and find everything again. */
static void test_many(void **state)
{
	struct skep_profile p;
	uint32_t node = 0;
	char name[16];

	start(&p);
	for (int round = 0; round < 2; round++, node = 0) {
		for (unsigned i = 0; i < 20000; i++) {
			snprintf(name, sizeof(name), "f%u", i);
			node = push(&p, node, name, 0);
			assert_int_equal(node, i + 1);
			add(&p, node, i, "c", 1);
		}
	}
	assert_int_equal(p.n_samples, 20000);
	assert_int_equal(skep_profile_total(&p, 0), 40000);
	skep_profile_done(&p);
}

static void test_limits(void **state)
{
	size_t len = (1u << 20) + 100;
	char *text = malloc(len);
	struct skep_profile p;

	assert_non_null(text);
	memset(text, 'x', len);
	start(&p);
	assert_int_equal(strlen(p.strings[skep_profile_string(&p, text, len)]), 1u << 20);
	free(text);
	assert_string_equal(p.strings[skep_profile_string(&p, "ab\0c", 4)], "ab");
	assert_int_equal(skep_profile_text(&p, ""), 0);
	add(&p, 0, 1, "x", INT64_MAX);
	add(&p, 0, 1, "x", INT64_MAX);
	assert_true(p.samples[0].values[0] == INT64_MAX);
	add(&p, 0, 2, "x", 5);
	assert_true(skep_profile_total(&p, 0) == INT64_MAX);
	assert_true(skep_profile_sum(INT64_MIN, -1) == INT64_MIN);
	assert_int_equal(skep_profile_add_type(&p, "late", "count"), -E2BIG);
	skep_profile_done(&p);
}

static void test_losses_and_builds(void **state)
{
	struct skep_profile p;

	start(&p);
	skep_profile_lose(&p, "maps full", 2);
	skep_profile_lose(&p, "other", 1);
	skep_profile_lose(&p, "maps full", 3);
	assert_int_equal(p.n_losses, 2);
	assert_int_equal(p.losses[0].n, 5);
	skep_profile_lose(&p, "other", UINT64_MAX);
	assert_true(p.losses[1].n == UINT64_MAX);
	skep_profile_str a = skep_profile_text(&p, "/a"), b = skep_profile_text(&p, "/b");
	skep_profile_set_build(&p, a, skep_profile_text(&p, "11"));
	skep_profile_set_build(&p, a, skep_profile_text(&p, "22"));
	assert_string_equal(p.strings[skep_profile_build(&p, a)], "22");
	assert_int_equal(skep_profile_build(&p, b), 0);
	skep_profile_done(&p);
	skep_profile_done(&p); /* what is done with has nothing to free */
}

static void shaped(const struct skep_profile *p, struct skep_profile_shape shape, const char *want)
{
	struct skep_profile made;

	skep_profile_shaped(p, &shape, &made);
	assert_dump(&made, want);
	skep_profile_done(&made);
}

static void test_roots(void **state)
{
	struct skep_profile p;

	start(&p);
	add(&p, push(&p, 0, "main", 0), 7, "x y", 5);
	shaped(&p, (struct skep_profile_shape){0},
	       "sample 0/0  5\n  main [ ] :0 0x0 0\n  x y [ ] :0 0x0 5\n");
	shaped(&p, (struct skep_profile_shape){.root = SKEP_PROFILE_ROOT_PID},
	       "sample 0/0  5\n  main [ ] :0 0x0 0\n  x y-7 [ ] :0 0x0 5\n");
	shaped(&p, (struct skep_profile_shape){.root = SKEP_PROFILE_ROOT_THREAD},
	       "sample 0/0  5\n  main [ ] :0 0x0 0\n  x y-7/8 [ ] :0 0x0 5\n");
	shaped(&p, (struct skep_profile_shape){.root = SKEP_PROFILE_ROOT_NONE},
	       "sample 0/0  5\n  main [ ] :0 0x0 0\n");
	skep_profile_done(&p);
}

/* A stack that has its process already keeps it; nothing known of it: no frame. */
static void test_own_root(void **state)
{
	struct skep_profile p;

	start(&p);
	add(&p, push(&p, push(&p, 0, "mine", SKEP_FRAME_PROCESS), "main", 0), 7, "x", 5);
	add(&p, push(&p, 0, "b", 0), 0, "", 1);
	shaped(&p, (struct skep_profile_shape){0},
	       "sample 0/0  5\n  main [ ] :0 0x0 0\n  mine [ ] :0 0x0 5\n"
	       "sample 0/0  1\n  b [ ] :0 0x0 0\n");
	skep_profile_done(&p);
}

static void test_inverted(void **state)
{
	struct skep_profile p;

	start(&p);
	add(&p, push(&p, push(&p, 0, "main", 0), "f", 0), 7, "x", 5);
	add(&p, 0, 7, "x", 0);
	shaped(&p, (struct skep_profile_shape){.is_inverted = true},
	       "sample 0/0  5\n  x [ ] :0 0x0 5\n  main [ ] :0 0x0 0\n  f [ ] :0 0x0 0\n");
	skep_profile_done(&p);
}

/* One function has many places; unknown ones can be told apart. */
static void test_by_function(void **state)
{
	struct skep_profile p;
	struct skep_profile_frame f = {.addr = 0x10, .line = 3};

	start(&p);
	f.name = skep_profile_text(&p, "[a]");
	add(&p, skep_profile_node(&p, 0, skep_profile_frame(&p, &f)), 0, "", 1);
	f.addr = 0x20;
	add(&p, skep_profile_node(&p, 0, skep_profile_frame(&p, &f)), 0, "", 1);
	assert_int_equal(p.n_samples, 2);
	shaped(&p, (struct skep_profile_shape){.by_function = true},
	       "sample 0/0  2\n  [a] [ ] :0 0x0 0\n");
	shaped(&p, (struct skep_profile_shape){.by_function = true, .has_addresses = true},
	       "sample 0/0  1\n  [a <10>] [ ] :0 0x0 0\nsample 0/0  1\n  [a <20>] [ ] :0 0x0 0\n");
	skep_profile_done(&p);
}

/* Lines of one function are told apart by its name, if that is asked for and they are known. */
static void test_by_line(void **state)
{
	const struct skep_profile_shape by_line = {.by_function = true, .by_line = true};
	struct skep_profile p;
	struct skep_profile_frame f = {.addr = 0x10, .line = 3};

	start(&p);
	f.name = skep_profile_text(&p, "f");
	f.file = skep_profile_text(&p, "/src/a.c");
	add(&p, skep_profile_node(&p, 0, skep_profile_frame(&p, &f)), 0, "", 1);
	f.addr = 0x20;
	add(&p, skep_profile_node(&p, 0, skep_profile_frame(&p, &f)), 0, "", 2);
	f.line = 4;
	add(&p, skep_profile_node(&p, 0, skep_profile_frame(&p, &f)), 0, "", 4);
	f.line = 0;
	add(&p, skep_profile_node(&p, 0, skep_profile_frame(&p, &f)), 0, "", 8);
	shaped(&p, by_line,
	       "sample 0/0  3\n  f a.c:3 [ ] :0 0x0 0\nsample 0/0  4\n  f a.c:4 [ ] :0 0x0 0\n"
	       "sample 0/0  8\n  f [ ] :0 0x0 0\n");
	skep_profile_done(&p);
}

static void test_diff(void **state)
{
	struct skep_profile a, b, diff;

	start(&a);
	start(&b);
	add(&a, push(&a, 0, "f", 0), 1, "x", 5);
	add(&b, push(&b, 0, "g", 0), 2, "x", 7);
	add(&b, push(&b, 0, "f", 0), 2, "x", 9);
	skep_profile_lose(&a, "one", 1);
	skep_profile_lose(&b, "one", 2);
	assert_int_equal(skep_profile_diff(&a, &b, NULL, &diff, NULL), 0);
	assert_true(diff.is_diff);
	assert_int_equal(diff.losses[0].n, 3);
	assert_dump(&diff, "sample 0/0  5 9\n  f [ ] :0 0x0 0\n  x [ ] :0 0x0 5\n"
			   "sample 0/0  0 7\n  g [ ] :0 0x0 0\n  x [ ] :0 0x0 5\n");
	skep_profile_done(&a);
	skep_profile_done(&b);
	skep_profile_done(&diff);
}

/* The same library elsewhere, and code made at run time by another process. */
static void test_diff_modules(void **state)
{
	struct skep_profile sides[2], diff;

	for (int i = 0; i < 2; i++) {
		struct skep_profile *p = &sides[i];
		struct skep_profile_frame lib = {.line = i + 1};
		struct skep_profile_frame jit = {.kind = SKEP_FRAME_JIT};
		start(p);
		lib.name = skep_profile_text(p, "f");
		lib.module = skep_profile_text(p, i ? "/opt/x/lib.so" : "/usr/lib.so");
		jit.name = skep_profile_text(p, "g");
		jit.module = skep_profile_text(p, i ? "/tmp/perf-1.map" : "/tmp/perf-2.map");
		uint32_t node = skep_profile_node(p, 0, skep_profile_frame(p, &lib));
		add(p, skep_profile_node(p, node, skep_profile_frame(p, &jit)), 0, "", 1);
	}
	assert_int_equal(skep_profile_diff(&sides[0], &sides[1], NULL, &diff, NULL), 0);
	assert_dump(&diff, "sample 0/0  1 1\n  g [[jit] ] :0 0x0 3\n  f [lib.so ] :0 0x0 0\n");
	skep_profile_done(&sides[0]);
	skep_profile_done(&sides[1]);
	skep_profile_done(&diff);
}

static void test_diff_refused(void **state)
{
	struct skep_profile a, b, diff = {0};
	_cleanup_diag_ struct skep_diag diag = {0};

	start(&a);
	skep_profile_init(&b);
	skep_profile_add_type(&b, "cpu", "nanoseconds");
	assert_int_equal(skep_profile_diff(&a, &b, NULL, &diff, &diag), -EINVAL);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_PROFILE_UNITS);
	assert_int_equal(skep_profile_diff(&a, &b, "cpu", &diff, &diag), -ENOENT);
	assert_int_equal(diag.items[1].id, SKEP_DIAG_PROFILE_TYPE);
	assert_non_null(strstr(diag.items[1].why, "there is samples (count)"));
	assert_null(diff.index);
	skep_profile_done(&a);
	skep_profile_done(&b);
}

/* Each has a name: those that nobody named are not frame 0, which is none. */
static void test_nameless(void **state)
{
	struct skep_profile_frame known = {.addr = 0x12ab};
	struct skep_profile p;

	start(&p);
	uint32_t node = push(&p, 0, "", 0);
	assert_int_equal(node, 1);
	assert_int_equal(push(&p, 0, "[unknown]", 0), 1);
	add(&p, skep_profile_node(&p, node, skep_profile_frame(&p, &known)), 0, "", 1);
	assert_dump(&p, "sample 0/1  1\n  0x12ab [ ] :0 0x12ab 0\n  [unknown] [ ] :0 0x0 0\n");
	skep_profile_done(&p);
}

static void start_of(struct skep_profile *p, const char *first, const char *second)
{
	start(p);
	p->n_types = 0;
	skep_profile_add_type(p, first, strcmp(first, "cpu") ? "count" : "nanoseconds");
	if (second)
		skep_profile_add_type(p, second, strcmp(second, "cpu") ? "count" : "nanoseconds");
	struct skep_profile_sample sample = {push(p, 0, "f", 0), 0, 0, 0, {10, 20}};
	skep_profile_add(p, &sample);
}

static void assert_compared(const char *const *before, const char *const *now, const char *value,
			    const char *want)
{
	struct skep_profile a, b, diff;
	char got[64];

	start_of(&a, before[0], before[1]);
	start_of(&b, now[0], now[1]);
	assert_int_equal(skep_profile_diff(&a, &b, value, &diff, NULL), 0);
	snprintf(got, sizeof(got), "%s %s %ld %ld", diff.strings[diff.title],
		 diff.strings[diff.types[0].unit], diff.samples[0].values[0],
		 diff.samples[0].values[1]);
	assert_string_equal(got, want);
	skep_profile_done(&a);
	skep_profile_done(&b);
	skep_profile_done(&diff);
}

/* Compared is what is asked for, or what both have; and it is said. */
static void test_diff_types(void **state)
{
	static const char *const cpu_samples[] = {"cpu", "samples"},
				 *const samples[] = {"samples", 0},
				 *const samples_cpu[] = {"samples", "cpu"},
				 *const cycles[] = {"cycles", 0};

	assert_compared(cpu_samples, samples, NULL, "samples count 20 10");
	assert_compared(samples, cpu_samples, NULL, "samples count 10 20");
	assert_compared(cpu_samples, samples_cpu, NULL, "cpu nanoseconds 10 20");
	assert_compared(cpu_samples, samples_cpu, "samples", "samples count 20 10");
	assert_compared(cycles, samples, NULL, "cycles and samples count 10 10");
}

/* A part of a profile is as the whole is, but for what was lost. */
static void test_part(void **state)
{
	static const uint32_t which[] = {1};
	struct skep_profile p;

	start(&p);
	add(&p, push(&p, 0, "a", 0), 0, "", 5);
	add(&p, push(&p, push(&p, 0, "b", 0), "c", 0), 7, "", 6);
	skep_profile_lose(&p, "x", 1);
	shaped(&p,
	       (struct skep_profile_shape){
		       .which = which, .n_which = 1, .root = SKEP_PROFILE_ROOT_NONE},
	       "sample 0/0  6\n  c [ ] :0 0x0 0\n  b [ ] :0 0x0 0\n");
	skep_profile_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_is_once), cmocka_unit_test(test_many),
		cmocka_unit_test(test_limits),        cmocka_unit_test(test_losses_and_builds),
		cmocka_unit_test(test_roots),         cmocka_unit_test(test_own_root),
		cmocka_unit_test(test_inverted),      cmocka_unit_test(test_by_function),
		cmocka_unit_test(test_by_line),       cmocka_unit_test(test_diff),
		cmocka_unit_test(test_diff_refused),  cmocka_unit_test(test_diff_modules),
		cmocka_unit_test(test_nameless),      cmocka_unit_test(test_diff_types),
		cmocka_unit_test(test_part),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
