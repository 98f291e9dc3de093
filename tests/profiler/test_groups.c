/* Paths of control groups by their ids: groups of this machine, made for it and removed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/impl.h"

#define STRANGERS 20000u /* more than are remembered */

struct made {
	struct skep_groups groups;
	char name[64], path[160];
	uint64_t id;
};

static int setup(void **state)
{
	static struct made made;
	struct stat info;

	skep_groups_init(&made.groups);
	snprintf(made.name, sizeof(made.name), "/skep-test-%d", (int)getpid());
	snprintf(made.path, sizeof(made.path), "%s%s", made.groups.root, made.name);
	*state = NULL;
	if (made.groups.root_fd < 0 || mkdir(made.path, 0700) || stat(made.path, &info))
		return 0;
	made.id = info.st_ino;
	*state = &made;
	return 0;
}

static int teardown(void **state)
{
	struct made *made = *state;

	if (!made)
		return 0;
	rmdir(made->path);
	skep_groups_done(&made->groups);
	return 0;
}

static struct made *need(void **state)
{
	if (!*state)
		skip(); /* no control groups of version 2, or none may be made */
	return *state;
}

static void test_paths(void **state)
{
	struct made *made = need(state);
	struct stat root;

	assert_int_equal(stat(made->groups.root, &root), 0);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(skep_groups_path(&made->groups, made->id), made->name);
		assert_string_equal(skep_groups_path(&made->groups, root.st_ino), "/");
	}
	assert_int_equal(made->groups.of.len, 2);
}

/* However many there are, memory is bounded, and each has its own path. */
static void test_many(void **state)
{
	struct made *made = need(state);

	for (uint32_t i = 0; i < STRANGERS; i++) {
		assert_string_equal(skep_groups_path(&made->groups, UINT64_MAX - i), "");
		assert_string_equal(skep_groups_path(&made->groups, made->id), made->name);
		assert_true(made->groups.of.len < SKEP_GROUPS_SLOTS);
	}
}

/* What could not be asked for once is asked for again. */
static void test_no_descriptors(void **state)
{
	struct made *made = need(state);
	struct rlimit before, none = {.rlim_cur = 0};

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_string_equal(skep_groups_path(&made->groups, made->id), "");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_string_equal(skep_groups_path(&made->groups, made->id), made->name);
}

static void test_removed(void **state)
{
	struct made *made = need(state);

	assert_int_equal(rmdir(made->path), 0);
	assert_string_equal(skep_groups_path(&made->groups, made->id), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_removed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
