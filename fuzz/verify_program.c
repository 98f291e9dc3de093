/*
 * The verifier against the checked interpreter: what it accepts stays within what it was given.
 *
 * The input is a program with its type and how to verify it. If it is accepted it runs, on a packet
 * or a context, in the interpreter that looks at every access: one that it refuses is the
 * verifier's mistake. What it must stop at all the same is in is_fine(). And who may do less is
 * never accepted with more: a program that needs no privileges is accepted with them, and what is
 * accepted as the kernel does, in the extended mode too.
 *
 * Four bytes come first (struct head), instructions behind. What they name is among what there is
 * here: maps by their number in `specs`. Seeds are written by seeds.py.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <skep/btf.h>
#include <skep/isa.h>
#include <skep/machine.h>
#include <skep/map.h>
#include <skep/verify.h>

#include "base/buf.h"
#include "base/fd.h"
#include "machine/wire.h"

#define MOST_INSNS 256
#define BUDGET     20000

enum command { MAP_CREATE = 0, MAP_UPDATE = 2, PROG_LOAD = 5, TEST_RUN = 10, BTF_LOAD = 18 };

struct head {
	uint8_t how;    /* HOW_… */
	uint8_t type;   /* of program: index into types */
	uint8_t packet; /* its bytes begin with that one and grow by one */
	uint8_t attach; /* expected_attach_type, where the type has a choice */
};

enum {
	HOW_UNPRIVILEGED = 1 << 0,
	HOW_EXTENDED = 1 << 1,
	HOW_LOG = 3 << 2, /* the level */
	HOW_RAW = 1 << 4, /* instructions as they are, not made to be some */
	HOW_STRICT = 1 << 5,
	HOW_MANY_STATES = 1 << 6,
	HOW_NO_PRUNING = 1 << 7,
};

/* What can be run on data: type, bytes of its context, attach type if it must have one. The first
 * two may be loaded without privileges. */
static const struct type {
	uint8_t type, ctx_bytes, attach;
	bool data;
} types[] = {
	{1, 0, 0, true},     /* socket_filter */
	{8, 0, 0, true},     /* cgroup_skb */
	{3, 0, 0, true},     /* sched_cls */
	{6, 0, 0, true},     /* xdp */
	{10, 0, 0, true},    /* lwt_in */
	{12, 0, 0, true},    /* lwt_xmit */
	{17, 32, 0, false},  /* raw_tracepoint */
	{22, 0, 0, true},    /* flow_dissector */
	{30, 72, 36, false}, /* sk_lookup */
	{31, 64, 0, false},  /* syscall */
	{32, 0, 45, true},   /* netfilter */
};
#define N_TYPES      (sizeof(types) / sizeof(types[0]))
#define UNPRIVILEGED 2 /* of them */

static const struct {
	uint8_t type, key, value, entries;
	bool item; /* its values are struct item */
} specs[] = {
	{SKEP_MAP_ARRAY, 4, 24, 1, false},        {SKEP_MAP_HASH, 8, 8, 4, false},
	{SKEP_MAP_PERCPU_ARRAY, 4, 16, 2, false}, {SKEP_MAP_PROG_ARRAY, 4, 4, 4, false},
	{SKEP_MAP_QUEUE, 0, 8, 4, false},         {SKEP_MAP_LRU_HASH, 4, 16, 4, false},
	{SKEP_MAP_RINGBUF, 0, 0, 0, false},       {SKEP_MAP_ARRAY, 4, 40, 2, true},
};
#define N_MAPS (sizeof(specs) / sizeof(specs[0]))

static struct skep_verify_opts how;
static struct skep_machine *machine;
static int maps[N_MAPS];
static char log_text[1 << 16];

/* --- What there is --------------------------------------------------------------------------- */

static uint32_t item_type;
static uint32_t kfuncs[5]; /* functions of the kernel */

static void write_item(struct skep_btf_writer *writer, uint32_t word, uint32_t wide)
{
	uint32_t two = skep_btf_add_array(writer, wide, 2), lock, timer;

	lock = skep_btf_add_struct(writer, "bpf_spin_lock", 4);
	skep_btf_add_member(writer, "val", word, 0);
	timer = skep_btf_add_struct(writer, "bpf_timer", 16);
	skep_btf_add_member(writer, "opaque", two, 0);
	item_type = skep_btf_add_struct(writer, "item", 40);
	skep_btf_add_member(writer, "n", wide, 0);
	skep_btf_add_member(writer, "lock", lock, 64);
	skep_btf_add_member(writer, "timer", timer, 128);
	skep_btf_add_member(writer, "last", wide, 256);
}

static void write_kfuncs(struct skep_btf_writer *writer, uint32_t word, uint32_t wide)
{
	uint32_t iter = skep_btf_add_struct(writer, "bpf_iter_num", 8), proto, to_iter, to_word;

	skep_btf_add_member(writer, "opaque", wide, 0);
	to_iter = skep_btf_add_ptr(writer, iter);
	to_word = skep_btf_add_ptr(writer, word);
	proto = skep_btf_add_func_proto(writer, word);
	skep_btf_add_param(writer, "it", to_iter);
	skep_btf_add_param(writer, "start", word);
	skep_btf_add_param(writer, "end", word);
	kfuncs[0] = skep_btf_add_func(writer, "bpf_iter_num_new", proto, true);
	proto = skep_btf_add_func_proto(writer, to_word);
	skep_btf_add_param(writer, "it", to_iter);
	kfuncs[1] = skep_btf_add_func(writer, "bpf_iter_num_next", proto, true);
	proto = skep_btf_add_func_proto(writer, 0);
	skep_btf_add_param(writer, "it", to_iter);
	kfuncs[2] = skep_btf_add_func(writer, "bpf_iter_num_destroy", proto, true);
	proto = skep_btf_add_func_proto(writer, 0);
	kfuncs[3] = skep_btf_add_func(writer, "bpf_rcu_read_lock", proto, true);
	kfuncs[4] = skep_btf_add_func(writer, "bpf_rcu_read_unlock", proto, true);
}

/* Types of the values of the last map, with a lock and a timer, and of the kernel's functions. */
static void write_types(struct skep_btf_writer *writer)
{
	uint32_t word = skep_btf_add_int(writer, "int", 4, true);
	uint32_t wide = skep_btf_add_int(writer, "unsigned long", 8, false);

	write_item(writer, word, wide);
	write_kfuncs(writer, word, wide);
}

static int call(int cmd, union attr *attr)
{
	return skep_machine_bpf(machine, cmd, (union bpf_attr *)attr, sizeof(*attr));
}

static void make_maps(const void *btf, size_t btf_bytes)
{
	union attr load = {.btf_load = {.btf = (uintptr_t)btf, .size = (uint32_t)btf_bytes}};
	int btf_fd = call(BTF_LOAD, &load);

	for (size_t i = 0; i < N_MAPS; i++) {
		union attr attr = {.map_create = {.type = specs[i].type,
						  .key_size = specs[i].key,
						  .value_size = specs[i].value,
						  .max_entries = specs[i].entries}};

		if (specs[i].type == SKEP_MAP_RINGBUF)
			attr.map_create.max_entries = 4096;
		if (specs[i].item) {
			attr.map_create.btf_fd = (uint32_t)btf_fd;
			attr.map_create.btf_key_type_id = 1;
			attr.map_create.btf_value_type_id = item_type;
		}
		maps[i] = call(MAP_CREATE, &attr);
		if (maps[i] < 0)
			abort();
	}
}

static void set_up(void)
{
	struct skep_btf_writer *writer = skep_btf_writer_new();
	int fd = memfd_create("btf", MFD_CLOEXEC);
	static char path[32];
	const struct skep_machine_opts opts = {.exec = &skep_exec_checked,
					       .budget = BUDGET,
					       .verify_opts = &how,
					       .kernel_btf = path};
	void *data;
	size_t size;

	write_types(writer);
	skep_btf_finish(writer, &data, &size);
	skep_btf_writer_free(writer);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size || skep_machine_new(&opts, &machine))
		abort();
	close(fd);
	make_maps(data, size);
	free(data);
}

/* --- Instructions ---------------------------------------------------------------------------- */

/* Registers there are, jumps within the program, functions that there are. */
static void tame(struct skep_insn *insn, uint32_t at, uint32_t n)
{
	unsigned class = insn->code & 7, op = insn->code & 0xf0;

	insn->dst %= 11;
	if (class == SKEP_JMP && op == SKEP_CALL)
		insn->src %= 3;
	else if (insn->code != (SKEP_LD | SKEP_DW | SKEP_IMM))
		insn->src %= 11;
	if ((class != SKEP_JMP && class != SKEP_JMP32) || op == SKEP_CALL || op == SKEP_EXIT)
		return;
	if (insn->off < -(int)at - 1 || insn->off >= (int)(n - at) - 1)
		insn->off = (int16_t)(insn->off % (int)(n - at));
}

static void name(struct skep_insn *insn)
{
	bool loads = insn->code == (SKEP_LD | SKEP_DW | SKEP_IMM);

	if (loads && (insn->src == SKEP_PSEUDO_MAP_FD || insn->src == SKEP_PSEUDO_MAP_VALUE))
		insn->imm = maps[(uint32_t)insn->imm % N_MAPS];
	if (insn->code == (SKEP_JMP | SKEP_CALL) && insn->src == SKEP_CALL_KFUNC)
		insn->imm = kfuncs[(uint32_t)insn->imm % 5];
}

static void prepare(const struct head *head, struct skep_insn *insns, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (!(head->how & HOW_RAW))
			tame(&insns[i], i, n);
		name(&insns[i]);
	}
}

/* --- One program ----------------------------------------------------------------------------- */

static const struct type *type_of(const struct head *head)
{
	return &types[head->type % (head->how & HOW_UNPRIVILEGED ? UNPRIVILEGED : N_TYPES)];
}

static int load(const struct head *head, const struct skep_insn *insns, uint32_t n)
{
	const struct type *type = type_of(head);
	union attr attr = {.prog_load = {.type = type->type,
					 .insn_cnt = n,
					 .insns = (uintptr_t)insns,
					 .license = (uintptr_t) "GPL",
					 .expected_attach_type = type->attach}};

	how = (struct skep_verify_opts){
		.mode = head->how & HOW_EXTENDED ? SKEP_VERIFY_EXTENDED : SKEP_VERIFY_KERNEL,
		.unprivileged = head->how & HOW_UNPRIVILEGED,
		.no_pruning = head->how & HOW_NO_PRUNING,
		.most_insns = 10000,
		.time_ns = UINT64_C(5000000000),
		.memory_bytes = 64u << 20,
	};
	attr.prog_load.flags = (head->how & HOW_STRICT ? 1u << 0 : 0) |
			       (head->how & HOW_MANY_STATES ? 1u << 3 : 0);
	attr.prog_load.log_level = (head->how & HOW_LOG) >> 2;
	if (attr.prog_load.log_level) {
		attr.prog_load.log_buf = (uintptr_t)log_text;
		attr.prog_load.log_size = sizeof(log_text);
	}
	return call(PROG_LOAD, &attr);
}

static void run(const struct head *head, int fd)
{
	const struct type *type = type_of(head);
	static uint8_t out[4096];
	uint8_t packet[80], ctx[80] = {0};
	union attr attr = {.test = {.prog_fd = (uint32_t)fd}};

	for (size_t i = 0; i < sizeof(packet); i++)
		packet[i] = (uint8_t)(head->packet + i);
	memcpy(ctx, packet, type->type == 17 || type->type == 31 ? sizeof(ctx) : 0);
	if (type->data) {
		attr.test.data_in = (uintptr_t)packet;
		attr.test.data_size_in = 14 + head->packet % (sizeof(packet) - 14);
		attr.test.data_out = (uintptr_t)out;
		attr.test.data_size_out = sizeof(out);
	}
	if (type->ctx_bytes) {
		attr.test.ctx_in = (uintptr_t)ctx;
		attr.test.ctx_size_in = type->ctx_bytes;
	}
	call(TEST_RUN, &attr);
}

/* What ends a run of a program that was rightly accepted. */
static bool is_fine(const struct head *head, const struct skep_fault *fault)
{
	if (fault->insn == SKEP_FAULT_ANYWHERE)
		return true; /* too long for the budget */
	if (strstr(fault->why, "no meaning in user space") ||
	    strstr(fault->why, "could not resolve"))
		return true;
	/* Who has privileges may read what is left on the stack. */
	return !(head->how & HOW_UNPRIVILEGED) && strstr(fault->why, "never written");
}

static void complain(const char *what, const struct skep_insn *insns, uint32_t n)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_disasm(insns, n, NULL, &text);
	fprintf(stderr, "%s\n%s\n", what, text.data ? text.data : "");
	abort();
}

static void check_run(const struct head *head, int fd, const struct skep_insn *insns, uint32_t n)
{
	const struct skep_program *program = skep_machine_program(machine, fd);
	struct skep_fault fault;
	char what[700];

	if (skep_machine_fault(machine, program, &fault) && !is_fine(head, &fault)) {
		snprintf(what, sizeof(what), "accepted, and stopped at %u: %s (%s)", fault.insn,
			 fault.why, fault.registers);
		complain(what, insns, n);
	}
	skep_machine_program_put(machine, program);
}

/* Whoever may do more, or is asked to see more, accepts it too. */
static void check_more(struct head head, uint8_t without, uint8_t with,
		       const struct skep_insn *insns, uint32_t n)
{
	const uint8_t before = head.how;
	_cleanup_close_ int fd = -1;

	head.type %= UNPRIVILEGED; /* the same with and without privileges */
	head.how = (uint8_t)((head.how & ~without) | with);
	if (head.how == before)
		return;
	fd = load(&head, insns, n);
	if (fd < 0 && errno != E2BIG && errno != EAGAIN && errno != ENOMEM && errno != ENOSPC)
		complain("accepted by who may do less alone", insns, n);
}

static void one_program(const struct head *head, const struct skep_insn *insns, uint32_t n)
{
	_cleanup_close_ int fd = load(head, insns, n);

	if (fd < 0)
		return;
	run(head, fd);
	check_run(head, fd, insns, n);
	if (head->how & HOW_UNPRIVILEGED)
		check_more(*head, HOW_UNPRIVILEGED, 0, insns, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skep_insn insns[MOST_INSNS];
	struct head head;
	size_t n;

	if (size < sizeof(head))
		return 0;
	if (!machine)
		set_up();
	memcpy(&head, data, sizeof(head));
	n = (size - sizeof(head)) / sizeof(insns[0]);
	n = n < MOST_INSNS ? n : MOST_INSNS;
	memcpy(insns, data + sizeof(head), n * sizeof(insns[0]));
	prepare(&head, insns, (uint32_t)n);
	one_program(&head, insns, (uint32_t)n);
	return 0;
}

/* --- Making others of it: by instructions, and jumps go where they went ---------------------- */

extern size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most) __attribute__((weak));
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);

static uint32_t next(unsigned *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static struct skep_insn random_insn(unsigned *seed)
{
	static const int32_t numbers[] = {0, 1, 2, 4, 8, 14, 16, 20, 24, 64, -1, -8, 255, 65535};
	struct skep_insn insn;
	enum skep_op op;
	unsigned slots;

	do {
		insn = skep_insn_raw((int)(next(seed) & 255), (int)(next(seed) % 11),
				     (int)(next(seed) % 11), 0, 0);
		insn.off = (int16_t)(next(seed) % 3 ? -8 * (int)(next(seed) % 8)
						    : (int)(next(seed) % 32));
		insn.imm = numbers[next(seed) % (sizeof(numbers) / sizeof(numbers[0]))];
		if (insn.code == (SKEP_JMP | SKEP_CALL))
			insn.src = 0, insn.imm = (int32_t)(next(seed) % 212);
		if ((insn.code & 7) == SKEP_JMP || (insn.code & 7) == SKEP_JMP32)
			insn.off = (int16_t)(next(seed) % 8);
		if ((insn.code & 7) < 4 || (insn.code & 8) == 0)
			insn.src = (insn.code & 8)               ? insn.src
				   : (insn.code & 7) == SKEP_LDX ? insn.src
								 : 0;
		if ((insn.code & 7) >= SKEP_ALU && (insn.code & 8))
			insn.imm = 0;
		if ((insn.code & 7) == SKEP_ALU || (insn.code & 7) == SKEP_ALU64)
			insn.off = 0;
	} while (insn.code == (SKEP_LD | SKEP_DW | SKEP_IMM) ||
		 skep_isa_decode(&insn, 1, &op, &slots, NULL));
	return insn;
}

static bool jumps(const struct skep_insn *insn)
{
	unsigned class = insn->code & 7, op = insn->code & 0xf0;

	return (class == SKEP_JMP || class == SKEP_JMP32) && op != SKEP_CALL && op != SKEP_EXIT;
}

/* Room for one at @at (@by 1), or that one goes (-1). */
static void shift(struct skep_insn *insns, int n, int at, int by)
{
	for (int i = 0; i < n; i++) {
		int to = i + 1 + insns[i].off;

		if (!jumps(&insns[i]))
			continue;
		if (i < at && to > at)
			insns[i].off = (int16_t)(insns[i].off + by);
		else if (i >= at && to <= at)
			insns[i].off = (int16_t)(insns[i].off - by);
	}
	if (by > 0)
		memmove(&insns[at + 1], &insns[at], (size_t)(n - at) * sizeof(*insns));
	else
		memmove(&insns[at], &insns[at + 1], (size_t)(n - at - 1) * sizeof(*insns));
}

static int change(struct skep_insn *insns, int n, unsigned *seed)
{
	static const int numbers[] = {-8, -1, 1, 2, 4, 8};
	int at = (int)(next(seed) % (unsigned)n), by = numbers[next(seed) % 6];

	switch (next(seed) % 9) {
	case 0: insns[at].dst = next(seed) % 11 & 15; break;
	case 1: insns[at].src = next(seed) % 11 & 15; break;
	case 2: insns[at].off = (int16_t)(insns[at].off + by); break;
	case 3: insns[at].imm = (int32_t)((uint32_t)insns[at].imm + (uint32_t)by); break;
	case 4: insns[at].imm = (int32_t)((uint32_t)insns[at].imm ^ 1u << next(seed) % 32); break;
	case 5: insns[at] = random_insn(seed); break;
	case 6: insns[at].code ^= (uint8_t)(1u << next(seed) % 8); break;
	case 7:
		if (n == MOST_INSNS)
			break;
		shift(insns, n++, at, 1);
		insns[at] = next(seed) % 2 ? random_insn(seed) : insns[next(seed) % (unsigned)n];
		break;
	case 8:
		if (n > 1)
			shift(insns, n--, at, -1);
		break;
	}
	return n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
	struct skep_insn insns[MOST_INSNS];
	size_t head = sizeof(struct head);
	int n = size < head ? 0 : (int)((size - head) / sizeof(insns[0]));

	if (n < 1 || n > MOST_INSNS || most < head + (size_t)(n + 4) * 8 || next(&seed) % 16 == 0)
		return LLVMFuzzerMutate(data, size, most);
	if (next(&seed) % 8 == 0)
		data[next(&seed) % head] = (uint8_t)next(&seed);
	memcpy(insns, data + head, (size_t)n * sizeof(insns[0]));
	for (unsigned i = 1 + next(&seed) % 3; i; i--)
		n = change(insns, n, &seed);
	memcpy(data + head, insns, (size_t)n * sizeof(insns[0]));
	return head + (size_t)n * sizeof(insns[0]);
}
