/* Small programs of the linux engine's tests: raw tracepoints that are run by hand. */
#ifndef TESTS_LINUX_RAW_H
#define TESTS_LINUX_RAW_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those first */
#include <cmocka.h>
#include <string.h>

#include "linux/bpf.h"

#define INSN(c, d, s, o, i)                                                                        \
	{                                                                                          \
		.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)                \
	}

static inline int raw_load(const struct bpf_insn *insns, size_t n)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
	attr.insns = (uint64_t)(uintptr_t)insns;
	attr.insn_cnt = (uint32_t)n;
	attr.license = (uint64_t)(uintptr_t) "GPL";
	int fd = skep_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
	assert_true(fd >= 0);
	return fd;
}

/* What the program returns of a context of two words. */
static inline int raw_run(int prog, uint64_t first, uint64_t second)
{
	const uint64_t ctx[2] = {first, second};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)prog;
	attr.test.ctx_in = (uint64_t)(uintptr_t)ctx;
	attr.test.ctx_size_in = sizeof(ctx);
	assert_int_equal(skep_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr)), 0);
	return (int)attr.test.retval;
}

#endif
