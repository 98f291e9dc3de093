/* A case in an engine: maps set, program loaded, run once by PROG_TEST_RUN, all that it left read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skep/machine.h>
#include <skep/map.h>

#include "base/fd.h"

#include "lab.h"

#define HASH_AT_FIRST 3 /* keys 0, 1, 2 */
#define BUDGET        (1u << 24)

const char *const lab_engine_names[LAB_ENGINES] = {
	"checked",           "interp",       "jit",   "interp with a budget",
	"jit with a budget", "jit, blinded", "kernel"};

static const struct skep_machine_opts machines[LAB_KERNEL] = {
	[LAB_CHECKED] = {.unverified = true},
	[LAB_INTERP] = {.exec = &skep_exec_interp},
	[LAB_JIT] = {.exec = &skep_exec_jit},
	[LAB_INTERP_BUDGET] = {.exec = &skep_exec_interp,
			       .exec_opts.budget = true,
			       .budget = BUDGET},
	[LAB_JIT_BUDGET] = {.exec = &skep_exec_jit, .exec_opts.budget = true, .budget = BUDGET},
	[LAB_JIT_BLIND] = {.exec = &skep_exec_jit, .exec_opts.blind_constants = true},
};

static struct side {
	struct skep_machine *machine; /* NULL: the kernel */
	int maps[LAB_MAPS];
	struct skep_map *direct[LAB_MAPS]; /* the machine's, with a reference: quicker to look at */
	int btf;
	bool open;
} sides[LAB_ENGINES];

static int call(const struct side *side, int cmd, union bpf_attr *attr)
{
	long ret;

	if (side->machine)
		ret = skep_machine_bpf(side->machine, cmd, attr, sizeof(*attr));
	else
		ret = syscall(__NR_bpf, cmd, attr, sizeof(*attr));
	return ret < 0 ? -errno : (int)ret;
}

/* --- Maps ------------------------------------------------------------------------------------ */

static const struct {
	uint32_t type, value_bytes, entries;
} maps[LAB_MAPS] = {
	[LAB_ARRAY] = {BPF_MAP_TYPE_ARRAY, ARRAY_BYTES, ARRAY_ENTRIES},
	[LAB_HASH] = {BPF_MAP_TYPE_HASH, HASH_BYTES, HASH_ENTRIES},
};

static int make_maps(struct side *side)
{
	for (int m = 0; m < LAB_MAPS; m++) {
		union bpf_attr attr = {.map_type = maps[m].type,
				       .key_size = 4,
				       .value_size = maps[m].value_bytes,
				       .max_entries = maps[m].entries};

		side->maps[m] = call(side, BPF_MAP_CREATE, &attr);
		if (side->maps[m] < 0)
			return side->maps[m];
		if (side->machine)
			side->direct[m] = skep_machine_map(side->machine, side->maps[m]);
	}
	return 0;
}

enum act { LOOKUP, UPDATE, DELETE };

static int on_machine(struct skep_map *map, enum act act, uint32_t key, void *value)
{
	switch (act) {
	case LOOKUP: return skep_map_sys_lookup(map, &key, value, 0);
	case UPDATE: return skep_map_sys_update(map, &key, value, 0);
	default: return skep_map_sys_delete(map, &key);
	}
}

static int element(const struct side *side, enum act act, enum lab_map map, uint32_t key,
		   void *value)
{
	static const int commands[] = {BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM,
				       BPF_MAP_DELETE_ELEM};
	union bpf_attr attr = {.map_fd = (uint32_t)side->maps[map],
			       .key = (uintptr_t)&key,
			       .value = (uintptr_t)value};

	if (side->machine)
		return on_machine(side->direct[map], act, key, value);
	return call(side, commands[act], &attr);
}

static void set_value(uint8_t *value, uint32_t bytes, uint32_t key)
{
	for (uint32_t i = 0; i < bytes; i++)
		value[i] = (uint8_t)(i * 29 + key * 71 + 5);
}

static void set_maps(const struct side *side)
{
	uint8_t value[ARRAY_BYTES];

	for (uint32_t key = 0; key < ARRAY_ENTRIES; key++) {
		set_value(value, ARRAY_BYTES, key);
		element(side, UPDATE, LAB_ARRAY, key, value);
	}
	for (uint32_t key = HASH_AT_FIRST; key < HASH_KEYS; key++)
		element(side, DELETE, LAB_HASH, key, NULL);
	for (uint32_t key = 0; key < HASH_AT_FIRST; key++) {
		set_value(value, HASH_BYTES, key);
		element(side, UPDATE, LAB_HASH, key, value);
	}
}

static void read_maps(const struct side *side, struct lab_outcome *ret)
{
	for (uint32_t key = 0; key < ARRAY_ENTRIES; key++)
		element(side, LOOKUP, LAB_ARRAY, key, ret->array[key]);
	for (uint32_t key = 0; key < HASH_KEYS; key++)
		ret->in_hash[key] = !element(side, LOOKUP, LAB_HASH, key, ret->hash[key]);
}

/* --- Types: the kernel wants to know that what is called back is a function ------------------ */

#define KIND(kind) ((kind) << 24)

/* One type of function for all: static int f(void). */
static const struct {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t header_bytes, types_off, types_bytes, names_off, names_bytes;
	uint32_t integer[4], proto[3], func[3];
	char names[7];
} types = {
	.magic = 0xeb9f,
	.version = 1,
	.header_bytes = 24,
	.types_bytes = 40,
	.names_off = 40,
	.names_bytes = 7,
	.integer = {1, KIND(1u), 4, KIND(1u) | 32},
	.proto = {0, KIND(13u), 1},
	.func = {5, KIND(12u), 2},
	.names = "\0int\0f",
};
enum { MOST_FUNCS = 64, FUNC_TYPE = 3, TYPES_BYTES = 24 + 40 + 7 };

static int load_types(struct side *side)
{
	union bpf_attr attr = {.btf = (uintptr_t)&types, .btf_size = TYPES_BYTES};

	side->btf = call(side, BPF_BTF_LOAD, &attr);
	return side->btf < 0 ? side->btf : 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct bpf_func_info *of_a = a, *of_b = b;

	return of_a->insn_off < of_b->insn_off ? -1 : of_a->insn_off > of_b->insn_off;
}

static bool names_function(const struct skep_insn *insn)
{
	if (insn->code == (SKEP_JMP | SKEP_CALL))
		return insn->src == SKEP_CALL_LOCAL;
	return insn->code == (SKEP_LD | SKEP_DW | SKEP_IMM) && insn->src == SKEP_PSEUDO_FUNC;
}

/* Ascending, each once: the main program, and what is called. Return how many. */
static uint32_t find_functions(const struct lab_case *lab, struct bpf_func_info *infos)
{
	uint32_t n = 1, kept = 1;

	infos[0] = (struct bpf_func_info){0, FUNC_TYPE};
	for (uint32_t i = 0; i < lab->n && n < MOST_FUNCS; i++)
		if (names_function(&lab->insns[i]))
			infos[n++] = (struct bpf_func_info){i + 1 + (uint32_t)lab->insns[i].imm,
							    FUNC_TYPE};
	qsort(infos, n, sizeof(*infos), by_offset);
	for (uint32_t i = 1; i < n; i++)
		if (infos[i].insn_off != infos[kept - 1].insn_off)
			infos[kept++] = infos[i];
	return kept;
}

/* --- A run ----------------------------------------------------------------------------------- */

static bool is_map_load(const struct skep_insn *insn)
{
	return insn->code == (SKEP_LD | SKEP_DW | SKEP_IMM) && insn->src == SKEP_PSEUDO_MAP_FD;
}

static bool uses_maps(const struct lab_case *lab)
{
	for (uint32_t i = 0; i < lab->n; i++)
		if (is_map_load(&lab->insns[i]))
			return true;
	return false;
}

static int load(const struct side *side, const struct lab_case *lab, struct skep_buf *log)
{
	struct skep_insn insns[MOST_INSNS];
	struct bpf_func_info infos[MOST_FUNCS];
	_cleanup_free_ char *text = log ? calloc(1, 1 << 20) : NULL;
	union bpf_attr attr = {
		.prog_type = lab->is_xdp ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SCHED_CLS,
		.insns = (uintptr_t)insns,
		.insn_cnt = lab->n,
		.license = (uintptr_t) "GPL",
		.log_level = text ? 1 : 0,
		.log_buf = (uintptr_t)text,
		.log_size = text ? 1 << 20 : 0,
	};

	attr.prog_btf_fd = (uint32_t)side->btf;
	attr.func_info_cnt = find_functions(lab, infos);
	attr.func_info = (uintptr_t)infos;
	attr.func_info_rec_size = sizeof(*infos);
	memcpy(insns, lab->insns, lab->n * sizeof(*insns));
	for (uint32_t i = 0; i < lab->n; i++)
		if (is_map_load(&insns[i]))
			insns[i].imm = side->maps[insns[i].imm];
	int fd = call(side, BPF_PROG_LOAD, &attr);
	if (text)
		skep_buf_puts(log, text);
	return fd;
}

static void run(const struct side *side, const struct lab_case *lab, int fd,
		struct lab_outcome *ret)
{
	union bpf_attr attr = {.test = {
				       .prog_fd = (uint32_t)fd,
				       .data_in = (uintptr_t)lab->packet,
				       .data_size_in = lab->packet_bytes,
				       .data_out = (uintptr_t)ret->out,
				       .data_size_out = sizeof(ret->out),
			       }};

	if (!lab->is_xdp) {
		attr.test.ctx_in = (uintptr_t)&lab->skb;
		attr.test.ctx_size_in = sizeof(lab->skb);
		attr.test.ctx_out = (uintptr_t)&ret->skb;
		attr.test.ctx_size_out = sizeof(ret->skb);
	}
	ret->run_err = call(side, BPF_PROG_TEST_RUN, &attr);
	ret->retval = attr.test.retval;
	ret->out_bytes = attr.test.data_size_out;
}

static void note_fault(const struct side *side, int fd, struct lab_outcome *ret)
{
	const struct skep_program *program = skep_machine_program(side->machine, fd);
	struct skep_fault fault;

	if (skep_machine_fault(side->machine, program, &fault))
		snprintf(ret->fault, sizeof(ret->fault), "instruction %u: %s", fault.insn,
			 fault.why);
	skep_machine_program_put(side->machine, program);
}

void lab_run(enum lab_engine engine, const struct lab_case *lab, struct lab_outcome *ret,
	     struct skep_buf *log)
{
	const struct side *side = &sides[engine];
	bool with_maps = uses_maps(lab);

	memset(ret, 0, sizeof(*ret));
	if (with_maps)
		set_maps(side);
	int fd = load(side, lab, log);
	if (fd < 0) {
		ret->load_err = fd;
		return;
	}
	run(side, lab, fd, ret);
	if (side->machine)
		note_fault(side, fd, ret);
	if (with_maps)
		read_maps(side, ret);
	close(fd);
}

/* --- All engines ----------------------------------------------------------------------------- */

int lab_open(bool kernel)
{
	for (int e = 0; e < LAB_ENGINES; e++) {
		int err = 0;

		if (e == LAB_KERNEL && !kernel)
			continue;
		if (e < LAB_KERNEL)
			err = skep_machine_new(&machines[e], &sides[e].machine);
		if (!err)
			err = make_maps(&sides[e]);
		if (!err)
			err = load_types(&sides[e]);
		if (err)
			return err;
		sides[e].open = true;
	}
	return 0;
}

void lab_close(void)
{
	for (int e = 0; e < LAB_ENGINES; e++) {
		for (int m = 0; sides[e].open && m < LAB_MAPS; m++) {
			skep_map_unref(sides[e].direct[m]);
			close(sides[e].maps[m]);
		}
		if (sides[e].open)
			close(sides[e].btf);
		skep_machine_free(sides[e].machine);
		sides[e] = (struct side){0};
	}
}

/* --- What differs ---------------------------------------------------------------------------- */

static const char *differ_bytes(const char *what, const void *a, const void *b, size_t n,
				char text[200])
{
	const uint8_t *of_a = a, *of_b = b;

	for (size_t i = 0; i < n; i++)
		if (of_a[i] != of_b[i]) {
			snprintf(text, 200, "%s, byte %zu: %#x, %#x", what, i, of_a[i], of_b[i]);
			return text;
		}
	return NULL;
}

static const char *differ_number(const char *what, uint32_t a, uint32_t b, char text[200])
{
	if (a == b)
		return NULL;
	snprintf(text, 200, "%s: %#x, %#x", what, a, b);
	return text;
}

static const char *differ_maps(const struct lab_outcome *a, const struct lab_outcome *b,
			       char text[200])
{
	const char *what = differ_bytes("array", a->array, b->array, sizeof(a->array), text);

	if (!what)
		what = differ_bytes("keys", a->in_hash, b->in_hash, sizeof(a->in_hash), text);
	return what ? what : differ_bytes("hash", a->hash, b->hash, sizeof(a->hash), text);
}

const char *lab_differ(const struct lab_outcome *a, const struct lab_outcome *b, char text[200])
{
	const char *what;

	if (*a->fault || *b->fault) {
		snprintf(text, 200, "refused: %.180s", *a->fault ? a->fault : b->fault);
		return text;
	}
	what = differ_number("-errno of loading", (uint32_t)a->load_err, (uint32_t)b->load_err,
			     text);
	if (!what)
		what = differ_number("-errno of the run", (uint32_t)a->run_err,
				     (uint32_t)b->run_err, text);
	if (!what)
		what = differ_number("result", a->retval, b->retval, text);
	if (!what)
		what = differ_number("length", a->out_bytes, b->out_bytes, text);
	if (!what)
		what = differ_bytes("packet", a->out, b->out, sizeof(a->out), text);
	if (!what)
		what = differ_bytes("context", &a->skb, &b->skb, sizeof(a->skb), text);
	return what ? what : differ_maps(a, b, text);
}
