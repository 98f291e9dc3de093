/*
 * Following processes: mappings added one by one, against a plain map of pages;
 * what forks, executions and later mappings leave; the bounds; records that
 * make no sense; and a real process that ended before it was asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <skep/symbol.h>

#include "linux/perfring.h"
#include "symbol/usyms.h"
#include "symbol/watch.h"

/* No process has such a pid: the kernel's limit is 2^22. */
#define NOBODY 5000000
#define PAGES  64

/* --- Mappings ------------------------------------------------------------------------------- */

static struct skep_mapping mapping(uint64_t start, uint64_t end)
{
	return (struct skep_mapping){.start = start, .end = end, .off = start * 10, .inode = 7};
}

static void check_pages(const struct skep_maps *maps, const int *owner)
{
	for (uint64_t page = 0; page < PAGES; page++) {
		const struct skep_mapping *m = skep_maps_find(maps, page);
		char name[16];

		assert_int_equal(m != NULL, owner[page] != 0);
		if (!m)
			continue;
		snprintf(name, sizeof(name), "/f%d", owner[page] % 5);
		assert_string_equal(maps->paths + m->path, name);
		assert_int_equal(m->dev, owner[page]);
	}
}

/* Random mappings over each other: every page belongs to the last that took it. */
static void test_add(void **state)
{
	struct skep_maps maps = {0};
	int owner[PAGES] = {0};
	unsigned seed = 4711;

	for (int i = 1; i < 2000; i++) {
		uint64_t start = (uint64_t)rand_r(&seed) % PAGES;
		uint64_t end = start + 1 + (uint64_t)rand_r(&seed) % 9;
		struct skep_mapping m = mapping(start, end);
		char path[16];
		m.dev = (uint32_t)i;
		snprintf(path, sizeof(path), "/f%d", i % 5);
		assert_non_null(skep_maps_add(&maps, &m, path));
		for (uint64_t page = start; page < end && page < PAGES; page++)
			owner[page] = i;
		check_pages(&maps, owner);
	}
	skep_maps_done(&maps);
}

/* What is cut at its front begins further on in the file. */
static void test_add_cuts(void **state)
{
	struct skep_maps maps = {0};
	struct skep_mapping whole = mapping(0x1000, 0x5000), hole = mapping(0x2000, 0x3000);

	whole.off = 0x100000;
	assert_non_null(skep_maps_add(&maps, &whole, "/whole"));
	assert_non_null(skep_maps_add(&maps, &hole, ""));
	assert_int_equal(maps.n, 3);
	assert_int_equal(maps.data[0].end, 0x2000);
	assert_int_equal(maps.data[2].start, 0x3000);
	assert_int_equal(maps.data[2].off, 0x102000);
	assert_string_equal(maps.paths + maps.data[1].path, "");
	assert_string_equal(maps.paths + maps.data[2].path, "/whole");
	assert_null(skep_maps_add(&maps, &(struct skep_mapping){.start = 5, .end = 5}, "/empty"));
	skep_maps_done(&maps);
}

static void test_add_bound(void **state)
{
	struct skep_maps maps = {0};
	uint64_t n = 0;
	struct skep_mapping m;

	do {
		m = mapping(2 * n, 2 * n + 1);
		n++;
	} while (skep_maps_add(&maps, &m, "/x"));
	assert_true(maps.n <= SKEP_MAPS_MAX_ADDED);
	skep_maps_done(&maps);
}

/* --- Processes -------------------------------------------------------------------------------- */

static const char *module_at(struct skep_usyms *syms, pid_t pid, uint64_t addr)
{
	struct skep_symbol sym = {0};

	return skep_usyms_lookup(syms, pid, addr, &sym) ? NULL : sym.module;
}

static void map(struct skep_usyms *syms, pid_t pid, uint64_t start, const char *path)
{
	struct skep_mapping m = mapping(start, start + 0x1000);

	m.inode = 0;
	skep_usyms_on_map(syms, pid, &m, path);
}

static void test_fork_and_exec(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);

	syms->followed = true;
	map(syms, NOBODY, 0x1000, "one");
	skep_usyms_on_fork(syms, NOBODY + 1, NOBODY);
	map(syms, NOBODY, 0x3000, "late");
	assert_string_equal(module_at(syms, NOBODY + 1, 0x1800), "one");
	assert_null(module_at(syms, NOBODY + 1, 0x3800));
	skep_usyms_on_exec(syms, NOBODY + 1);
	map(syms, NOBODY + 1, 0x1000, "two");
	assert_string_equal(module_at(syms, NOBODY + 1, 0x1800), "two");
	assert_string_equal(module_at(syms, NOBODY, 0x1800), "one");
	skep_usyms_on_fork(syms, NOBODY + 1, NOBODY + 1); /* a thread changes nothing */
	assert_string_equal(module_at(syms, NOBODY + 1, 0x1800), "two");
	assert_int_equal(skep_usyms_dropped(syms), 0);
	skep_usyms_free(syms);
}

static void test_bounds(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);
	uint32_t more = 100;

	syms->followed = true;
	for (uint32_t i = 0; i < SKEP_USYMS_MAX_PROCESSES + more; i++)
		map(syms, (pid_t)(NOBODY + i), 0x1000, "x");
	assert_int_equal(skep_usyms_dropped(syms), more);
	assert_null(module_at(syms, NOBODY, 0x1800));
	assert_non_null(module_at(syms, (pid_t)(NOBODY + more), 0x1800));
	for (uint64_t i = 0; i < 2 * SKEP_MAPS_MAX_ADDED; i++)
		map(syms, NOBODY, i << 13, "y");
	assert_true(skep_usyms_dropped(syms) >= more + SKEP_MAPS_MAX_ADDED);
	assert_true(syms->followed_bytes <= SKEP_USYMS_MAX_FOLLOWED);
	skep_usyms_free(syms);
}

/* Room is made by who was used least recently: a shell outlives thousands of its children. */
static void test_used_last(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);

	syms->followed = true;
	map(syms, NOBODY, 0x1000, "shell");
	for (int i = 1; i <= SKEP_USYMS_MAX_PROCESSES + 1; i++)
		skep_usyms_on_fork(syms, NOBODY + i, NOBODY);
	assert_int_equal(skep_usyms_dropped(syms), 2);
	assert_string_equal(module_at(syms, NOBODY, 0x1800), "shell");
	assert_null(module_at(syms, NOBODY + 2, 0x1800));
	assert_string_equal(module_at(syms, NOBODY + 3, 0x1800), "shell");
	map(syms, NOBODY - 1, 0x1000, "x");
	assert_string_equal(module_at(syms, NOBODY + 3, 0x1800), "shell");
	assert_null(module_at(syms, NOBODY + 4, 0x1800));
	skep_usyms_free(syms);
}

/* --- Records --------------------------------------------------------------------------------- */

static void test_bad_records(void **state)
{
	static const uint32_t types[] = {PERF_RECORD_MMAP2, PERF_RECORD_COMM, PERF_RECORD_FORK,
					 PERF_RECORD_EXIT,  PERF_RECORD_LOST, 1000};
	struct skep_usyms *syms = skep_usyms_new(true);
	uint64_t data[16];

	syms->followed = true;
	memset(data, 0x7f, sizeof(data)); /* no path of it ends */
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		for (size_t size = 0; size <= sizeof(data); size += 8) {
			struct skep_perf_record record = {
				.type = types[i], .misc = 0xffff, .data = data, .size = size};
			skep_watch_record(syms, 0, &record);
		}
	}
	assert_int_equal(syms->followed_bytes, 0);
	skep_usyms_free(syms);
}

/* --- The kernel's ---------------------------------------------------------------------------- */

static void finish_child(struct skep_watch *watch, pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	skep_watch_finish(watch);
}

__attribute__((noinline, used)) static int a_function(int n)
{
	return n + 1;
}

/* A child that only forked has our functions; one that executed another program has not. */
static void test_ended(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);
	struct skep_watch *watch = NULL;
	struct skep_symbol sym = {0};

	if (skep_watch_open(syms, 0, &watch) == -EACCES)
		skip(); /* perf_event_paranoid */
	pid_t forked = fork();
	if (!forked)
		_exit(0);
	finish_child(watch, forked);
	pid_t executed = fork();
	if (!executed) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	finish_child(watch, executed);
	assert_int_equal(skep_usyms_lookup(syms, forked, (uintptr_t)a_function + 1, &sym), 0);
	assert_string_equal(sym.name, "a_function");
	const struct skep_process_node *node = skep_usyms_find_process(syms, executed);
	assert_non_null(node);
	bool found = false;
	for (size_t i = 0; i < node->process.maps[0].n; i++)
		found |= strstr(node->process.maps[0].paths + node->process.maps[0].data[i].path,
				"/true") != NULL;
	assert_true(found);
	while (skep_watch_step(watch)) /* those that were there before */
		;
	assert_non_null(skep_usyms_find_process(syms, getppid()));
	skep_watch_free(watch);
	skep_usyms_free(syms);
}

/* What was started last may end first: the first step already looks at it. */
static void test_youngest_first(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);
	struct skep_watch *watch = NULL;
	pid_t pids[40];

	for (int i = 0; i < 40; i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(pause());
	}
	int err = skep_watch_open(syms, 0, &watch);
	skep_watch_step(watch);
	bool has_last = skep_usyms_find_process(syms, pids[39]);
	bool has_first = skep_usyms_find_process(syms, pids[0]);
	skep_watch_free(watch);
	for (int i = 0; i < 40; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	skep_usyms_free(syms);
	if (err == -EACCES)
		skip();
	assert_true(has_last);
	assert_false(has_first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_add_cuts),
		cmocka_unit_test(test_add_bound),
		cmocka_unit_test(test_fork_and_exec),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_used_last),
		cmocka_unit_test(test_bad_records),
		cmocka_unit_test(test_ended),
		cmocka_unit_test(test_youngest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
