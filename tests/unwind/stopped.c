/*
 * unwind-stopped PID [arrays]: the stack of each thread, by our own tables; or by them where a
 * program in the kernel reads them, loaded when they are asked for.
 *
 *	TID: pc pc pc … (why it ended)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "mapped.h"
#include "unwind/processes.h"

#define FRAMES_MOST 4096

/* --- By the arrays ---------------------------------------------------------------------------- */

struct in_arrays {
	pid_t pid;
	struct heap heap;
	struct skep_unwind_losses losses;
	struct skep_unwind_processes processes;
	struct skep_unwind_table table; /* the last that was found */
};

static const struct skep_unwind_table *find_in_arrays(void *ctx, uint64_t pc, uint64_t *ret_bias)
{
	struct in_arrays *in = ctx;
	uint32_t tgid = (uint32_t)in->pid;
	uint32_t file = heap_look(&in->heap, tgid, pc, &in->table, ret_bias);

	if (file == SKEP_UNWIND_FILE_ASK) {
		skep_unwind_processes_answer(&in->processes, tgid,
					     heap_number(&in->heap, tgid, pc));
		file = heap_look(&in->heap, tgid, pc, &in->table, ret_bias);
	}
	return file >= SKEP_UNWIND_FILE_FIRST ? &in->table : NULL;
}

static int read_memory(void *ctx, uint64_t addr, void *ret, size_t n)
{
	const struct in_arrays *in = ctx;

	return mapped_read(in->pid, addr, ret, n);
}

static void begin_arrays(struct in_arrays *in, pid_t pid)
{
	in->pid = pid;
	heap_init(&in->heap, &skep_unwind_default_sizes);
	skep_unwind_processes_init(&in->processes, &in->heap.arrays, &in->losses);
	skep_unwind_processes_answer(&in->processes, (uint32_t)pid, 0);
}

static void end_arrays(struct in_arrays *in)
{
	for (int i = 0; i < SKEP_UNWIND_LOSS_CNT; i++) {
		if (in->losses.n[i])
			fprintf(stderr, "%" PRIu64 " %s\n", in->losses.n[i],
				skep_unwind_loss_words(i));
	}
	skep_unwind_processes_done(&in->processes);
	heap_done(&in->heap);
}

/* --- The threads ------------------------------------------------------------------------------ */

static struct skep_unwind_process how;

static void show(struct mapped *process, pid_t tid)
{
	uint64_t pcs[FRAMES_MOST], all[SKEP_UNWIND_REGS_CNT];
	enum skep_unwind_end end;
	uint32_t n = skep_unwind_walk(&how, mapped_stop(tid, all), pcs, FRAMES_MOST, &end);

	printf("%d:", tid);
	for (uint32_t i = 0; i < n; i++)
		printf(" %" PRIx64, pcs[i]);
	printf(" (%s)\n", skep_unwind_end_words(end));
	mapped_go_on(tid);
}

int main(int argc, char **argv)
{
	static struct mapped process;
	static struct in_arrays in;
	bool by_arrays = argc == 3 && !strcmp(argv[2], "arrays");

	if (argc < 2 || mapped_open(&process, atoi(argv[1]))) {
		fprintf(stderr, "no process %s\n", argc >= 2 ? argv[1] : "");
		return 1;
	}
	how = mapped_process(&process);
	if (by_arrays) {
		begin_arrays(&in, process.pid);
		how = (struct skep_unwind_process){find_in_arrays, read_memory, &in};
	}
	mapped_threads(&process, show);
	if (by_arrays)
		end_arrays(&in);
	mapped_done(&process);
	return 0;
}
