/* What the decoder refuses, and what it says; how the printer treats the same bytes. */
#include "isa_test.h"

#define LDDW (SKEP_LD | SKEP_DW | SKEP_IMM)

static const struct refusal {
	const char *id, *what;
	struct skep_insn insns[2];
	size_t n;
	const char *text;
} refusals[] = {
	{"I0001", "0x8d is not the code of an instruction", {{.code = 0x8d}}, 1, "BUG_8d"},
	{"I0001", "0x00 is not the code of an instruction", {{.code = 0}}, 1, "BUG_ld_00"},
	{"I0001", "0x99 is not the code of an instruction", {{.code = 0x99}}, 1, "BUG_ldx_99"},
	{"I0001", "0xc2 is not the code of an instruction", {{.code = 0xc2}}, 1, "nospec"},
	{"I0002",
	 "the EXIT instruction needs imm to be 0, not 3",
	 {{.code = 0x95, .imm = 3}},
	 1,
	 "exit"},
	{"I0002",
	 "the ADD64_REG instruction needs imm to be 0, not 5",
	 {{.code = 0x0f, .imm = 5}},
	 1,
	 "r0 += r0"},
	{"I0002",
	 "the MOV64_REG instruction needs off to be 0, not 7",
	 {{.code = 0xbf, .off = 7}},
	 1,
	 "r0 = r0"},
	{"I0002",
	 "the MOV64_IMM instruction needs src to be 0, not 2",
	 {{.code = 0xb7, .src = 2}},
	 1,
	 "r0 = 0"},
	{"I0002",
	 "the CALL_HELPER instruction needs dst to be 0, not 1",
	 {{.code = 0x85, .dst = 1, .imm = 1}},
	 1,
	 "call bpf_map_lookup_elem#1"},
	{"I0002",
	 "the LE16 instruction needs imm to be 16, not 17",
	 {{.code = 0xd4, .imm = 17}},
	 1,
	 "BUG_d4"},
	{"I0002",
	 "the ATOMIC_ADD64 instruction needs imm to be 0, not 2",
	 {{.code = 0xdb, .imm = 2}},
	 1,
	 "BUG_db"},
	{"I0002",
	 "the LD64_MAP_FD instruction needs second imm to be 0, not 9",
	 {{.code = LDDW, .src = 1, .imm = 3}, {.imm = 9}},
	 2,
	 "r0 = map[id:3]"},
	{"I0003", "there is no register r11", {{.code = 0xbf, .dst = 11}}, 1, "r11 = r0"},
	{"I0003",
	 "there is no register r15",
	 {{.code = 0x7b, .dst = 1, .src = 15}},
	 1,
	 "*(u64 *)(r1 +0) = r15"},
	{"I0004", "the program ends within an instruction", {{.code = LDDW}}, 1, "BUG_ld_18"},
	{"I0005",
	 "the second slot of a 64-bit load holds more than a value",
	 {{.code = LDDW}, {.code = 0x95}},
	 2,
	 "r0 = 0x0"},
};

static void test_refusals(void **state)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *r = &refusals[i];
		_cleanup_diag_ struct skep_diag diag = {0};
		_cleanup_buf_ struct skep_buf text = {0};
		enum skep_op op = SKEP_OP_CNT;
		unsigned slots = 77;

		int err = skep_isa_decode(r->insns, r->n, &op, &slots, &diag);
		assert_int_equal(err, -22);
		assert_int_equal(op, SKEP_OP_CNT);
		assert_int_equal(slots, 77);
		assert_string_equal(diag.items[0].what, r->what);
		assert_string_equal(skep_diag_code(diag.items[0].id), r->id);
		skep_disasm_insn(r->insns, r->n, 0, NULL, &text);
		assert_string_equal(text.data, r->text);
	}
}

static void test_nothing(void **state)
{
	enum skep_op op;
	unsigned slots;

	assert_int_equal(skep_isa_decode(NULL, 0, &op, &slots, NULL), -22);
}

static const char *some_helper(void *ctx, int32_t id)
{
	return id == 1 ? ctx : NULL;
}

static const char *some_imm64(void *ctx, size_t at, const struct skep_insn *insn)
{
	return insn->src ? "map[id:counts]" : NULL;
}

static const char *some_kfunc(void *ctx, const struct skep_insn *insn)
{
	return insn->imm == 7 ? "bpf_rcu_read_lock" : NULL;
}

static void test_given_names(void **state)
{
	const struct skep_disasm_names names = {some_helper, some_imm64, (char *)"bpf_first",
						some_kfunc};
	const struct skep_insn insns[] = {
		skep_call(1),
		skep_call(2),
		skep_call(1000),
		{.code = LDDW, .dst = 1, .src = 1, .imm = 4},
		{0},
		{.code = LDDW, .dst = 1, .imm = 4},
		{0},
		{.code = 0x85, .src = SKEP_CALL_KFUNC, .imm = 7},
		{.code = 0x85, .src = SKEP_CALL_KFUNC, .imm = 8, .off = 2},
	};
	_cleanup_buf_ struct skep_buf text = {0};

	skep_disasm(insns, sizeof(insns) / sizeof(insns[0]), &names, &text);
	assert_string_equal(text.data, "   0: (85) call bpf_first#1\n"
				       "   1: (85) call bpf_map_update_elem#2\n"
				       "   2: (85) call unknown#1000\n"
				       "   3: (18) r1 = map[id:counts]\n"
				       "   5: (18) r1 = 0x4\n"
				       "   7: (85) call bpf_rcu_read_lock#7\n"
				       "   8: (85) call kernel-function#8 fd[2]\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_given_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
