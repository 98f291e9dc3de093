/*
 * eBPF in your own process: a map, a program that counts in it, five runs, and a look at the map.
 * No privileges are needed, and nothing of the kernel: bpf(2) is answered by the machine.
 *
 *	cc embed.c $(pkg-config --cflags --libs libskep) -o embed
 */
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <skep/isa.h>
#include <skep/machine.h>

/* Adds the packet's length to element 0 of an array and lets the packet pass. */
static const char program[] = "r6 = *(u32 *)(r1 + 4)\n" /* data_end */
			      "r1 = *(u32 *)(r1 + 0)\n" /* data */
			      "r6 -= r1\n"
			      "*(u32 *)(r10 - 4) = 0\n"
			      "r2 = r10\n"
			      "r2 += -4\n"
			      "r1 = map[id:%d]\n"
			      "call bpf_map_lookup_elem\n"
			      "if r0 == 0 goto done\n"
			      "lock *(u64 *)(r0 + 0) += r6\n"
			      "done: r0 = 2\n"
			      "exit\n";

static struct skep_machine *machine;

/* What bpf(2) returns; who cannot go on says so. */
static int bpf(int command, union bpf_attr attr)
{
	int result = skep_machine_bpf(machine, command, &attr, sizeof(attr));

	if (result < 0) {
		perror("bpf");
		exit(1);
	}
	return result;
}

int main(void)
{
	struct skep_insn *insns;
	size_t n_insns;
	uint8_t packet[64] = {0};
	uint64_t bytes = 0;
	uint32_t key = 0;
	char text[sizeof(program) + 8];

	if (skep_machine_new(NULL, &machine))
		return 1;
	int map = bpf(BPF_MAP_CREATE, (union bpf_attr){.map_type = BPF_MAP_TYPE_ARRAY,
						       .key_size = sizeof(key),
						       .value_size = sizeof(bytes),
						       .max_entries = 1});
	int len = snprintf(text, sizeof(text), program, map);
	if (skep_asm(text, (size_t)len, &insns, &n_insns, NULL))
		return 1;
	int prog = bpf(BPF_PROG_LOAD, (union bpf_attr){.prog_type = BPF_PROG_TYPE_XDP,
						       .insns = (uintptr_t)insns,
						       .insn_cnt = (uint32_t)n_insns,
						       .license = (uintptr_t) "GPL"});
	bpf(BPF_PROG_TEST_RUN, (union bpf_attr){.test = {.prog_fd = (uint32_t)prog,
							 .data_in = (uintptr_t)packet,
							 .data_size_in = sizeof(packet),
							 .repeat = 5}});
	bpf(BPF_MAP_LOOKUP_ELEM, (union bpf_attr){.map_fd = (uint32_t)map,
						  .key = (uintptr_t)&key,
						  .value = (uintptr_t)&bytes});
	printf("5 packets, %llu bytes\n", (unsigned long long)bytes);
	free(insns);
	skep_machine_free(machine);
	return 0;
}
