/*
 * Any bytes as the kernel's records of processes: whatever they say, each process's block lies
 * within the array, no two overlap, its mappings rise, and it ends where nothing is mapped.
 *
 * A record: what it is, how long, whose, and that many bytes.
 */
#include <linux/perf_event.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "linux/perfring.h"
#include "unwind/processes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PIDS 32
#define HIGH 0x70000000u /* no process of the machine has such a number */

static uint64_t now_ns;

static uint64_t clock_ns(void)
{
	return now_ns;
}

static const struct skep_unwind_sizes sizes = {
	.processes = 16, .mappings = 256, .files = 8, .pages = 16, .rows = 16, .rules = 16};

struct told {
	const struct skep_unwind_arrays *arrays;
	struct skep_unwind_process_entry entries[PIDS];
};

static int set(void *ctx, uint32_t tgid, const struct skep_unwind_process_entry *entry)
{
	struct told *told = ctx;
	struct skep_unwind_process_entry *at = &told->entries[(tgid - HIGH) % PIDS];

	if (tgid < HIGH || tgid - HIGH >= PIDS || (!entry && !at->n))
		abort();
	*at = entry ? *entry : (struct skep_unwind_process_entry){0};
	return 0;
}

static void check_block(const struct told *told, const struct skep_unwind_process_entry *entry)
{
	const struct skep_unwind_mapping *at = told->arrays->mappings + entry->first;

	if (entry->first + entry->n > sizes.mappings || at[entry->n - 1].file)
		abort();
	for (uint32_t i = 1; i < entry->n; i++) {
		if (at[i].start <= at[i - 1].start)
			abort();
	}
}

static void check(const struct told *told)
{
	uint8_t owner[256] = {0};

	for (uint32_t pid = 0; pid < PIDS; pid++) {
		const struct skep_unwind_process_entry *entry = &told->entries[pid];
		if (!entry->n)
			continue;
		check_block(told, entry);
		/* Those who share a block begin where it begins. */
		uint8_t first = owner[entry->first];
		for (uint32_t i = entry->first; i < entry->first + entry->n; i++) {
			if (owner[i] && owner[i] != first)
				abort();
			owner[i] = first ? first : (uint8_t)(pid + 1);
		}
	}
}

static size_t take(struct skep_unwind_processes *processes, const uint8_t *data, size_t size)
{
	static const uint32_t types[] = {PERF_RECORD_MMAP2, PERF_RECORD_FORK, PERF_RECORD_EXIT,
					 PERF_RECORD_COMM};
	struct skep_perf_record record = {.type = types[data[0] & 3],
					  .misc = PERF_RECORD_MISC_COMM_EXEC,
					  .time_ns = data[0] >> 2};
	uint64_t body[32] = {0};
	uint32_t pids[2] = {HIGH + data[2] % PIDS, HIGH + data[2] / 8 % PIDS};

	record.size = data[1]; /* less than there is room for */
	if (record.size > size - 3)
		record.size = size - 3;
	memcpy(body, data + 3, record.size);
	memcpy(body, pids, sizeof(pids));
	record.data = body;
	skep_unwind_processes_on_record(processes, &record);
	return 3 + record.size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skep_unwind_processes *processes = malloc(sizeof(*processes));
	struct skep_unwind_losses losses = {0};
	struct skep_unwind_arrays arrays;
	struct told told = {.arrays = &arrays};

	skep_unwind_arrays_init(&arrays, &sizes);
	arrays.set_process = set;
	arrays.ctx = &told;
	skep_unwind_processes_init(processes, &arrays, &losses);
	processes->objects.now_ns = clock_ns;
	for (size_t at = 0; size - at > 3;) {
		at += take(processes, data + at, size - at);
		now_ns += 10000000;
		if (at % 3 == 0)
			skep_unwind_processes_flush(processes);
		check(&told);
	}
	skep_unwind_processes_flush(processes);
	check(&told);
	skep_unwind_processes_done(processes);
	skep_unwind_arrays_done(&arrays);
	free(processes);
	return 0;
}
