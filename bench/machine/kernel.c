/*
 * The kernel: programs are loaded by bpf(2) and measured by BPF_PROG_TEST_RUN,
 * which says how long a run took on average. What an empty program takes there
 * is a subject of its own ("nop"), for who prints to subtract.
 */
#include "bench.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int kernel_bpf(int cmd, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

int bench_kernel_map(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t entries)
{
	union bpf_attr attr = {.map_type = type,
			       .key_size = key_size,
			       .value_size = value_size,
			       .max_entries = entries};

	return kernel_bpf(BPF_MAP_CREATE, &attr);
}

int bench_kernel_update(int map, const void *key, const void *value)
{
	union bpf_attr attr = {
		.map_fd = (uint32_t)map, .key = (uintptr_t)key, .value = (uintptr_t)value};

	return kernel_bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

static int load(const struct skep_insn *insns, uint32_t n)
{
	static char log[65536];
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SCHED_CLS,
			       .insns = (uintptr_t)insns,
			       .insn_cnt = n,
			       .license = (uintptr_t) "GPL"};
	int fd = kernel_bpf(BPF_PROG_LOAD, &attr);

	if (fd >= 0 || fd == -EPERM)
		return fd;
	attr.log_buf = (uintptr_t)log;
	attr.log_size = sizeof(log);
	attr.log_level = 1;
	fd = kernel_bpf(BPF_PROG_LOAD, &attr);
	if (fd < 0)
		fprintf(stderr, "the kernel refuses a program: %d\n%s", fd, log);
	return fd;
}

int bench_kernel_load(const struct skep_insn *insns, uint32_t n, int map)
{
	struct skep_insn *own = malloc(n * sizeof(*own));
	int fd;

	memcpy(own, insns, n * sizeof(*own));
	for (uint32_t i = 0; i < n; i++)
		if (own[i].code == (SKEP_LD | SKEP_DW | SKEP_IMM) && own[i].src)
			own[i].imm = map;
	fd = load(own, n);
	free(own);
	return fd;
}

static int open_kernel(const struct subject *subject, void **ret)
{
	int fd;

	if (subject->map && subject->kernel_map < 0)
		return -ENOTSUP;
	fd = bench_kernel_load(subject->insns, subject->n_insns, subject->kernel_map);
	if (fd < 0)
		return fd == -EPERM ? -ENOTSUP : fd;
	*ret = malloc(sizeof(int));
	*(int *)*ret = fd;
	return 0;
}

static double batch_kernel(const struct subject *subject, void *state, unsigned long n,
			   uint64_t *ret_result)
{
	union bpf_attr attr = {.test = {.prog_fd = *(uint32_t *)state,
					.repeat = (uint32_t)n,
					.data_in = (uintptr_t)subject->data,
					.data_size_in = DATA_BYTES}};
	int err = kernel_bpf(BPF_PROG_TEST_RUN, &attr);

	if (err < 0) {
		fprintf(stderr, "the kernel does not run %s: %d\n", subject->name, err);
		exit(1);
	}
	bench_drain(&subject->kernel_ring);
	*ret_result = attr.test.retval;
	return (double)attr.test.duration * (double)n;
}

static void close_kernel(void *state)
{
	close(*(int *)state);
	free(state);
}

const struct way way_kernel = {"kernel", open_kernel, batch_kernel, close_kernel};
