/*
 * The kernel's side of the benchmark of maps under threads. A thread runs its
 * program by BPF_PROG_TEST_RUN; a run takes 1000 keys, so that the system call
 * is a few nanoseconds of each. Keys come from the same generator as those of
 * our own side, begun with the time; r7 is its state, r9 counts keys that no
 * run had before.
 */
#include "threads.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skep/isa.h>
#include <skep/map.h>

#include "bench.h"

#define MAP_AND_KEY                                                                                \
	"r1 = map[id:0]\n"                                                                         \
	"r2 = r10\n"                                                                               \
	"r2 += -8\n"
#define LOOK_UP                                                                                    \
	MAP_AND_KEY "call bpf_map_lookup_elem#1\n"                                                 \
		    "if r0 == 0x0 goto next\n"
#define UPDATE                                                                                     \
	MAP_AND_KEY "r3 = r10\n"                                                                   \
		    "r3 += -8\n"                                                                   \
		    "r4 = 0\n"                                                                     \
		    "call bpf_map_update_elem#2\n"
#define DELETE MAP_AND_KEY "call bpf_map_delete_elem#3\n"

const char threads_kernel_nothing[] = "";
const char threads_kernel_look_up[] = LOOK_UP "r1 = *(u64 *)(r0 +0)\n";
const char threads_kernel_update[] = UPDATE;
const char threads_kernel_count[] = LOOK_UP "r1 = *(u64 *)(r0 +0)\n"
					    "r1 += 1\n"
					    "*(u64 *)(r0 +0) = r1\n";
const char threads_kernel_add[] = LOOK_UP "r1 = 1\n"
					  "lock *(u64 *)(r0 +0) += r1\n";
const char threads_kernel_exchange[] = DELETE UPDATE;
const char threads_kernel_replace[] = "r9 += 1\n"
				      "r1 = r9\n"
				      "r1 &= 1\n"
				      "if r1 == 0x0 goto old\n"
				      "*(u64 *)(r10 -8) = r9\n"
				      "old: " UPDATE;

int threads_kernel_map(uint32_t type, uint32_t key_size, uint32_t entries, uint32_t filled)
{
	int map = bench_kernel_map(type, key_size, 8, entries);
	void *value = map < 0 ? NULL : calloc(skep_map_n_cpus(), 8);
	int err = map < 0 ? map : value ? 0 : -ENOMEM;

	for (uint64_t key = 0; !err && key < filled; key++)
		err = bench_kernel_update(map, &key, value);
	free(value);
	if (err && map >= 0)
		close(map);
	return err ? err : map;
}

int threads_kernel_program(int map, const char *body, struct threads_keys keys)
{
	struct skep_insn *insns = NULL;
	char text[2048];
	size_t n = 0;
	int err;

	snprintf(text, sizeof(text),
		 "call bpf_ktime_get_ns#5\n"
		 "r7 = r0\n"
		 "r9 = r0\n"
		 "r9 += %u\n"
		 "r9 |= 0x40000000\n"
		 "r6 = 0\n"
		 "loop: r8 = 6364136223846793005 ll\n"
		 "r7 *= r8\n"
		 "r7 += 1442695041\n"
		 "r1 = r7\n"
		 "r1 >>= 40\n"
		 "r1 &= %u\n"
		 "r1 += %u\n"
		 "*(u64 *)(r10 -8) = r1\n"
		 "%s"
		 "next: r6 += 1\n"
		 "if r6 != %u goto loop\n"
		 "r0 = 0\n"
		 "exit\n",
		 keys.first, keys.n - 1, keys.first, body, THREADS_KERNEL_OPS);
	err = skep_asm(text, strlen(text), &insns, &n, NULL);
	if (!err)
		err = bench_kernel_load(insns, (uint32_t)n, map);
	free(insns);
	return err;
}

void threads_kernel_run(int program)
{
	static const uint8_t packet[64];
	union bpf_attr attr = {.test = {.prog_fd = (uint32_t)program,
					.repeat = 1,
					.data_in = (uintptr_t)packet,
					.data_size_in = sizeof(packet)}};

	if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)))
		abort();
}
