/*
 * bench-unwind PID HZ SECONDS cfi|fp: samples a process's stacks, and prints in one line
 *
 *	SAMPLES FRAMES WHOLE NANOSECONDS
 *
 * where NANOSECONDS are those of all samples' programs, by the kernel's count. cfi is our walk,
 * fp the kernel's by frame pointers; both programs count stacks by their number, as scripts do.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernelside.h"
#include "linux/bpf.h"

#define STACKS_CNT 65536

static bool by_cfi;
static uint32_t traces; /* map: stacks by frame pointers */

static uint32_t take_stack(struct skep_ir_func *f, struct kernelside *k)
{
	const struct skep_object_map map = {.name = "traces",
					    .type = BPF_MAP_TYPE_STACK_TRACE,
					    .key_size = 4,
					    .value_size = 8 * SKEP_UNWIND_FRAMES_MOST,
					    .max_entries = STACKS_CNT};
	struct skep_unwind_counter lost = {k->losses, 8 * KERNELSIDE_LOST};

	if (by_cfi)
		return skep_ir_call_func(f, skep_unwind_program(f, &k->maps, lost), 1,
					 &I(SKEP_UNWIND_FRAMES_MOST));
	traces = skep_object_add_map(&k->object, &map);
	return skep_ir_calln(f, BPF_FUNC_get_stackid, R(skep_ir_param(f, 0)),
			     R(skep_ir_map(f, traces)), I(BPF_F_USER_STACK));
}

/* latest[number] += 1, where the first entry is of value 1 */
static void build(struct skep_ir_func *f, struct kernelside *k)
{
	uint32_t key = skep_ir_slot(f, 4, 4), one = skep_ir_slot(f, 4, 4), entry;
	uint32_t there = skep_ir_block(f), first = skep_ir_block(f), done = skep_ir_block(f);

	skep_ir_store(f, 4, S(key, 0), 0, R(take_stack(f, k)));
	entry = skep_ir_calln(f, BPF_FUNC_map_lookup_elem, R(skep_ir_map(f, k->latest)), S(key, 0));
	skep_ir_branch(f, SKEP_IR_NE, R(entry), I(0), there, first);
	skep_ir_at(f, there);
	skep_ir_atomic_add(f, 4, R(entry), 0, I(1));
	skep_ir_jump(f, done);
	skep_ir_at(f, first);
	skep_ir_store(f, 4, S(one, 0), 0, I(1));
	skep_ir_calln(f, BPF_FUNC_map_update_elem, R(skep_ir_map(f, k->latest)), S(key, 0),
		      S(one, 0), I(BPF_ANY));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	skep_ir_exit(f, I(0));
}

struct totals {
	uint64_t samples, frames, whole;
};

/* The kernel's stacks do not say why they end: those of our walk do. */
static void add_stack(const struct kernelside *k, uint32_t number, uint32_t n,
		      struct totals *totals)
{
	uint64_t pcs[SKEP_UNWIND_FRAMES_MOST] = {0};
	struct skep_unwind_stack stack;
	uint32_t depth = 0;

	totals->samples += n;
	if (by_cfi && kernelside_stack(k, number, &stack)) {
		totals->frames += (uint64_t)n * stack.n;
		if (stack.end == SKEP_UNWIND_ROOT || stack.end == SKEP_UNWIND_GUESSED)
			totals->whole += n;
	} else if (!by_cfi &&
		   !skep_bpf_map_lookup(skep_session_map_fd(k->session, traces), &number, pcs, 0)) {
		while (depth < SKEP_UNWIND_FRAMES_MOST && pcs[depth])
			depth++;
		totals->frames += (uint64_t)n * depth;
	}
}

static struct totals add_up(const struct kernelside *k)
{
	int fd = skep_session_map_fd(k->session, k->latest);
	struct totals totals = {0};
	uint32_t number, n;

	for (const void *key = NULL; !skep_bpf_map_next_key(fd, key, &number); key = &number) {
		if (!skep_bpf_map_lookup(fd, &number, &n, 0))
			add_stack(k, number, n, &totals);
	}
	return totals;
}

static void attach(const struct kernelside *k, pid_t pid, uint64_t hz)
{
	struct skep_attach at = {.type = SKEP_ATTACH_PERF,
				 .target = "the clock",
				 .perf = {.type = PERF_TYPE_SOFTWARE,
					  .config = PERF_COUNT_SW_CPU_CLOCK,
					  .period = hz,
					  .freq = true,
					  .pid = pid}};
	_cleanup_diag_ struct skep_diag diag = {0};

	if (skep_session_attach(k->session, &at, &diag)) {
		fprintf(stderr, "the clock cannot be attached to\n");
		exit(1);
	}
}

static void measure(struct kernelside *k, pid_t pid, const char *hz, const char *seconds)
{
	union bpf_attr attr = {.enable_stats.type = BPF_STATS_RUN_TIME};
	_cleanup_close_ int stats = skep_bpf(BPF_ENABLE_STATS, &attr, sizeof(attr));
	struct bpf_prog_info info = {0};

	if (stats < 0) {
		fprintf(stderr, "the kernel does not measure its programs\n");
		exit(1);
	}
	attach(k, pid, (uint64_t)atoi(hz));
	sleep((unsigned)atoi(seconds));
	skep_session_detach_all(k->session);
	skep_bpf_info(skep_session_prog_fd(k->session, 0), &info, sizeof(info));
	struct totals totals = add_up(k);
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", totals.samples, totals.frames,
	       totals.whole, (uint64_t)info.run_time_ns);
}

int main(int argc, char **argv)
{
	static const struct kernelside_program program = {BPF_PROG_TYPE_PERF_EVENT, "perf_event",
							  build};
	static struct mapped process;
	struct kernelside k;

	if (argc != 5 || mapped_open(&process, atoi(argv[1]))) {
		fprintf(stderr, "bench-unwind PID HZ SECONDS cfi|fp\n");
		return 2;
	}
	by_cfi = !strcmp(argv[4], "cfi");
	kernelside_open(&k, &program, &kernelside_sizes, STACKS_CNT);
	kernelside_fill(&k, &process);
	measure(&k, process.pid, argv[2], argv[3]);
	kernelside_close(&k);
	mapped_done(&process);
	return 0;
}
