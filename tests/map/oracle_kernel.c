/*
 * The kernel's side of the oracle: bpf(2), and for what only programs do a small
 * program for each map, which reads from a mapped array what it should do.
 */
#include "oracle.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEY_ROOM   512
#define VALUE_ROOM 2048

struct control {
	uint64_t kind, flags, ret, found;
	uint8_t key[KEY_ROOM];
	uint8_t value[VALUE_ROOM];
};

static long bpf(int cmd, union bpf_attr *attr)
{
	long ret = syscall(__NR_bpf, cmd, attr, sizeof(*attr));

	return ret < 0 ? -errno : ret;
}

static uint64_t pointer(const void *at)
{
	return (uint64_t)(uintptr_t)at;
}

/* --- The program ------------------------------------------------------------------------------ */

#define INSN(c, d, s, o, i)                                                                        \
	((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define CONTROL(field) offsetof(struct control, field)

struct code {
	struct bpf_insn insns[1024];
	uint32_t n;
};

static void emit(struct code *code, struct bpf_insn insn)
{
	code->insns[code->n++] = insn;
}

static void emit_map(struct code *code, int reg, int pseudo, int fd)
{
	emit(code, INSN(BPF_LD | BPF_IMM | BPF_DW, reg, pseudo, 0, fd));
	emit(code, INSN(0, 0, 0, 0, 0));
}

/* r = control + off */
static void emit_field(struct code *code, int reg, size_t off)
{
	emit(code, INSN(BPF_ALU64 | BPF_MOV | BPF_X, reg, BPF_REG_6, 0, 0));
	emit(code, INSN(BPF_ALU64 | BPF_ADD | BPF_K, reg, 0, 0, (int)off));
}

static void emit_load_flags(struct code *code, int reg)
{
	emit(code, INSN(BPF_LDX | BPF_MEM | BPF_DW, reg, BPF_REG_6, CONTROL(flags), 0));
}

static void emit_call(struct code *code, int helper)
{
	emit(code, INSN(BPF_JMP | BPF_CALL, 0, 0, 0, helper));
	emit(code, INSN(BPF_STX | BPF_MEM | BPF_DW, BPF_REG_6, BPF_REG_0, CONTROL(ret), 0));
	emit(code, INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

/* A value that was found goes to control.value, in words and then bytes. */
static void emit_lookup(struct code *code, const struct oracle_case *test)
{
	uint32_t n = test->attr.value_size, i = 0;

	emit_field(code, BPF_REG_2, CONTROL(key));
	emit(code, INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem));
	emit(code, INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0, 0, 1, 0));
	emit(code, INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
	emit(code, INSN(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_6, 0, CONTROL(found), 1));
	for (; i < n; i += i + 8 <= n ? 8 : 1) {
		int size = i + 8 <= n ? BPF_DW : BPF_B;

		emit(code, INSN(BPF_LDX | BPF_MEM | size, BPF_REG_1, BPF_REG_0, (int16_t)i, 0));
		emit(code, INSN(BPF_STX | BPF_MEM | size, BPF_REG_6, BPF_REG_1,
				(int16_t)(CONTROL(value) + i), 0));
	}
	emit(code, INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0));
	emit(code, INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

static void emit_action(struct code *code, const struct oracle_case *test, enum oracle_kind kind)
{
	bool keyed = kind == ORACLE_PROG_UPDATE || kind == ORACLE_PROG_DELETE;
	static const int helpers[ORACLE_KIND_CNT] = {
		[ORACLE_PROG_UPDATE] = BPF_FUNC_map_update_elem,
		[ORACLE_PROG_DELETE] = BPF_FUNC_map_delete_elem,
		[ORACLE_PROG_PUSH] = BPF_FUNC_map_push_elem,
		[ORACLE_PROG_POP] = BPF_FUNC_map_pop_elem,
		[ORACLE_PROG_PEEK] = BPF_FUNC_map_peek_elem,
	};

	if (kind == ORACLE_PROG_LOOKUP) {
		emit_lookup(code, test);
		return;
	}
	emit_field(code, BPF_REG_2, keyed ? CONTROL(key) : CONTROL(value));
	if (kind == ORACLE_PROG_UPDATE) {
		emit_field(code, BPF_REG_3, CONTROL(value));
		emit_load_flags(code, BPF_REG_4);
	} else if (kind == ORACLE_PROG_PUSH) {
		emit_load_flags(code, BPF_REG_3);
	}
	emit_call(code, helpers[kind]);
}

static void write_program(struct code *code, const struct oracle_side *side)
{
	enum oracle_kind first = side->test->type->values ? ORACLE_PROG_PUSH : ORACLE_PROG_LOOKUP;
	enum oracle_kind last = side->test->type->values ? ORACLE_PROG_PEEK : ORACLE_PROG_DELETE;

	/* A Bloom filter never takes anything out. */
	emit_map(code, BPF_REG_6, BPF_PSEUDO_MAP_VALUE, side->control_fd);
	emit_map(code, BPF_REG_1, BPF_PSEUDO_MAP_FD, side->fd);
	emit(code, INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0));
	emit(code, INSN(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_7, BPF_REG_6, CONTROL(kind), 0));
	for (enum oracle_kind kind = first; kind <= last; kind++) {
		uint32_t jump = code->n;

		if (kind == ORACLE_PROG_POP && side->test->attr.type == SKEP_MAP_BLOOM_FILTER)
			continue;
		emit(code, INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_7, 0, 0, (int)kind));
		emit_action(code, side->test, kind);
		code->insns[jump].off = (int16_t)(code->n - jump - 1);
	}
	emit(code, INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

static int make_control(struct oracle_side *side)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY,
			       .key_size = 4,
			       .value_size = sizeof(struct control),
			       .max_entries = 1,
			       .map_flags = BPF_F_MMAPABLE};

	side->control_fd = (int)bpf(BPF_MAP_CREATE, &attr);
	if (side->control_fd < 0)
		return side->control_fd;
	side->control = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED,
			     side->control_fd, 0);
	return side->control == MAP_FAILED ? -errno : 0;
}

static int load_program(struct oracle_side *side)
{
	struct code *code = calloc(1, sizeof(*code));
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
			       .insns = pointer(code->insns),
			       .license = pointer("GPL")};

	write_program(code, side);
	attr.insn_cnt = code->n;
	side->prog = (int)bpf(BPF_PROG_LOAD, &attr);
	free(code);
	return side->prog < 0 ? side->prog : 0;
}

static void run_program(struct oracle_side *side, const struct oracle_op *op,
			struct oracle_result *result)
{
	static const uint8_t packet[64];
	union bpf_attr attr = {.test = {.prog_fd = (uint32_t)side->prog,
					.data_in = pointer(packet),
					.data_size_in = sizeof(packet)}};
	struct control *control = side->control;
	const struct skep_map_attr *map = &side->test->attr;

	control->kind = op->kind;
	control->flags = op->flags;
	control->ret = control->found = 0;
	oracle_key(side->test, op->key, control->key);
	if (op->kind == ORACLE_PROG_PEEK && map->type != SKEP_MAP_BLOOM_FILTER)
		memset(control->value, 0x5a, sizeof(control->value));
	else
		oracle_value(side, op->value, control->value);
	result->ret = bpf(BPF_PROG_TEST_RUN, &attr);
	if (result->ret)
		return;
	result->ret = (long)control->ret;
	result->count = (uint32_t)control->found;
	if (control->found || op->kind == ORACLE_PROG_POP || op->kind == ORACLE_PROG_PEEK) {
		memcpy(result->values, control->value, map->value_size);
		result->value_bytes = map->value_size;
	}
}

/* --- The system call -------------------------------------------------------------------------- */

int oracle_kernel_open(struct oracle_side *side, const struct oracle_case *test)
{
	const struct skep_map_attr *from = &test->attr;
	union bpf_attr attr = {.map_type = from->type,
			       .key_size = from->key_size,
			       .value_size = from->value_size,
			       .max_entries = from->max_entries,
			       .map_flags = from->flags,
			       .numa_node = from->numa_node,
			       .map_extra = from->extra};

	*side = (struct oracle_side){.test = test, .fd = -1, .prog = -1, .control_fd = -1};
	memcpy(attr.map_name, from->name, sizeof(attr.map_name));
	if (test->type->kernel_attr)
		test->type->kernel_attr(from, &attr);
	side->fd = (int)bpf(BPF_MAP_CREATE, &attr);
	if (side->fd < 0)
		return side->fd;
	if (!test->programs)
		return 0;
	if (make_control(side) || load_program(side))
		abort(); /* a case that cannot be asked for is a mistake of the test */
	return 0;
}

void oracle_kernel_close(struct oracle_side *side)
{
	if (side->control)
		munmap(side->control, sizeof(struct control));
	if (side->control_fd >= 0)
		close(side->control_fd);
	if (side->prog >= 0)
		close(side->prog);
	if (side->fd >= 0)
		close(side->fd);
}

static void do_elem(struct oracle_side *side, const struct oracle_op *op,
		    struct oracle_result *result)
{
	static const int commands[] = {
		[ORACLE_LOOKUP] = BPF_MAP_LOOKUP_ELEM,
		[ORACLE_UPDATE] = BPF_MAP_UPDATE_ELEM,
		[ORACLE_DELETE] = BPF_MAP_DELETE_ELEM,
		[ORACLE_LOOKUP_AND_DELETE] = BPF_MAP_LOOKUP_AND_DELETE_ELEM,
		[ORACLE_NEXT_KEY] = BPF_MAP_GET_NEXT_KEY,
	};
	uint8_t key[512];
	union bpf_attr attr = {.map_fd = (uint32_t)side->fd, .flags = op->flags};
	bool next = op->kind == ORACLE_NEXT_KEY;

	oracle_key(side->test, op->key, key);
	attr.key = op->no_key ? 0 : pointer(key);
	attr.value = pointer(next ? result->keys : result->values);
	if (op->kind == ORACLE_UPDATE || side->test->attr.type == SKEP_MAP_BLOOM_FILTER)
		oracle_value(side, op->value, result->values);
	if (op->kind == ORACLE_DELETE)
		attr.value = attr.flags = 0;
	if (next)
		attr.flags = 0;
	result->ret = bpf(commands[op->kind], &attr);
	result->key_bytes = next ? side->test->attr.key_size : 0;
	result->value_bytes = next ? 0 : side->value_size;
}

static void do_batch(struct oracle_side *side, const struct oracle_op *op,
		     struct oracle_result *result)
{
	static const int commands[] = {
		[ORACLE_LOOKUP_BATCH] = BPF_MAP_LOOKUP_BATCH,
		[ORACLE_LOOKUP_AND_DELETE_BATCH] = BPF_MAP_LOOKUP_AND_DELETE_BATCH,
		[ORACLE_UPDATE_BATCH] = BPF_MAP_UPDATE_BATCH,
		[ORACLE_DELETE_BATCH] = BPF_MAP_DELETE_BATCH,
	};
	uint8_t key[512];
	union bpf_attr attr = {.batch = {.map_fd = (uint32_t)side->fd,
					 .out_batch = pointer(result->batch),
					 .keys = pointer(result->keys),
					 .values = pointer(result->values),
					 .count = op->count,
					 .elem_flags = op->elem_flags,
					 .flags = op->flags}};

	oracle_key(side->test, op->key, key);
	if (op->from == ORACLE_FROM_LAST)
		attr.batch.in_batch = pointer(side->last_batch);
	if (op->from == ORACLE_FROM_KEY)
		attr.batch.in_batch = pointer(key);
	result->ret = bpf(commands[op->kind], &attr);
	result->count = attr.batch.count;
}

static void dump(struct oracle_side *side, struct oracle_result *result)
{
	uint32_t key_size = side->test->attr.key_size, n = 0;
	union bpf_attr attr = {.map_fd = (uint32_t)side->fd};

	while (key_size && (n + 1) * key_size <= ORACLE_BUFFER) {
		attr.key = n ? pointer(result->keys + (n - 1) * key_size) : 0;
		attr.next_key = pointer(result->keys + n * key_size);
		result->ret = bpf(BPF_MAP_GET_NEXT_KEY, &attr);
		if (result->ret || (n + 1) * side->value_size > ORACLE_BUFFER)
			break;
		attr.key = attr.next_key;
		attr.value = pointer(result->values + n * side->value_size);
		bpf(BPF_MAP_LOOKUP_ELEM, &attr);
		n++;
	}
	result->count = n;
	result->key_bytes = n * key_size;
	result->value_bytes = n * side->value_size;
}

void oracle_kernel_do(struct oracle_side *side, const struct oracle_op *op,
		      struct oracle_result *result)
{
	union bpf_attr attr = {.map_fd = (uint32_t)side->fd};

	if (op->kind >= ORACLE_PROG_LOOKUP)
		run_program(side, op, result);
	else if (op->kind == ORACLE_DUMP)
		dump(side, result);
	else if (op->kind == ORACLE_FREEZE)
		result->ret = bpf(BPF_MAP_FREEZE, &attr);
	else if (op->kind >= ORACLE_LOOKUP_BATCH)
		do_batch(side, op, result);
	else
		do_elem(side, op, result);
}
