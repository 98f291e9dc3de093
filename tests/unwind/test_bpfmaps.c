/* The arrays in the kernel: what is written through the mapping is what the maps hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fd.h"
#include "heap.h"
#include "interp/hotspot_layout.h"
#include "linux/bpf.h"
#include "unwind/bpfmaps.h"
#include "unwind/processes.h"

#define MEMORY_MOST (24u << 20)

static struct skep_unwind_maps maps;

static int begin(void **state)
{
	int err = skep_unwind_maps_create(&maps, &skep_unwind_default_sizes);

	if (!err)
		*state = &maps;
	return is_refused(err) ? 0 : err;
}

static int end(void **state)
{
	skep_unwind_maps_done(&maps);
	return 0;
}

/* Maps are for root. */
static void need(void **state)
{
	if (!*state)
		skip();
}

static uint64_t here(void)
{
	return (uint64_t)(uintptr_t)here;
}

/* Bytes that the kernel accounts for a map. */
static size_t memory_of(int fd)
{
	_cleanup_buf_ struct skep_buf text = {0};
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	assert_int_equal(skep_file_read(path, 4096, &text), 0);
	skep_buf_addc(&text, '\0');
	const char *at = strstr(text.data, "memlock:");
	assert_non_null(at);
	return strtoul(at + strlen("memlock:"), NULL, 10);
}

static void memory(void **state)
{
	size_t sum = 0;

	need(state);
	for (int i = 0; i < SKEP_UNWIND_MAP_CNT; i++)
		sum += memory_of(maps.fds[i]);
	assert_true(sum >= skep_unwind_sizes_bytes(&skep_unwind_default_sizes));
	if (sum > MEMORY_MOST)
		fail_msg("%zu bytes", sum);
}

/* What a program in the kernel would find: read by system calls, not through the mapping. */
static void ourselves(void **state)
{
	static struct skep_unwind_processes processes;
	struct skep_unwind_losses losses = {0};
	struct skep_unwind_process_entry entry;
	uint32_t tgid = (uint32_t)getpid(), key = 0, file = SKEP_UNWIND_FILE_NONE;

	need(state);
	skep_unwind_processes_init(&processes, &maps.arrays, &losses);
	assert_int_equal(skep_unwind_processes_answer(&processes, tgid, 0), 0);
	assert_int_equal(skep_bpf_map_lookup(maps.fds[SKEP_UNWIND_MAP_PROCESSES], &tgid, &entry, 0),
			 0);
	struct skep_unwind_mapping *mappings =
		skep_xmalloc(maps.mapped_bytes[SKEP_UNWIND_MAP_MAPPINGS]);
	assert_int_equal(skep_bpf_map_lookup(maps.fds[SKEP_UNWIND_MAP_MAPPINGS], &key, mappings, 0),
			 0);
	for (uint32_t i = entry.first; i < entry.first + entry.n; i++) {
		if (mappings[i].start <= here())
			file = mappings[i].file;
	}
	assert_int_equal(file, SKEP_UNWIND_FILE_ASK);
	free(mappings);
	skep_unwind_processes_on_exit(&processes, tgid, tgid, UINT64_MAX);
	assert_int_equal(skep_bpf_map_lookup(maps.fds[SKEP_UNWIND_MAP_PROCESSES], &tgid, &entry, 0),
			 -ENOENT);
	skep_unwind_processes_done(&processes);
}

/* What was found in a process's memory is not there any more when it executes another program, nor
 * when it has ended. */
static void machine_is_forgotten(void **state)
{
	const struct skep_hotspot machine = {.version = SKEP_INTERP_HOTSPOT};
	static struct skep_unwind_processes processes;
	struct skep_unwind_losses losses = {0};
	uint32_t tgid = (uint32_t)getpid();
	struct skep_hotspot found;
	int fd = maps.fds[SKEP_UNWIND_MAP_HOTSPOTS];

	need(state);
	skep_unwind_processes_init(&processes, &maps.arrays, &losses);
	for (int is_exec = 0; is_exec < 2; is_exec++) {
		assert_int_equal(skep_unwind_processes_answer(&processes, tgid, 0), 0);
		assert_int_equal(skep_bpf_map_update(fd, &tgid, &machine, 0), 0);
		assert_int_equal(skep_bpf_map_lookup(fd, &tgid, &found, 0), 0);
		if (is_exec)
			skep_unwind_processes_on_exec(&processes, tgid, UINT64_MAX);
		else
			skep_unwind_processes_on_exit(&processes, tgid, tgid, UINT64_MAX);
		assert_int_equal(skep_bpf_map_lookup(fd, &tgid, &found, 0), -ENOENT);
	}
	skep_unwind_processes_done(&processes);
}

/* Maps that others made. */
static void taken(void **state)
{
	struct skep_unwind_maps again;
	int bad[SKEP_UNWIND_MAP_CNT];

	need(state);
	assert_int_equal(skep_unwind_maps_take(&again, maps.fds, &skep_unwind_default_sizes), 0);
	again.arrays.rows[12345] = (struct skep_unwind_row){1, 2};
	assert_int_equal(maps.arrays.rows[12345].rule, 2);
	skep_unwind_maps_done(&again);
	assert_true(memory_of(maps.fds[SKEP_UNWIND_MAP_ROWS]) > 0); /* they are still there */
	memcpy(bad, maps.fds, sizeof(bad));
	bad[SKEP_UNWIND_MAP_RULES] = -1;
	assert_int_equal(skep_unwind_maps_take(&again, bad, &skep_unwind_default_sizes), -EBADF);
}

static void full(void **state)
{
	static const struct skep_unwind_sizes tiny = {
		.processes = 2, .mappings = 64, .files = 8, .pages = 8, .rows = 8, .rules = 8};
	const struct skep_unwind_process_entry entry = {0, 1};
	struct skep_unwind_maps few;
	int err = 0;

	need(state);
	assert_int_equal(skep_unwind_maps_create(&few, &tiny), 0);
	for (uint32_t tgid = 1; tgid < 100 && !err; tgid++)
		err = few.arrays.set_process(few.arrays.ctx, tgid, &entry);
	assert_int_equal(err, -E2BIG);
	skep_unwind_maps_done(&few);
}

/* Powers of two, from a quarter of the default on, and room for what runs: ourselves, at least. */
static void sizes_for_this_machine(void **state)
{
	const struct skep_unwind_sizes *most = &skep_unwind_default_sizes;
	struct skep_unwind_sizes sizes;

	skep_unwind_sizes_here(&sizes);
	const uint32_t pairs[][2] = {
		{sizes.processes, most->processes}, {sizes.mappings, most->mappings},
		{sizes.files, most->files},         {sizes.pages, most->pages},
		{sizes.rows, most->rows},           {sizes.rules, most->rules}};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_int_equal(pairs[i][0] & (pairs[i][0] - 1), 0);
		assert_true(pairs[i][0] >= pairs[i][1] / 4);
		assert_true(pairs[i][0] <= pairs[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory),
		cmocka_unit_test(ourselves),
		cmocka_unit_test(machine_is_forgotten),
		cmocka_unit_test(taken),
		cmocka_unit_test(full),
		cmocka_unit_test(sizes_for_this_machine),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
