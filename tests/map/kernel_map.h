/* The running kernel's maps and programs by bpf(2): what tests compare with. */
#ifndef TESTS_MAP_KERNEL_MAP_H
#define TESTS_MAP_KERNEL_MAP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those first */
#include <cmocka.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skep/isa.h>

#define KERNEL_UNUSED __attribute__((unused))

#define MOST_TRIES    1000

/* Results as the library has them: 0 or more, or -errno. A storage whose owner another process uses
 * at the same moment is refused with EAGAIN, to be asked for again. */
static inline int kernel_bpf(int cmd, union bpf_attr *attr)
{
	for (int i = 0;; i++) {
		long r = syscall(__NR_bpf, cmd, attr, sizeof(*attr));

		if (r >= 0 || errno != EAGAIN || i == MOST_TRIES)
			return r < 0 ? -errno : (int)r;
	}
}

static inline int kernel_map(uint32_t type, uint32_t key, uint32_t value, uint32_t max,
			     uint32_t flags)
{
	union bpf_attr attr = {.map_type = type,
			       .key_size = key,
			       .value_size = value,
			       .max_entries = max,
			       .map_flags = flags};

	return kernel_bpf(BPF_MAP_CREATE, &attr);
}

static KERNEL_UNUSED int kernel_elem(int cmd, int fd, const void *key, void *value, uint64_t flags)
{
	union bpf_attr attr = {.map_fd = (uint32_t)fd,
			       .key = (uintptr_t)key,
			       .value = (uintptr_t)value,
			       .flags = flags};

	/* The kernel wants what a command does not read to be zero. */
	if (cmd == BPF_MAP_DELETE_ELEM || cmd == BPF_MAP_GET_NEXT_KEY)
		attr.flags = 0;
	return kernel_bpf(cmd, &attr);
}

static KERNEL_UNUSED int kernel_prog(uint32_t type, uint32_t attach, const struct skep_insn *insns,
				     uint32_t n)
{
	static char log[65536];
	union bpf_attr attr = {.prog_type = type,
			       .expected_attach_type = attach,
			       .insns = (uintptr_t)insns,
			       .insn_cnt = n,
			       .license = (uintptr_t) "GPL"};
	int fd = kernel_bpf(BPF_PROG_LOAD, &attr);

	if (fd >= 0)
		return fd;
	attr.log_buf = (uintptr_t)log;
	attr.log_size = sizeof(log);
	attr.log_level = 1;
	log[0] = 0;
	kernel_bpf(BPF_PROG_LOAD, &attr);
	print_message("%s", log);
	return fd;
}

/* Run it once on 64 zero bytes; r0, or a failed test. */
static KERNEL_UNUSED uint32_t kernel_run(int prog)
{
	uint8_t data[64] = {0};
	union bpf_attr attr = {.test.prog_fd = (uint32_t)prog,
			       .test.data_in = (uintptr_t)data,
			       .test.data_size_in = sizeof(data)};

	assert_int_equal(kernel_bpf(BPF_PROG_TEST_RUN, &attr), 0);
	return attr.test.retval;
}

/* A program under construction. */
struct kernel_text {
	struct skep_insn insns[128];
	uint32_t n;
};

static inline void kernel_add(struct kernel_text *text, struct skep_insn insn)
{
	assert_true(text->n < 128);
	text->insns[text->n++] = insn;
}

static KERNEL_UNUSED void kernel_add_imm64(struct kernel_text *text, int dst, int pseudo,
					   uint64_t value)
{
	struct skep_insn two[2];

	skep_ld_imm64(two, dst, pseudo, value);
	kernel_add(text, two[0]);
	kernel_add(text, two[1]);
}

static KERNEL_UNUSED void kernel_add_mov(struct kernel_text *text, int dst, int32_t imm)
{
	kernel_add(text, skep_alu64_imm(SKEP_MOV, dst, imm));
}

#endif
