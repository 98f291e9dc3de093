/*
 * Calls: programs that call helpers and functions, as the running kernel's verifier and as ours see
 * them. The verdict, the errno and the words that say why must be the same.
 *
 * Maps are named by their place in `maps`: "r1 = map[id:0]" is the hash map.
 * Needs CAP_BPF; skips with a message where bpf(2) is refused.
 */
#include "sides.h"

#include <skep/btf.h>

static const struct map_spec maps[] = {
	{BPF_MAP_TYPE_HASH, 4, 8, 8},
	{BPF_MAP_TYPE_ARRAY, 4, 8, 8},
	{BPF_MAP_TYPE_RINGBUF, 0, 0, 4096},
	{BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4},
	{BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 4},
	{BPF_MAP_TYPE_QUEUE, 0, 8, 4},
};

#define FILTER BPF_PROG_TYPE_SOCKET_FILTER
#define TC     BPF_PROG_TYPE_SCHED_CLS
#define XDP    BPF_PROG_TYPE_XDP
#define KPROBE BPF_PROG_TYPE_KPROBE
#define SKB    BPF_PROG_TYPE_CGROUP_SKB
#define SOCK   BPF_PROG_TYPE_CGROUP_SOCK

#define KEY                                                                                        \
	"r1 = 0\n"                                                                                 \
	"*(u32 *)(r10 -4) = r1\n"                                                                  \
	"r2 = r10\n"                                                                               \
	"r2 += -4\n"
#define LOOK_UP(map) KEY "r1 = map[id:" map "]\ncall bpf_map_lookup_elem\n"
#define RESERVE                                                                                    \
	"r1 = map[id:2]\n"                                                                         \
	"r2 = 8\n"                                                                                 \
	"r3 = 0\n"                                                                                 \
	"call bpf_ringbuf_reserve\n"
#define END "r0 = 0\nexit\n"

static const struct program programs[] = {
	/* arguments */
	{"no argument", FILTER, "call bpf_ktime_get_ns\nr0 = 0\nexit\n"},
	{"unset argument", FILTER, "r2 = 1\ncall bpf_map_lookup_elem\nexit\n"},
	{"a number for a map", FILTER, "r1 = 1\nr2 = r10\ncall bpf_map_lookup_elem\n" END},
	{"a number for a key", FILTER, "r1 = map[id:0]\nr2 = 1\ncall bpf_map_lookup_elem\n" END},
	{"a map for a context", TC, "r1 = map[id:0]\ncall bpf_skb_cgroup_classid\n" END},
	{"a number for a context", TC, "r1 = 5\ncall bpf_get_hash_recalc\n" END},
	{"a context moved", TC, "r1 += 4\ncall bpf_get_hash_recalc\n" END},
	{"a context", TC, "call bpf_get_hash_recalc\n" END},
	{"a context for memory", KPROBE, "r2 = 8\nr3 = 0\ncall bpf_probe_read_kernel\n" END},
	{"a map for memory", KPROBE,
	 "r1 = map[id:0]\nr2 = 8\nr3 = 0\ncall bpf_probe_read_kernel\n" END},
	{"r0 after nothing", FILTER,
	 KEY "r1 = map[id:0]\ncall bpf_map_delete_elem\nr0 = r1\nexit\n"},
	{"not this type's", FILTER, "r2 = 0\ncall bpf_xdp_adjust_head\n" END},
	{"not a helper", FILTER, "call bpf_map_lookup_elem#999\n" END},
	/* sizes */
	{"a size of zero", KPROBE, "r1 = r10\nr1 += -8\nr2 = 0\ncall bpf_get_current_comm\n" END},
	{"a size below zero", KPROBE,
	 "r1 = r10\nr1 += -8\nr2 = -1\ncall bpf_get_current_comm\n" END},
	{"a size of anything", KPROBE,
	 "call bpf_ktime_get_ns\nr2 = r0\nr2 >>= 1\nr1 = r10\nr1 += -8\n"
	 "call bpf_get_current_comm\n" END},
	{"a size too large", KPROBE,
	 "r1 = r10\nr1 += -8\nr2 = 16\ncall bpf_get_current_comm\n" END},
	{"a size that fits", KPROBE,
	 "r1 = r10\nr1 += -16\nr2 = 16\ncall bpf_get_current_comm\n" END},
	{"filled memory is set", KPROBE,
	 "r1 = r10\nr1 += -16\nr2 = 16\ncall bpf_get_current_comm\n"
	 "r0 = *(u64 *)(r10 -8)\nr0 = 0\nexit\n"},
	{"at most what the size was", KPROBE,
	 "r1 = r10\nr1 += -16\nr2 = 16\nr3 = 0\ncall bpf_probe_read_kernel_str\n"
	 "if r0 s< 0 goto out\nr1 = r10\nr1 += -16\nr1 += r0\nr1 += -16\nout:\n" END},
	/* maps and helpers */
	{"a look-up", FILTER, LOOK_UP("0") "if r0 == 0 goto out\nr1 = *(u64 *)(r0 +0)\nout:\n" END},
	{"a look-up not tested", FILTER, LOOK_UP("0") "r1 = *(u64 *)(r0 +0)\n" END},
	{"an array's known element", FILTER, LOOK_UP("1") "r1 = *(u64 *)(r0 +0)\n" END},
	{"a look-up in a ring", FILTER, LOOK_UP("2") END},
	{"a look-up in a queue", FILTER, LOOK_UP("5") END},
	{"a push to an array", FILTER,
	 KEY "r2 = r10\nr2 += -8\nr1 = 0\n*(u64 *)(r10 -8) = r1\nr1 = map[id:1]\nr3 = 0\n"
	     "call bpf_map_push_elem\n" END},
	{"a value too short", FILTER,
	 KEY "r3 = r10\nr3 += -4\nr4 = 0\nr1 = map[id:0]\ncall bpf_map_update_elem\n" END},
	{"a tail call", FILTER, "r2 = map[id:3]\nr3 = 1\ncall bpf_tail_call\n" END},
	{"a tail call to a hash", FILTER, "r2 = map[id:0]\nr3 = 1\ncall bpf_tail_call\n" END},
	{"GPL", FILTER, "r1 = r10\nr1 += -8\nr2 = 8\ncall bpf_trace_printk\n" END},
	/* references */
	{"a record not given back", FILTER, RESERVE END},
	{"a record given back", FILTER,
	 RESERVE "if r0 == 0 goto out\nr1 = r0\nr2 = 0\ncall bpf_ringbuf_submit\nout:\n" END},
	{"a record given back twice", FILTER,
	 RESERVE "if r0 == 0 goto out\nr6 = r0\nr1 = r0\nr2 = 0\ncall bpf_ringbuf_submit\n"
		 "r1 = r6\nr2 = 0\ncall bpf_ringbuf_submit\nout:\n" END},
	{"a record given back untested", FILTER,
	 RESERVE "r1 = r0\nr2 = 0\ncall bpf_ringbuf_submit\n" END},
	{"a record moved", FILTER,
	 RESERVE "if r0 == 0 goto out\nr1 = r0\nr1 += 4\nr2 = 0\ncall bpf_ringbuf_submit\n"
		 "out:\n" END},
	{"a tail call with a record", FILTER,
	 "r6 = r1\n" RESERVE "if r0 == 0 goto out\nr7 = r0\nr1 = r6\nr2 = map[id:3]\nr3 = 0\n"
	 "call bpf_tail_call\nr1 = r7\nr2 = 0\ncall bpf_ringbuf_submit\nout:\n" END},
	{"a record of unknown size", FILTER,
	 "call bpf_get_prandom_u32\nr2 = r0\nr1 = map[id:2]\nr3 = 0\n"
	 "call bpf_ringbuf_reserve\n" END},
	{"a record through the stack", FILTER,
	 RESERVE
	 "if r0 == 0 goto out\n*(u64 *)(r10 -8) = r0\nr1 = r0\nr2 = 0\n"
	 "call bpf_ringbuf_discard\nr1 = *(u64 *)(r10 -8)\nr0 = *(u8 *)(r1 +0)\nout:\n" END},
	/* functions */
	{"a function", FILTER, "call f\nr0 = 0\nexit\nf:\nr0 = 1\nexit\n"},
	{"a function's result unset", FILTER, "call f\nexit\nf:\nr6 = 1\nexit\n"},
	{"saved registers", FILTER, "r6 = 0\ncall f\nr0 = r6\nexit\nf:\nr6 = 1\nr0 = 1\nexit\n"},
	{"others are not", FILTER, "r1 = 0\ncall f\nr0 = r1\nexit\nf:\nr0 = 1\nexit\n"},
	{"saved registers unset", FILTER, "r6 = 0\ncall f\nr0 = 0\nexit\nf:\nr0 = r6\nexit\n"},
	{"arguments", FILTER, "r2 = 3\ncall f\nr0 = 0\nexit\nf:\nr0 = r2\nexit\n"},
	{"stack returned", FILTER, "call f\nr0 = 0\nexit\nf:\nr0 = r10\nexit\n"},
	{"stack lent", FILTER,
	 "r1 = r10\nr1 += -8\ncall f\nr0 = *(u64 *)(r10 -8)\nexit\nf:\nr2 = 7\n"
	 "*(u64 *)(r1 +0) = r2\nr0 = 0\nexit\n"},
	{"a record acquired in a function", FILTER,
	 "call f\nif r0 == 0 goto out\nr1 = r0\nr2 = 0\ncall bpf_ringbuf_submit\nout:\n" END
	 "f:\n" RESERVE "exit\n"},
	{"eight deep", FILTER,
	 "call a\nexit\na:\ncall b\nexit\nb:\ncall c\nexit\nc:\ncall d\nexit\nd:\ncall e\nexit\n"
	 "e:\ncall f\nexit\nf:\ncall g\nexit\ng:\nr0 = 0\nexit\n"},
	/* callbacks */
	{"a loop", FILTER,
	 "r1 = 10\nr2 = subprog[cb]\nr3 = 0\nr4 = 0\ncall bpf_loop\n" END "cb:\n"
	 "r0 = 0\nexit\n"},
	{"a loop that may not end so", FILTER,
	 "r1 = 10\nr2 = subprog[cb]\nr3 = 0\nr4 = 0\ncall bpf_loop\n" END "cb:\n"
	 "r0 = 2\nexit\n"},
	{"a loop whose number is any", FILTER,
	 "call bpf_get_prandom_u32\nr1 = r0\nr2 = subprog[cb]\nr3 = 0\nr4 = 0\n"
	 "call bpf_loop\n" END "cb:\n"
	 "r0 = 0\nexit\n"},
	{"a callback that returns what it likes", FILTER,
	 "r1 = 10\nr2 = subprog[cb]\nr3 = 0\nr4 = 0\ncall bpf_loop\n" END "cb:\n"
	 "call bpf_ktime_get_ns\nexit\n"},
	{"a callback that returns a pointer", FILTER,
	 "r1 = 10\nr2 = subprog[cb]\nr3 = r10\nr4 = 0\ncall bpf_loop\n" END "cb:\n"
	 "r0 = r2\nexit\n"},
	{"a callback that returns a map", FILTER,
	 "r1 = map[id:0]\nr2 = subprog[cb]\nr3 = 0\nr4 = 0\ncall bpf_for_each_map_elem\n" END
	 "cb:\n"
	 "r0 = r1\nexit\n"},
	{"each element", FILTER,
	 "r1 = map[id:0]\nr2 = subprog[cb]\nr3 = 0\nr4 = 0\ncall bpf_for_each_map_elem\n" END
	 "cb:\n"
	 "r0 = *(u64 *)(r3 +0)\nr0 = 0\nexit\n"},
	{"each element's key is read-only", FILTER,
	 "r1 = map[id:0]\nr2 = subprog[cb]\nr3 = 0\nr4 = 0\ncall bpf_for_each_map_elem\n" END
	 "cb:\n"
	 "r1 = 0\n*(u32 *)(r2 +0) = r1\nr0 = 0\nexit\n"},
	{"each element of a ring", FILTER,
	 "r1 = map[id:2]\nr2 = subprog[cb]\nr3 = 0\nr4 = 0\ncall bpf_for_each_map_elem\n" END
	 "cb:\n"
	 "r0 = 0\nexit\n"},
	{"a callback acquires", FILTER,
	 "r1 = 10\nr2 = subprog[cb]\nr3 = 0\nr4 = 0\ncall bpf_loop\n" END "cb:\n" RESERVE
	 "r0 = 0\nexit\n"},
	{"a callback gives back its caller's", FILTER,
	 RESERVE "if r0 == 0 goto out\nr3 = r0\nr1 = 10\nr2 = subprog[cb]\nr4 = 0\n"
		 "call bpf_loop\nout:\n" END "cb:\n"
		 "r1 = r2\nr2 = 0\ncall bpf_ringbuf_submit\nr0 = 0\nexit\n"},
	{"a number for a callback", FILTER, "r1 = 10\nr2 = 5\nr3 = 0\nr4 = 0\ncall bpf_loop\n" END},
	{"a number for a callback's context", FILTER,
	 "r1 = 10\nr2 = subprog[cb]\nr3 = 5\nr4 = 0\ncall bpf_loop\n" END "cb:\n"
	 "r0 = 0\nexit\n"},
	/* the end */
	{"no result", FILTER, "exit\n"},
	{"a pointer for a result", FILTER, "r0 = r10\nexit\n"},
	{"a result in range", SKB, "r0 = 1\nexit\n"},
	{"a result out of range", SKB, "r0 = 2\nexit\n"},
	{"a result that may be out of range", SKB, "call bpf_get_prandom_u32\nexit\n"},
	{"a result that is anything", SOCK, "call bpf_ktime_get_ns\nexit\n"},
	{"a pointer where a number is to be", SOCK, "r0 = r1\nexit\n"},
	/* packets */
	{"packet pointers end", TC,
	 "r6 = r1\nr7 = *(u32 *)(r1 +76)\nr8 = *(u32 *)(r1 +80)\nr2 = r7\nr2 += 4\n"
	 "if r2 > r8 goto out\nr2 = 4\ncall bpf_skb_pull_data\nr0 = *(u8 *)(r7 +0)\nout:\n" END},
	{"packet pointers do not end", TC,
	 "r6 = r1\nr7 = *(u32 *)(r1 +76)\nr8 = *(u32 *)(r1 +80)\nr2 = r7\nr2 += 4\n"
	 "if r2 > r8 goto out\ncall bpf_get_hash_recalc\nr0 = *(u8 *)(r7 +0)\nout:\n" END},
	{"a packet for a key", XDP,
	 "r7 = *(u32 *)(r1 +0)\nr8 = *(u32 *)(r1 +4)\nr2 = r7\nr2 += 4\nif r2 > r8 goto out\n"
	 "r2 = r7\nr1 = map[id:0]\ncall bpf_map_lookup_elem\nout:\n" END},
	{"a packet for memory that is written", XDP,
	 "r7 = *(u32 *)(r1 +0)\nr8 = *(u32 *)(r1 +4)\nr2 = r7\nr2 += 16\nif r2 > r8 goto out\n"
	 "r3 = r7\nr2 = 0\nr4 = 16\ncall bpf_xdp_load_bytes\nout:\n" END},
};

/* --- Both ------------------------------------------------------------------------------------ */

/* Where functions start: at the first instruction, and at what is called or taken the address of.
 */
static uint32_t find_functions(const struct skep_insn *insns, size_t n, bool *starts)
{
	uint32_t n_funcs = 0;

	memset(starts, 0, n * sizeof(*starts));
	starts[0] = true;
	for (size_t i = 0; i < n; i++) {
		bool call = insns[i].code == (SKEP_JMP | SKEP_CALL) && insns[i].src == 1;
		bool address = insns[i].code == 0x18 && insns[i].src == SKEP_PSEUDO_FUNC;

		if (call || address)
			starts[(long)i + 1 + insns[i].imm] = true;
	}
	for (size_t i = 0; i < n; i++)
		n_funcs += starts[i];
	return n_funcs;
}

/* Types for them: static int f(void). Return the BTF's descriptor. */
static int load_types(int side, uint32_t n_funcs, uint32_t *types)
{
	struct skep_btf_writer *writer = skep_btf_writer_new();
	uint32_t number = skep_btf_add_int(writer, "int", 4, true);
	uint32_t proto = skep_btf_add_func_proto(writer, number);

	for (uint32_t f = 0; f < n_funcs; f++)
		types[f] = skep_btf_add_func(writer, f ? "f" : "main", proto, true);
	return sides_load_types(side, writer);
}

static void add(int side, const struct program *program, const struct skep_insn *insns, size_t n,
		union bpf_attr *attr)
{
	static struct bpf_func_info infos[64];
	bool starts[256];
	uint32_t types[64], n_funcs = find_functions(insns, n, starts), f = 0;

	if (!strcmp(program->name, "GPL"))
		attr->license = ptr("MIT");
	attr->prog_btf_fd = (uint32_t)load_types(side, n_funcs, types);
	for (size_t i = 0; i < n; i++)
		if (starts[i])
			infos[f] = (struct bpf_func_info){(uint32_t)i, types[f]}, f++;
	attr->func_info = ptr(infos);
	attr->func_info_cnt = f;
	attr->func_info_rec_size = sizeof(*infos);
}

static const struct sides sides = {
	.programs = programs,
	.n_programs = sizeof(programs) / sizeof(*programs),
	.maps = maps,
	.n_maps = sizeof(maps) / sizeof(*maps),
	.add = add,
};

static void test_calls(void **state)
{
	sides_compare(&sides);
}

static int begin(void **state)
{
	return sides_begin(&sides);
}

static int end(void **state)
{
	sides_end();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_calls)};

	return cmocka_run_group_tests(tests, begin, end);
}
