/*
 * Programs that take a verifier's time: see adversaries.h. They are written as text, so that what
 * makes them large can be read.
 */
#include "adversaries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/btf.h>

#include <skep/buf.h>
#include <skep/isa.h>

#define LOG_STATS  4
#define SLOTS      64
#define FRAMES     8
#define LAYERS     7 /* of functions below main */
#define RING_BYTES 4096
#define MOST_FUNCS 256

/* --- Code ------------------------------------------------------------------------------------ */

static void write_straight(struct skep_buf *text, uint32_t n)
{
	skep_buf_puts(text, "r0 = 0\n");
	for (uint32_t i = 0; i < n; i++)
		skep_buf_puts(text, "r0 += 1\n");
	skep_buf_puts(text, "exit\n");
}

/* Each of n jumps doubles the ways, and each way ends with another number that a decision rests
 * on. */
static void write_branches(struct skep_buf *text, uint32_t n)
{
	skep_buf_puts(text, "r6 = 0\n");
	for (uint32_t i = 0; i < n; i++)
		skep_buf_printf(text,
				"call bpf_get_prandom_u32\nif r0 == 0 goto over%u\nr6 += %u\n"
				"over%u:\n",
				i, 1u << i % 30, i);
	skep_buf_puts(text, "r0 = 0\nif r6 == 7 goto end\nr0 = 1\nend:\nexit\n");
}

/* A switch of n cases that meet again, each with a number of its own that matters. */
static void write_switch(struct skep_buf *text, uint32_t n)
{
	skep_buf_puts(text, "call bpf_get_prandom_u32\nr6 = r0\n");
	for (uint32_t i = 0; i < n; i++)
		skep_buf_printf(text, "if r6 == %u goto case%u\n", i, i);
	skep_buf_puts(text, "r0 = 0\ngoto end\n");
	for (uint32_t i = 0; i < n; i++)
		skep_buf_printf(text, "case%u:\nr0 = %u\ngoto end\n", i, i);
	skep_buf_puts(text, "end:\nif r0 > 100000 goto out\nr0 = 0\nout:\nexit\n");
}

static void write_loop(struct skep_buf *text, uint32_t n)
{
	skep_buf_printf(text, "r0 = 0\nagain:\nr0 += 1\nif r0 < %u goto again\nr0 = 0\nexit\n", n);
}

/* n rounds with a stack full of numbers that change, and that matter in the end. */
static void write_spills(struct skep_buf *text, uint32_t n)
{
	for (int s = 1; s <= SLOTS; s++)
		skep_buf_printf(text, "r1 = %d\n*(u64 *)(r10 -%d) = r1\n", s, 8 * s);
	skep_buf_puts(text, "r0 = 0\nagain:\n");
	for (int s = 1; s <= SLOTS; s += 16)
		skep_buf_printf(text, "r1 = *(u64 *)(r10 -%d)\nr1 += 1\n*(u64 *)(r10 -%d) = r1\n",
				8 * s, 8 * s);
	skep_buf_printf(text, "r0 += 1\nif r0 < %u goto again\n", n);
	for (int s = 1; s <= SLOTS; s++)
		skep_buf_printf(text, "r1 = *(u64 *)(r10 -%d)\nif r1 > 100000000 goto end\n",
				8 * s);
	skep_buf_puts(text, "end:\nr0 = 0\nexit\n");
}

/* One function, called from n places: for each it is another. */
static void write_calls(struct skep_buf *text, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		skep_buf_puts(text, "call f\n");
	skep_buf_puts(text, "r0 = 0\nexit\n"
			    "f:\n*(u64 *)(r10 -8) = 1\nr0 = *(u64 *)(r10 -8)\nexit\n");
}

/* Each function calls the next n times: the last is come to in n to the 7th ways, and has much code
 * that is never come to. */
static void write_call_tree(struct skep_buf *text, uint32_t n)
{
	skep_buf_puts(text, "call f1\nr0 = 0\nexit\n");
	for (int layer = 1; layer < LAYERS; layer++) {
		skep_buf_printf(text, "f%d:\n", layer);
		for (uint32_t i = 0; i < n; i++)
			skep_buf_printf(text, "call f%d\n", layer + 1);
		skep_buf_puts(text, "r0 = 0\nexit\n");
	}
	skep_buf_printf(text,
			"f%d:\n*(u64 *)(r10 -8) = 1\nr0 = *(u64 *)(r10 -8)\nr1 = 0\n"
			"if r1 == 0 goto over\n",
			LAYERS);
	for (int i = 0; i < 500; i++)
		skep_buf_puts(text, "r0 += 1\n");
	skep_buf_puts(text, "over:\nr0 = 0\nexit\n");
}

/* Layers of n functions, each of which calls all n of the next: n to the 7th chains of calls. */
static void write_globals(struct skep_buf *text, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		skep_buf_printf(text, "call f1_%u\n", i);
	skep_buf_puts(text, "r0 = 0\nexit\n");
	for (int layer = 1; layer <= LAYERS; layer++) {
		for (uint32_t i = 0; i < n; i++) {
			skep_buf_printf(text, "f%d_%u:\n", layer, i);
			for (uint32_t j = 0; j < n && layer < LAYERS; j++)
				skep_buf_printf(text, "call f%d_%u\n", layer + 1, j);
			skep_buf_puts(text, "r0 = 0\nexit\n");
		}
	}
}

/* n references that are held, and looked at where paths might meet. */
static void write_refs(struct skep_buf *text, uint32_t n)
{
	skep_buf_puts(text, "r6 = 0\n");
	for (uint32_t i = 0; i < n; i++)
		skep_buf_printf(text,
				"r1 = map[id:0]\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve\n"
				"if r6 == 7 goto a%u\na%u:\nif r6 == 7 goto b%u\nb%u:\n",
				i, i, i, i);
	skep_buf_puts(text, "r0 = 0\nexit\n");
}

static void write_frame_of_ids(struct skep_buf *text)
{
	for (int s = 1; s <= SLOTS; s++)
		skep_buf_printf(text, "call bpf_get_prandom_u32\n*(u64 *)(r10 -%d) = r0\n", 8 * s);
}

/* Each number that was spilled matters. */
static void write_use_of_ids(struct skep_buf *text, int frame)
{
	skep_buf_puts(text, "r2 = 1 ll\nr2 <<= 33\n");
	for (int s = 1; s <= SLOTS; s++)
		skep_buf_printf(text, "r1 = *(u64 *)(r10 -%d)\nif r1 > r2 goto end%d\n", 8 * s,
				frame);
	skep_buf_printf(text, "end%d:\nr0 = 0\nexit\n", frame);
}

/* All frames full of numbers with ids of their own, and n rounds in the innermost. */
static void write_ids(struct skep_buf *text, uint32_t n)
{
	for (int frame = 0; frame < FRAMES; frame++) {
		if (frame)
			skep_buf_printf(text, "f%d:\n", frame);
		write_frame_of_ids(text);
		if (frame < FRAMES - 1)
			skep_buf_printf(text, "call f%d\n", frame + 1);
		else
			skep_buf_printf(text, "r0 = 0\nagain:\nr0 += 1\nif r0 < %u goto again\n",
					n);
		write_use_of_ids(text, frame);
	}
}

/* n loops, one within the other, that no path comes to: behind the outermost r1 is read, and before
 * the innermost only that tells that it must be kept. */
static void write_nest(struct skep_buf *text, uint32_t n)
{
	skep_buf_puts(text, "r1 = 1\nr0 = 0\nif r0 == 0 goto end\n");
	for (uint32_t i = 0; i < n; i++)
		skep_buf_printf(text, "loop%u:\nif r0 == %u goto after%u\n", i, i, i);
	for (uint32_t i = n; i-- > 0;)
		skep_buf_printf(text, "goto loop%u\nafter%u:\n", i, i);
	skep_buf_puts(text, "r0 = r1\nend:\nexit\n");
}

/* n bytes of a packet that a jump's way is certain of: whence they came cannot be told, so all
 * numbers of all states before are asked for, each time. */
static void write_forced(struct skep_buf *text, uint32_t n)
{
	skep_buf_puts(text, "r6 = r1\n");
	for (uint32_t i = 0; i < n; i++)
		skep_buf_printf(text,
				"r0 = *(u8 *)skb[0]\nr0 &= 1\nif r0 > 5 goto over%u\nover%u:\n", i,
				i);
	skep_buf_puts(text, "r0 = 0\nexit\n");
}

/* A function with a loop, called from n places: for each it is another loop. */
static void write_visits(struct skep_buf *text, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		skep_buf_puts(text, "call f\n");
	skep_buf_puts(text, "r0 = 0\nexit\nf:\nr0 = 0\nagain:\nr0 += 1\n"
			    "if r0 < 4 goto again\nr0 = 0\nexit\n");
}

/* n stores to the one slot or the other: that it overwrites the first, each turns out not always to
 * do, at the end of a path of its own. */
static void write_drops(struct skep_buf *text, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		skep_buf_printf(text,
				"call bpf_get_prandom_u32\nr7 = r10\nr7 += -8\n"
				"if r0 == 0 goto over%u\nr7 += -8\nover%u:\n"
				"*(u64 *)(r7 +0) = 0\n",
				i, i);
	skep_buf_puts(text, "r0 = 0\nexit\n");
}

const struct adversary adversaries[] = {
	{"straight", write_straight, 20000, 900000, .n_processed = 20002},
	{"branches", write_branches, 30, 30, .err = E2BIG, .refusal = "too_many_insns",
	 .n_processed = 1000001},
	{"switch", write_switch, 2000, 8000, .n_processed = 12007},
	{"loop", write_loop, 20000, 490000, .n_processed = 40003},
	{"spills", write_spills, 1000, 70000, .n_processed = 14259},
	{"calls", write_calls, 2000, 190000, .n_processed = 8002},
	{"call_tree", write_call_tree, 3, 6, .n_processed = 6197, .most_bytes = 2 << 20},
	{"globals", write_globals, 3, 20, .has_globals = true, .not_on_kernel = true,
	 .n_processed = 101},
	{"refs", write_refs, 200, 5000, .err = EINVAL, .refusal = "reference_leak",
	 .n_processed = 1203, .most_bytes = 600 << 10},
	{"ids", write_ids, 200, 490000, .err = EACCES, .refusal = "stack_too_large",
	 .n_processed = 3062},
	{"nest", write_nest, 1000, 16000, .n_processed = 4},
	{"forced", write_forced, 1000, 10000, .n_processed = 3003},
	{"visits", write_visits, 1000, 70000, .n_processed = 12002},
	{"drops", write_drops, 1000, 8000, .n_processed = 12995},
};
const unsigned n_adversaries = sizeof(adversaries) / sizeof(*adversaries);

/* --- Types: int main_or_f(void), static or global -------------------------------------------- */

struct types {
	struct btf_header header;
	struct btf_type integer;
	uint32_t bits;
	struct btf_type proto, funcs[MOST_FUNCS];
	char strings[8];
};

static void fill_types(struct types *types, uint32_t n_funcs)
{
	static const char strings[] = "\0int\0f";
	uint32_t type_bytes =
		(uint32_t)(offsetof(struct types, funcs) - offsetof(struct types, integer) +
			   n_funcs * sizeof(struct btf_type));

	memset(types, 0, sizeof(*types));
	types->header = (struct btf_header){.magic = BTF_MAGIC,
					    .version = BTF_VERSION,
					    .hdr_len = sizeof(types->header),
					    .type_len = type_bytes,
					    .str_off = type_bytes,
					    .str_len = sizeof(strings)};
	types->integer =
		(struct btf_type){.name_off = 1, .info = BTF_KIND_INT << 24, .size = sizeof(int)};
	types->bits = BTF_INT_SIGNED << 24 | 32;
	types->proto = (struct btf_type){.info = BTF_KIND_FUNC_PROTO << 24, .type = 1};
	for (uint32_t f = 0; f < n_funcs; f++)
		types->funcs[f] = (struct btf_type){
			.name_off = 5, .info = BTF_KIND_FUNC << 24 | BTF_FUNC_GLOBAL, .type = 2};
	memcpy((char *)&types->funcs[n_funcs], strings, sizeof(strings));
}

static int load_types(uint32_t n_funcs, adversary_bpf bpf)
{
	struct types types;
	union bpf_attr attr;

	fill_types(&types, n_funcs);
	memset(&attr, 0, sizeof(attr));
	attr.btf = (uintptr_t)&types;
	attr.btf_size =
		(uint32_t)(types.header.hdr_len + types.header.str_off + types.header.str_len);
	return (int)bpf(BPF_BTF_LOAD, &attr, sizeof(attr));
}

/* Functions begin where something is called. Return how many */
static uint32_t find_funcs(const struct skep_insn *insns, size_t n, struct bpf_func_info *ret)
{
	uint32_t n_funcs = 1;
	bool *starts = calloc(n, 1);

	for (size_t at = 0; at < n; at++)
		if (insns[at].code == (SKEP_JMP | SKEP_CALL) && insns[at].src == BPF_PSEUDO_CALL)
			starts[at + 1 + (size_t)insns[at].imm] = true;
	ret[0] = (struct bpf_func_info){0, 3};
	for (size_t at = 0; at < n && n_funcs < MOST_FUNCS; at++) {
		if (!starts[at])
			continue;
		ret[n_funcs] = (struct bpf_func_info){(uint32_t)at, 3 + n_funcs};
		n_funcs++;
	}
	free(starts);
	return n_funcs;
}

/* --- Loading --------------------------------------------------------------------------------- */

static int create_ring(adversary_bpf bpf)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_RINGBUF;
	attr.max_entries = RING_BYTES;
	return (int)bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

/* Where the text has map[id:0]. */
static void name_map(struct skep_insn *insns, size_t n, int map)
{
	for (size_t at = 0; at + 1 < n; at++) {
		if (insns[at].code != (SKEP_LD | SKEP_IMM | SKEP_DW) || !insns[at].src)
			continue;
		insns[at].src = BPF_PSEUDO_MAP_FD;
		insns[at].imm = map;
	}
}

static int load_program(union bpf_attr *attr, const struct adversary *adversary, adversary_bpf bpf)
{
	static struct bpf_func_info funcs[MOST_FUNCS];
	const struct skep_insn *insns = (const void *)(uintptr_t)attr->insns;
	long fd;
	int err;

	if (adversary->has_globals) {
		attr->func_info_cnt = find_funcs(insns, attr->insn_cnt, funcs);
		attr->func_info = (uintptr_t)funcs;
		attr->func_info_rec_size = sizeof(*funcs);
		attr->prog_btf_fd = (uint32_t)load_types(attr->func_info_cnt, bpf);
	}
	errno = 0;
	fd = bpf(BPF_PROG_LOAD, attr, sizeof(*attr));
	err = fd < 0 ? errno : 0;
	if (fd >= 0)
		close((int)fd);
	if (adversary->has_globals)
		close((int)attr->prog_btf_fd);
	return err;
}

int adversary_load(const struct adversary *adversary, uint32_t n, adversary_bpf bpf, char *log,
		   uint32_t log_bytes)
{
	struct skep_buf text = {0};
	struct skep_insn *insns = NULL;
	union bpf_attr attr;
	size_t n_insns = 0;
	int map = create_ring(bpf), err;

	adversary->write(&text, n);
	err = -skep_asm(text.data, text.len, &insns, &n_insns, NULL);
	skep_buf_done(&text);
	if (!err) {
		name_map(insns, n_insns, map);
		memset(&attr, 0, sizeof(attr));
		attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
		attr.insns = (uintptr_t)insns;
		attr.insn_cnt = (uint32_t)n_insns;
		attr.license = (uintptr_t) "GPL";
		attr.log_buf = (uintptr_t)log;
		attr.log_size = log_bytes;
		attr.log_level = LOG_STATS;
		err = load_program(&attr, adversary, bpf);
		free(insns);
	}
	close(map);
	return err;
}
