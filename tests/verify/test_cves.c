/*
 * What verifiers have believed and was not so: for each hole the shape of the program that went
 * through it, which must be refused, and a twin of it, which is fine and must be accepted. The
 * running kernel must say the same in the same words, but for the holes that the kernel these
 * rules are compared with (Linux 6.18) still has: there only we are asked to refuse.
 *
 * A program ends at `bad` with a load that is out of bounds for a number that it can really have.
 * Needs CAP_BPF; skips with a message where bpf(2) is refused.
 */
#include "sides.h"

#include <skep/btf.h>

#define FILTER BPF_PROG_TYPE_SOCKET_FILTER
#define TC     BPF_PROG_TYPE_SCHED_CLS

#define ANY    "call bpf_get_prandom_u32\n"
#define VALUE  "r6 = map[id:0][0]+0\n"
#define LOAD   VALUE "r7 = *(u64 *)(r6 +0)\n"
#define END    "out:\nr0 = 0\nexit\n"

static const struct map_spec maps[] = {
	{BPF_MAP_TYPE_ARRAY, 4, 16, 1, 0, false},
	{BPF_MAP_TYPE_HASH, 4, 16, 4, 0, false},
};

/* Two programs each, the hole's first; what its refusal says. */
static const struct hole {
	const char *name, *says;
	bool open_in_kernel;
	uint32_t type;
	const char *bad, *twin;
} holes[] = {
	{"CVE-2017-16995: a 32-bit move of a constant", "invalid read from stack", false, FILTER,
	 "w9 = -1\nif r9 == -1 goto out\nr0 = *(u64 *)(r10 +8)\n" END,
	 "r9 = -1\nif r9 == -1 goto out\nr0 = *(u64 *)(r10 +8)\n" END},
	{"CVE-2020-8835: 32-bit comparisons and all 64 bits", "unbounded", false, FILTER,
	 LOAD "if w7 > 7 goto out\nr6 += r7\nr0 = *(u8 *)(r6 +0)\n" END,
	 LOAD "if w7 > 7 goto out\nw7 = w7\nr6 += r7\nr0 = *(u8 *)(r6 +0)\n" END},
	{"CVE-2021-3490: 32-bit bounds of and", "outside of the allowed memory range", false,
	 FILTER,
	 LOAD "r7 <<= 32\nr7 += 1\nr8 = 0x100000002 ll\nr7 &= r8\nw7 += 1\nw7 *= 16\nr6 += r7\n"
	      "r0 = *(u8 *)(r6 +0)\n" END,
	 LOAD "r7 <<= 32\nr7 += 1\nr8 = 0x100000002 ll\nr7 &= r8\nw7 += 1\nw7 *= 15\nr6 += r7\n"
	      "r0 = *(u8 *)(r6 +0)\n" END},
	{"CVE-2021-3490: of or", "outside of the allowed memory range", false, FILTER,
	 LOAD "r7 <<= 32\nr7 |= 1\nr8 = 0x100000002 ll\nr7 |= r8\nw7 *= 8\nr6 += r7\n"
	      "r0 = *(u8 *)(r6 +0)\n" END,
	 LOAD "r7 <<= 32\nr7 |= 1\nr8 = 0x100000002 ll\nr7 |= r8\nw7 *= 5\nr6 += r7\n"
	      "r0 = *(u8 *)(r6 +0)\n" END},
	{"CVE-2021-3490: of xor", "outside of the allowed memory range", false, FILTER,
	 LOAD "r7 <<= 32\nr7 += 1\nr8 = 0x100000003 ll\nr7 ^= r8\nw7 *= 8\nr6 += r7\n"
	      "r0 = *(u8 *)(r6 +0)\n" END,
	 LOAD "r7 <<= 32\nr7 += 1\nr8 = 0x100000003 ll\nr7 ^= r8\nw7 *= 7\nr6 += r7\n"
	      "r0 = *(u8 *)(r6 +0)\n" END},
	{"CVE-2021-31440: one end of 64 bits tells of 32", "outside of the allowed memory range",
	 false, FILTER,
	 LOAD "if r7 < 1 goto out\nw7 = w7\nif r7 > 1 goto out\nr8 = 1\nr8 -= r7\nr8 *= 16\n"
	      "r6 += r8\nr0 = *(u8 *)(r6 +0)\n" END,
	 LOAD "if w7 < 1 goto out\nw7 = w7\nif r7 > 1 goto out\nr8 = 1\nr8 -= r7\nr8 *= 16\n"
	      "r6 += r8\nr0 = *(u8 *)(r6 +0)\n" END},
	{"CVE-2022-23222: what may be NULL is moved", "null-check it first", false, FILTER,
	 "*(u32 *)(r10 -4) = 0\nr1 = map[id:1]\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem\n"
	 "r0 += 8\nif r0 == 0 goto out\nr0 = *(u64 *)(r0 +0)\n" END,
	 "*(u32 *)(r10 -4) = 0\nr1 = map[id:1]\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem\n"
	 "if r0 == 0 goto out\nr0 += 8\nr0 = *(u64 *)(r0 +0)\n" END},
	{"CVE-2023-2163: what a number was compared with", "outside of the allowed memory range",
	 false, FILTER,
	 VALUE ANY "r7 = r0\n" ANY "r8 = r0\nr9 = 16\nif r7 > 5 goto one\nr9 = 0\none:\nr1 = 0\n"
		   "if r8 > 5 goto two\nr1 = 1\ntwo:\nr2 = r9\nr2 += r1\nr6 += r2\n"
		   "r0 = *(u8 *)(r6 +0)\n" END,
	 VALUE ANY "r7 = r0\n" ANY "r8 = r0\nr9 = 14\nif r7 > 5 goto one\nr9 = 0\none:\nr1 = 0\n"
		   "if r8 > 5 goto two\nr1 = 1\ntwo:\nr2 = r9\nr2 += r1\nr6 += r2\n"
		   "r0 = *(u8 *)(r6 +0)\n" END},
	{"CVE-2023-2163: a jump whose way is certain", "outside of the allowed memory range", false,
	 FILTER,
	 VALUE ANY "r7 = r0\nr9 = 16\nif r7 > 5 goto one\nr9 = 0\none:\nr8 = 8\nr1 = 0\n"
		   "if r9 < r8 goto out\nr0 = *(u8 *)(r6 +16)\n" END,
	 VALUE ANY "r7 = r0\nr9 = 7\nif r7 > 5 goto one\nr9 = 0\none:\nr8 = 8\nr1 = 0\n"
		   "if r9 < r8 goto out\nr0 = *(u8 *)(r6 +16)\n" END},
	{"a number changed after it was linked", "outside of the allowed memory range", false,
	 FILTER,
	 VALUE ANY "r7 = r0\nr7 &= 0xff\nr8 = r7\nr7 += 8\nif r8 > 7 goto out\nr7 += 1\nr6 += r7\n"
		   "r0 = *(u8 *)(r6 +0)\n" END,
	 VALUE ANY "r7 = r0\nr7 &= 0xff\nr8 = r7\nr7 += 8\nif r8 > 7 goto out\nr6 += r7\n"
		   "r0 = *(u8 *)(r6 +0)\n" END},
	{"a link ended by a multiplication", "outside of the allowed memory range", false, FILTER,
	 VALUE ANY "r7 = r0\nr7 &= 0xff\nr8 = r7\nr7 *= 2\nif r8 > 7 goto out\nr6 += r7\n"
		   "r0 = *(u8 *)(r6 +0)\n" END,
	 VALUE ANY "r7 = r0\nr7 &= 0xff\nr8 = r7\nif r8 > 7 goto out\nr7 *= 2\nr6 += r7\n"
		   "r0 = *(u8 *)(r6 +0)\n" END},
	{"a fill that copies the sign up is linked", "", true, FILTER,
	 VALUE "r7 = *(u32 *)(r6 +0)\n*(u64 *)(r10 -8) = r7\nr5 = *(s32 *)(r10 -8)\n"
	       "if r5 s>= 0 goto out\nr8 = 0x80000000 ll\nr7 += r8\nr7 >>= 32\nr6 += r7\n"
	       "r0 = *(u8 *)(r6 +15)\n" END,
	 VALUE "r7 = *(u32 *)(r6 +0)\n*(u64 *)(r10 -8) = r7\nr5 = *(s32 *)(r10 -8)\n"
	       "if r5 s>= 0 goto out\nr8 = 0x80000000 ll\nr7 += r8\nr7 >>= 32\nr6 += r7\n"
	       "r0 = *(u8 *)(r6 +14)\n" END},
	{"the distance of a link that ended", "min value is negative", false, FILTER,
	 LOAD "r9 = r7\nr9 += 55\nw9 = w9\nr1 = r9\nr1 += 60\nif r1 > 69 goto out\n"
	      "r9 += -55\nr6 += r9\nr0 = *(u8 *)(r6 +0)\n" END,
	 LOAD "r9 = r7\nw9 = w9\nr1 = r9\nr1 += 60\nif r1 s> 69 goto out\nr6 += r9\n"
	      "r0 = *(u8 *)(r6 +0)\n" END},
	{"NULL on one path, a number on the other", "", true, TC,
	 ANY "r9 = r0\n" ANY "if r0 > 5 goto one\nr9 = 0\none:\nr0 = 0\nr1 = r9\nr2 = 0\n"
	     "call f\nexit\nf:\nr0 = 0\nif r1 == 0 goto two\nr0 = *(u32 *)(r1 +0)\ntwo:\nexit\n",
	 ANY "r9 = 0\n" ANY "if r0 > 5 goto one\nr9 = 0\none:\nr0 = 0\nr1 = r9\nr2 = 0\n"
	     "call f\nexit\nf:\nr0 = 0\nif r1 == 0 goto two\nr0 = *(u32 *)(r1 +0)\ntwo:\nexit\n"},
};

#define N_HOLES (sizeof(holes) / sizeof(*holes))

static struct program programs[2 * N_HOLES];

/* --- Types: int main(void), and a global function of memory and a number --------------------- */

static int load_types(int side, uint32_t types[2])
{
	struct skep_btf_writer *writer = skep_btf_writer_new();
	uint32_t number = skep_btf_add_int(writer, "int", 4, true);
	uint32_t proto = skep_btf_add_func_proto(writer, number);
	uint32_t memory;

	types[0] = skep_btf_add_func(writer, "main", proto, true);
	memory = skep_btf_add_ptr(writer, number);
	proto = skep_btf_add_func_proto(writer, number);
	skep_btf_add_param(writer, "a", memory);
	skep_btf_add_param(writer, "b", number);
	types[1] = skep_btf_add_func(writer, "f", proto, false);
	return sides_load_types(side, writer);
}

/* States are kept wherever paths may meet: holes in pruning show in small programs. */
static void add(int side, const struct program *program, const struct skep_insn *insns, size_t n,
		union bpf_attr *attr)
{
	static struct bpf_func_info infos[2];
	uint32_t types[2];

	attr->prog_flags = BPF_F_TEST_STATE_FREQ;
	if (program->type != TC)
		return;
	attr->prog_btf_fd = (uint32_t)load_types(side, types);
	infos[0] = (struct bpf_func_info){0, types[0]};
	for (size_t i = 0; i < n; i++)
		if (insns[i].code == (SKEP_JMP | SKEP_CALL) && insns[i].src == SKEP_CALL_LOCAL)
			infos[1] = (struct bpf_func_info){(uint32_t)i + 1 + (uint32_t)insns[i].imm,
							  types[1]};
	attr->func_info = ptr(infos);
	attr->func_info_cnt = 2;
	attr->func_info_rec_size = sizeof(*infos);
}

/* --- Verdicts -------------------------------------------------------------------------------- */

static void judge(const struct program *program, const long err[2], char *logs[2])
{
	size_t i = (size_t)(program - programs);
	const struct hole *hole = &holes[i / 2];
	bool is_bad = !(i % 2);
	const char *kernel = sides_reason(logs[0]), *ours = sides_reason(logs[1]);

	if (!!err[1] != is_bad || (is_bad && !strstr(ours, hole->says)))
		differ("%s%s: machine %ld \"%s\"\n", program->name, is_bad ? "" : ", its twin",
		       err[1], ours);
	if (hole->open_in_kernel && is_bad) {
		print_message("%s: the kernel says %ld %s\n", program->name, err[0], kernel);
		return;
	}
	if (err[0] != err[1] || strcmp(kernel, ours))
		differ("%s%s: kernel %ld \"%s\", machine %ld \"%s\"\n", program->name,
		       is_bad ? "" : ", its twin", err[0], kernel, err[1], ours);
}

static const struct sides sides = {
	.programs = programs,
	.n_programs = 2 * N_HOLES,
	.maps = maps,
	.n_maps = sizeof(maps) / sizeof(*maps),
	.add = add,
	.judge = judge,
};

static void test_holes_are_closed(void **state)
{
	sides_compare(&sides);
}

static int begin(void **state)
{
	for (size_t i = 0; i < N_HOLES; i++) {
		programs[2 * i] = (struct program){holes[i].name, holes[i].type, holes[i].bad};
		programs[2 * i + 1] = (struct program){holes[i].name, holes[i].type, holes[i].twin};
	}
	return sides_begin(&sides);
}

static int end(void **state)
{
	sides_end();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_holes_are_closed)};

	return cmocka_run_group_tests_name("verify/cves", tests, begin, end);
}
