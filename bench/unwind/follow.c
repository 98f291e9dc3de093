/*
 * bench-unwind-follow SECONDS: follow what all processes map, and load the table of each file
 * that some process has mapped when half of the time is over.
 *
 *	what it cost, what it holds, what it lost
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "linux/bpf.h"
#include "unwind/bpfmaps.h"
#include "unwind/processes.h"
#include "unwind/tracker.h"

static double seconds_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void follow(struct skep_unwind_tracker *tracker, double seconds)
{
	struct pollfd fd = {.fd = skep_unwind_tracker_fd(tracker), .events = POLLIN};

	for (double end = seconds_of(CLOCK_MONOTONIC) + seconds;
	     seconds_of(CLOCK_MONOTONIC) < end;) {
		if (poll(&fd, 1, 100) > 0)
			skep_unwind_tracker_step(tracker);
	}
}

/* As if each mapping of every process had been found on a stack. */
static void ask_for_all(const struct skep_unwind_maps *maps, struct skep_unwind_tracker *tracker)
{
	struct skep_unwind_process_entry entry;
	int fd = maps->fds[SKEP_UNWIND_MAP_PROCESSES];
	uint32_t tgid = 0, next;

	while (!skep_bpf_map_next_key(fd, tgid ? &tgid : NULL, &next)) {
		tgid = next;
		if (skep_bpf_map_lookup(fd, &tgid, &entry, 0))
			continue;
		for (uint32_t i = entry.first; i < entry.first + entry.n; i++) {
			if (maps->arrays.mappings[i].file == SKEP_UNWIND_FILE_ASK)
				skep_unwind_tracker_ask(tracker, tgid,
							maps->arrays.mappings[i].number);
		}
	}
}

static void show(const struct skep_unwind_tracker *tracker)
{
	struct skep_unwind_counts counts;

	skep_unwind_tracker_counts(tracker, &counts);
	printf("%" PRIu32 " processes, %" PRIu32 " files; %" PRIu32 " tables of %" PRIu32
	       " rows; %" PRIu64 " tables built; %" PRIu64 " records, %" PRIu64
	       " scans; %zu bytes beside the arrays\n",
	       counts.n_processes, counts.n_objects, counts.n_tables, counts.n_rows, counts.n_built,
	       counts.n_records, counts.n_scans, counts.memory_bytes);
	for (int i = 0; i < SKEP_UNWIND_LOSS_CNT; i++) {
		if (counts.losses.n[i])
			printf("  %" PRIu64 " %s\n", counts.losses.n[i], skep_unwind_loss_words(i));
	}
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 10, start, cpu;
	struct skep_unwind_tracker *tracker;
	struct skep_unwind_maps maps;

	if (skep_unwind_maps_create(&maps, &skep_unwind_default_sizes) ||
	    skep_unwind_tracker_new(&maps.arrays, &tracker)) {
		fprintf(stderr, "it needs root\n");
		return 1;
	}
	start = seconds_of(CLOCK_MONOTONIC);
	skep_unwind_tracker_finish_scan(tracker);
	printf("scan: %.1f ms\n", (seconds_of(CLOCK_MONOTONIC) - start) * 1000);
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	follow(tracker, seconds / 2);
	printf("following: %.2f%% of a CPU\n",
	       (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (seconds / 2) * 100);
	show(tracker);
	start = seconds_of(CLOCK_MONOTONIC);
	ask_for_all(&maps, tracker);
	printf("tables of all: %.1f ms\n", (seconds_of(CLOCK_MONOTONIC) - start) * 1000);
	follow(tracker, seconds / 2);
	show(tracker);
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	printf("%ld KB at most, the arrays included as far as they were written\n",
	       usage.ru_maxrss);
	skep_unwind_tracker_free(tracker);
	skep_unwind_maps_done(&maps);
	return 0;
}
