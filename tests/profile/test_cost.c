/*
 * What is done of each of many is done once: what would be of all for each is counted, by functions
 * that stand before the real ones (the linker's --wrap), since how long it takes would tell little.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "profile/format.h"
#include "profile/tree.h"
#include "profile_test.h"

#define MANY 20000

static uint64_t cleared_bytes, looked_at;

void *__real_skep_xcalloc(size_t n, size_t size);
void *__wrap_skep_xcalloc(size_t n, size_t size);
uint32_t __real_skep_profile_tree_heavy(const struct skep_profile_tree *tree, uint32_t node,
					double least);
uint32_t __wrap_skep_profile_tree_heavy(const struct skep_profile_tree *tree, uint32_t node,
					double least);

void *__wrap_skep_xcalloc(size_t n, size_t size)
{
	cleared_bytes += n * size;
	return __real_skep_xcalloc(n, size);
}

uint32_t __wrap_skep_profile_tree_heavy(const struct skep_profile_tree *tree, uint32_t node,
					double least)
{
	uint32_t n = __real_skep_profile_tree_heavy(tree, node, least);

	looked_at += n;
	return n;
}

/* Each sample is of a thread, a name and a function of its own. */
static void many_threads(struct skep_profile *p)
{
	char name[32];

	skep_profile_init(p);
	skep_profile_add_type(p, "samples", "count");
	for (uint32_t i = 0; i < MANY; i++) {
		struct skep_profile_frame frame = {0};
		struct skep_profile_sample sample = {.pid = i + 1, .tid = i + 1, .values = {1}};
		snprintf(name, sizeof(name), "f%u", i);
		frame.name = skep_profile_text(p, name);
		sample.comm = skep_profile_text(p, name);
		sample.node = skep_profile_node(p, 0, skep_profile_frame(p, &frame));
		skep_profile_add(p, &sample);
	}
}

static void test_threads(void **state)
{
	struct skep_profile p;

	many_threads(&p);
	for (unsigned i = 0; i < SKEP_PROFILE_FORMAT_CNT; i++) {
		enum skep_profile_format format = (enum skep_profile_format)i;
		_cleanup_buf_ struct skep_buf buf = {0};
		cleared_bytes = 0;
		if (skep_profile_format_info(format)->is_written)
			assert_int_equal(skep_profile_write(&p, format, NULL, &buf, NULL), 0);
		assert_true(cleared_bytes < MANY * 8192ull);
	}
	skep_profile_done(&p);
}

static void test_siblings(void **state)
{
	struct skep_profile p;
	_cleanup_buf_ struct skep_buf buf = {0};

	many_threads(&p);
	looked_at = 0;
	assert_int_equal(skep_profile_write(&p, SKEP_PROFILE_TREE, NULL, &buf, NULL), 0);
	assert_int_equal(looked_at, 2 * MANY); /* processes, and what each calls */
	skep_profile_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_siblings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
