/* Probes of what can be created: maps, programs, helpers, instructions. */
#include "linux/feature_try.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

enum { LOG_BYTES = 16 << 10, F_MMAPABLE = 1 << 10 };

/* --- maps ---------------------------------------------------------------------------------- */

/* How small a map of each type can be; others take a 4-byte key and value and one entry. */
static const struct shape {
	uint32_t type, key, value, entries, flags;
} shapes[] = {
	{BPF_MAP_TYPE_RINGBUF, 0, 0, 65536, 0},
	{BPF_MAP_TYPE_USER_RINGBUF, 0, 0, 65536, 0},
	{BPF_MAP_TYPE_STACK_TRACE, 4, 8, 1, 0},
	{BPF_MAP_TYPE_LPM_TRIE, 8, 4, 1, BPF_F_NO_PREALLOC},
	{BPF_MAP_TYPE_QUEUE, 0, 4, 1, 0},
	{BPF_MAP_TYPE_STACK, 0, 4, 1, 0},
	{BPF_MAP_TYPE_BLOOM_FILTER, 0, 4, 1, 0},
	{BPF_MAP_TYPE_TASK_STORAGE, 4, 4, 0, BPF_F_NO_PREALLOC},
	{BPF_MAP_TYPE_SK_STORAGE, 4, 4, 0, BPF_F_NO_PREALLOC},
	{BPF_MAP_TYPE_INODE_STORAGE, 4, 4, 0, BPF_F_NO_PREALLOC},
	{MAP_TYPE_CGRP_STORAGE, 4, 4, 0, BPF_F_NO_PREALLOC},
	{MAP_TYPE_ARENA, 0, 0, 1, F_MMAPABLE},
};

static struct shape shape_of(uint32_t type)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		if (shapes[i].type == type)
			return shapes[i];
	}
	return (struct shape){type, 4, 4, 1, 0};
}

/* BTF with one type, int: storage maps demand types. */
static int load_int_btf(void)
{
	static const struct {
		uint16_t magic;
		uint8_t version, flags;
		uint32_t hdr_len, type_off, type_len, str_off, str_len;
		uint32_t name, info, size, encoding;
		char strings[8];
	} blob = {0xeb9f, 1, 0, 24, 0, 16, 16, 5, 1, 1 << 24, 4, 1 << 24 | 32, "\0int"};

	return skep_bpf_btf_load(&blob, 24 + 16 + 5);
}

static bool is_storage(uint32_t type)
{
	return type == BPF_MAP_TYPE_TASK_STORAGE || type == BPF_MAP_TYPE_SK_STORAGE ||
	       type == BPF_MAP_TYPE_INODE_STORAGE || type == MAP_TYPE_CGRP_STORAGE;
}

static bool holds_maps(uint32_t type)
{
	return type == BPF_MAP_TYPE_ARRAY_OF_MAPS || type == BPF_MAP_TYPE_HASH_OF_MAPS;
}

int try_map(uint32_t type, uint32_t flags, int btf_fd, int inner_fd)
{
	const struct shape shape = shape_of(type);
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = type;
	attr.key_size = shape.key;
	attr.value_size = shape.value;
	attr.max_entries = shape.entries;
	attr.map_flags = shape.flags | flags;
	if (btf_fd >= 0) {
		attr.btf_fd = (uint32_t)btf_fd;
		attr.btf_key_type_id = attr.btf_value_type_id = 1;
	}
	if (inner_fd >= 0)
		attr.inner_map_fd = (uint32_t)inner_fd;
	/* no structure of operations has type id 1, which the kernel says in its own way */
	if (type == BPF_MAP_TYPE_STRUCT_OPS)
		attr.btf_vmlinux_value_type_id = 1;
	return skep_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

int probe_map(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	uint32_t type = (uint32_t)feature->arg;
	_cleanup_close_ int btf = is_storage(type) ? load_int_btf() : -1;
	_cleanup_close_ int inner = holds_maps(type) ? try_map(BPF_MAP_TYPE_ARRAY, 0, -1, -1) : -1;
	int fd;

	if (is_storage(type) && btf < 0)
		return btf;
	if (holds_maps(type) && inner < 0)
		return inner;
	fd = try_map(type, (uint32_t)feature->arg2, btf, inner);
	return type == BPF_MAP_TYPE_STRUCT_OPS && fd == -KERNEL_ENOTSUPP ? 0 : fd;
}

int probe_batch(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	_cleanup_close_ int map = try_map(BPF_MAP_TYPE_HASH, 0, -1, -1);
	uint32_t batch[2], keys[4], values[4], count = 4;
	int err;

	if (map < 0)
		return map;
	err = skep_bpf_map_lookup_batch(map, NULL, batch, keys, values, &count, false);
	return err == -ENOENT ? 0 : err;
}

/* --- programs ------------------------------------------------------------------------------ */

#define INSN(c, d, s, o, i)                                                                        \
	((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define MOV(dst, value) INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value)
#define EXIT()          INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define ZERO_STACK()    INSN(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, -8, 0)

static int load(union bpf_attr *attr, const struct bpf_insn *insns, uint32_t n)
{
	attr->insns = (uint64_t)(uintptr_t)insns;
	attr->insn_cnt = n;
	attr->license = (uint64_t)(uintptr_t) "GPL";
	return skep_bpf(BPF_PROG_LOAD, attr, sizeof(*attr));
}

int try_insns(uint32_t type, const struct bpf_insn *insns, uint32_t n, char *log, uint32_t log_size)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = type;
	attr.log_buf = (uint64_t)(uintptr_t)log;
	attr.log_size = log_size;
	attr.log_level = log ? 1 : 0;
	return load(&attr, insns, n);
}

int try_prog(uint32_t type, uint32_t attach_type, uint32_t btf_id, int value)
{
	const struct bpf_insn insns[] = {MOV(BPF_REG_0, value), EXIT()};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = type;
	attr.expected_attach_type = attach_type;
	attr.attach_btf_id = btf_id;
	return load(&attr, insns, 2);
}

int probe_prog(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	union bpf_attr attr;
	const struct bpf_insn insns[] = {MOV(BPF_REG_0, 0), EXIT()};

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = (uint32_t)feature->arg;
	if (feature->arg == BPF_PROG_TYPE_SYSCALL)
		attr.prog_flags = BPF_F_SLEEPABLE;
	return load(&attr, insns, 2);
}

/* A helper that is there complains of its arguments at most. */
int probe_helper(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	const struct bpf_insn insns[] = {INSN(BPF_JMP | BPF_CALL, 0, 0, 0, (int32_t)feature->arg2),
					 MOV(BPF_REG_0, 0), EXIT()};
	_cleanup_free_ char *log = calloc(1, LOG_BYTES);
	int fd = log ? try_insns((uint32_t)feature->arg, insns, 3, log, LOG_BYTES) : -ENOMEM;

	if (fd >= 0)
		return fd;
	if (!log || !log[0])
		return fd;
	if (strstr(log, "unknown func") || strstr(log, "invalid func") ||
	    strstr(log, "cannot use helper"))
		return -EINVAL;
	return 0;
}

int probe_insns(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	enum { ATOMIC = BPF_STX | BPF_ATOMIC | BPF_DW, ACQUIRE = 0x100, JCOND = 0xe0, LENGTH = 4 };
	const struct bpf_insn insns[][LENGTH] = {
		[INSNS_ATOMIC] = {ZERO_STACK(), MOV(BPF_REG_0, 1),
				  INSN(ATOMIC, BPF_REG_10, BPF_REG_0, -8, BPF_ADD | BPF_FETCH),
				  EXIT()},
		/* r0 = (s8)r0 */
		[INSNS_V4] = {ZERO_STACK(), MOV(BPF_REG_0, 1),
			      INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_0, BPF_REG_0, 8, 0),
			      EXIT()},
		[INSNS_MAY_GOTO] = {MOV(BPF_REG_0, 0), INSN(BPF_JMP | JCOND, 0, 0, 1, 0),
				    INSN(BPF_JMP | BPF_JA, 0, 0, -2, 0), EXIT()},
		[INSNS_LOAD_ACQUIRE] = {ZERO_STACK(), MOV(BPF_REG_0, 1),
					INSN(ATOMIC, BPF_REG_0, BPF_REG_10, -8, ACQUIRE), EXIT()},
		[INSNS_CALL] = {INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 1), EXIT(),
				MOV(BPF_REG_0, 0), EXIT()},
	};

	return try_insns(BPF_PROG_TYPE_SOCKET_FILTER, insns[feature->arg], LENGTH, NULL, 0);
}

int probe_loop(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	const struct bpf_insn insns[] = {
		MOV(BPF_REG_0, 10),
		INSN(BPF_ALU64 | BPF_SUB | BPF_K, BPF_REG_0, 0, 0, 1),
		INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0, 0, -2, 0),
		EXIT(),
	};

	return try_insns(BPF_PROG_TYPE_TRACEPOINT, insns, 4, NULL, 0);
}

/* Other types could be run earlier; raw tracepoints are what takes any context. */
int probe_run(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	_cleanup_close_ int prog = try_prog(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0, 0);
	union bpf_attr attr;

	if (prog < 0)
		return prog;
	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)prog;
	return skep_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr));
}

/*
 * Before 6.1 the kernel allocated elements of such hashes with kmalloc()
 * wherever the program ran; it refused that to perf event programs and only
 * warned the other tracing types, where it may deadlock. So what holds for
 * perf events holds for all.
 */
int probe_noprealloc(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	_cleanup_close_ int map = try_map(BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, -1, -1);
	const struct bpf_insn insns[] = {
		INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0), MOV(BPF_REG_0, 0), EXIT()};

	return map < 0 ? map : try_insns(BPF_PROG_TYPE_PERF_EVENT, insns, 4, NULL, 0);
}
