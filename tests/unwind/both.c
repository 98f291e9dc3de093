/*
 * unwind-both PID ROUNDS: stops each thread of a process so many times, wherever it is, and walks
 * its stack twice, here and in the kernel.
 *
 * Prints how many stacks were compared, how many were whole, how many frames they had, how many
 * differed, and shows the first that did.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernelside.h"

#define BETWEEN_US 3000

static struct kernelside kernel;
static unsigned compared, whole, differed;
static uint64_t frames;

static void show(const char *who, uint32_t n, const uint64_t *pcs, uint32_t end)
{
	printf("    %s: %u frames (%s)", who, n, skep_unwind_end_words(end));
	for (uint32_t i = 0; i < n; i++)
		printf(" %" PRIx64, pcs[i]);
	printf("\n");
}

static void compare(struct mapped *process, pid_t tid)
{
	struct skep_unwind_process how = mapped_process(process);
	uint64_t pcs[SKEP_UNWIND_FRAMES_MOST], all[SKEP_UNWIND_REGS_CNT];
	struct skep_unwind_stack got = {0};
	enum skep_unwind_end end;
	uint32_t n =
		skep_unwind_walk(&how, mapped_stop(tid, all), pcs, SKEP_UNWIND_FRAMES_MOST, &end);

	bool is_same = kernelside_stack(&kernel, kernelside_number(&kernel, tid), &got) &&
		       got.n == n && got.end == end && !memcmp(got.pcs, pcs, n * sizeof(*pcs));
	mapped_go_on(tid);
	compared++;
	whole += end == SKEP_UNWIND_ROOT || end == SKEP_UNWIND_GUESSED;
	frames += n;
	if (!is_same && !differed++) {
		show("here", n, pcs, end);
		show("in the kernel", got.n, got.pcs, got.end);
	}
}

int main(int argc, char **argv)
{
	static struct mapped process;

	if (argc != 3 || mapped_open(&process, atoi(argv[1]))) {
		fprintf(stderr, "no process %s\n", argc > 1 ? argv[1] : "");
		return 1;
	}
	if (!skep_unwind_is_possible())
		return 77;
	kernelside_open(&kernel, &kernelside_at_switch, &kernelside_sizes, 65536);
	kernelside_fill(&kernel, &process);
	kernelside_attach(&kernel);
	for (int i = atoi(argv[2]); i > 0; i--) {
		mapped_threads(&process, compare);
		usleep(BETWEEN_US);
	}
	printf("%u stacks, %u whole, %" PRIu64 " frames, %u differ, %" PRIu64 " lost\n", compared,
	       whole, frames, differed,
	       kernelside_loss(&kernel, KERNELSIDE_LOST) +
		       kernelside_loss(&kernel, KERNELSIDE_SCRATCH));
	kernelside_close(&kernel);
	mapped_done(&process);
	return differed != 0;
}
