/* What the assembler takes besides the kernel's exact form, and what it says of the rest. */
#include "isa_test.h"

static const struct accepted {
	const char *text, *canonical;
} accepted[] = {
	{"", ""},
	{"\n  ; nothing\n// here\n", ""},
	{"r1=5", "   0: (b7) r1 = 5\n"},
	{"r1 = 0x5", "   0: (18) r1 = 0x5\n"},
	{"r1 = 5 ll", "   0: (18) r1 = 0x5\n"},
	{"r1 = -1 ll", "   0: (18) r1 = 0xffffffffffffffff\n"},
	{"r1 = 0xffffffffffffffff", "   0: (18) r1 = 0xffffffffffffffff\n"},
	{"(b7) r1 = 0x5", "   0: (b7) r1 = 5\n"},
	{"r1 = -0x5", "   0: (b7) r1 = -5\n"},
	{"w1 &= 0xffffffff", "   0: (54) w1 &= -1\n"},
	{"if r1 s> -1 goto pc+0", "   0: (65) if r1 s> 0xffffffff goto pc+0\n"},
	{"if r1 == 5 goto +2", "   0: (15) if r1 == 0x5 goto pc+2\n"},
	{"r0 = *( u64 * ) ( r1 + 8 )", "   0: (79) r0 = *(u64 *)(r1 +8)\n"},
	{"r0 = *(u64*)(r1)", "   0: (79) r0 = *(u64 *)(r1 +0)\n"},
	{"*(u8 *)(r10 - 1) = 7\r\n", "   0: (72) *(u8 *)(r10 -1) = 7\n"},
	{"call bpf_ktime_get_ns", "   0: (85) call bpf_ktime_get_ns#5\n"},
	{"call bpf_ktime_get_ns#5", "   0: (85) call bpf_ktime_get_ns#5\n"},
	{"call bpf_ktime_get_ns#167904", "   0: (85) call bpf_ktime_get_ns#5\n"},
	{"call bpf_ktime_get_ns#-59", "   0: (85) call bpf_ktime_get_ns#5\n"},
	{"call unknown#300", "   0: (85) call unknown#300\n"},
	{"call bpf_rcu_read_lock#1234", "   0: (85) call kernel-function#1234\n"},
	{"call kernel-function#1234 fd[2]", "   0: (85) call kernel-function#1234 fd[2]\n"},
	{"call pc+1#bpf_prog_6deef7357e7b4530_F", "   0: (85) call pc+1\n"},
	{"int count(void * ctx):\n; return 0;\n  12: (b7) r0 = 0 ; R0=0\n  13: (95) exit\n",
	 "   0: (b7) r0 = 0\n   1: (95) exit\n"},
	{"a: r1 = 0x1\nb:\nc: goto a\ngoto c\n gotol b\nmay_goto b\nif w1 != 0 goto end\nend:",
	 "   0: (18) r1 = 0x1\n   2: (05) goto pc-3\n   3: (05) goto pc-2\n   4: (06) gotol pc-3\n"
	 "   5: (e5) may_goto pc-4\n   6: (56) if w1 != 0x0 goto pc+0\n"},
	{"call twice\nr1 = subprog[twice]\nexit\ntwice: exit",
	 "   0: (85) call pc+3\n   1: (18) r1 = subprog[+2]\n   3: (95) exit\n   4: (95) exit\n"},
	{"r1 = addr_space_cast(r2, 1, 0)", "   0: (bf) r1 = addr_space_cast(r2, 1, 0)\n"},
	{"lock *(u64 *)(r1 +0) += r2", "   0: (db) lock *(u64 *)(r1 +0) += r2\n"},
};

static void test_accepted(void **state)
{
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		const struct accepted *a = &accepted[i];
		struct skep_source source = {"test", a->text, strlen(a->text)};
		_cleanup_diag_ struct skep_diag diag = {.source = &source};
		_cleanup_free_ struct skep_insn *insns = NULL;
		_cleanup_buf_ struct skep_buf text = {0};
		size_t n = 99;

		int err = skep_asm(a->text, strlen(a->text), &insns, &n, &diag);
		if (err) {
			skep_diag_render(&diag, false, &text);
			print_error("%s\n", text.data);
		}
		assert_int_equal(err, 0);
		skep_disasm(insns, n, NULL, &text);
		assert_string_equal(text.data ? text.data : "", a->canonical);
	}
}

static const struct refused {
	const char *text, *id, *what;
	uint32_t off, len;
} refused[] = {
	{"exit\nfrob r1", "I0010", "cannot read this instruction: expected an instruction", 5, 4},
	{"r1 ?= 5", "I0010", "cannot read this instruction: expected another word or operand", 3,
	 1},
	{"r1 += ", "I0010", "cannot read this instruction: expected another word or operand", 5, 0},
	{"exit now", "I0010", "cannot read this instruction: expected the end of the line", 5, 3},
	{"r0 = *(u64 *)(r1 8)", "I0010",
	 "cannot read this instruction: expected an offset with its sign, such as +8", 17, 1},
	{"*(u64 *)(w1 +8) = r0", "I0010",
	 "cannot read this instruction: expected a register, r0 to r10", 9, 2},
	{"r1 = be16 r2", "I0010", "cannot read this instruction: expected the same register twice",
	 10, 2},
	{"goto 5", "I0010",
	 "cannot read this instruction: expected a jump target, such as pc+5 or a label", 5, 1},
	{"call unknown", "I0015", "there is no label unknown", 5, 7},
	{"call unknown#", "I0010", "cannot read this instruction: expected a number", 13, 0},
	{"r1 = 2147483648", "I0011",
	 "this number does not fit: it goes from -2147483648 to 2147483647", 5, 10},
	{"r1 &= 0xffffffff", "I0011",
	 "this number does not fit: it goes from -2147483648 to 2147483647", 6, 10},
	{"r1 = 0x10000000000000000", "I0011",
	 "this number does not fit: it goes from -2^63 to 2^64 - 1", 5, 19},
	{"r1 = *(u8 *)(r2 +32768)", "I0011",
	 "this number does not fit: it goes from -32768 to 32767", 16, 1},
	{"r1 = map[id:4294967296]", "I0011",
	 "this number does not fit: it goes from 0 to 4294967295", 12, 10},
	{"(b7) exit", "I0012", "this instruction has code 95, not b7", 5, 4},
	{"call bpf_no_such_thing", "I0013", "there is no helper bpf_no_such_thing", 5, 17},
	{"call bpf_ktime_get_ns#6", "I0014", "this helper has another number", 22, 1},
	{"goto nowhere", "I0015", "there is no label nowhere", 5, 7},
	{"a: exit\na: exit", "I0016", "the label a is there twice", 8, 1},
	{"r11 = 5", "I0019", "there is no register r11", 0, 3},
	{"w1 = w99999999999999999999", "I0019", "there is no register w99999999999999999999", 5,
	 21},
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		const struct refused *r = &refused[i];
		_cleanup_diag_ struct skep_diag diag = {0};
		struct skep_insn *insns = NULL;
		size_t n = 99;

		int err = skep_asm(r->text, strlen(r->text), &insns, &n, &diag);
		assert_int_equal(err, -22);
		assert_null(insns);
		assert_int_equal(n, 99);
		assert_int_equal(diag.n_items, 1);
		assert_string_equal(diag.items[0].what, r->what);
		assert_string_equal(skep_diag_code(diag.items[0].id), r->id);
		assert_int_equal(diag.items[0].span.off, r->off);
		assert_int_equal(diag.items[0].span.len, r->len);
	}
}

static void test_every_mistake_is_told(void **state)
{
	static const char text[] = "frob\nr0 = 0\nnope nope\nexit\nr12 = 1\n";
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_insn *insns;
	size_t n;

	assert_int_equal(skep_asm(text, strlen(text), &insns, &n, &diag), -22);
	assert_int_equal(diag.n_errors, 3);
}

static void fill(struct skep_buf *text, const char *line, size_t n)
{
	for (size_t i = 0; i < n; i++)
		skep_buf_puts(text, line);
}

static void test_far_label(void **state)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	_cleanup_buf_ struct skep_buf text = {0};
	struct skep_insn *insns = NULL;
	size_t n = 0;

	skep_buf_puts(&text, "goto end\n");
	fill(&text, "exit\n", 32768);
	skep_buf_puts(&text, "end: exit\n");
	assert_int_equal(skep_asm(text.data, text.len, &insns, &n, &diag), -22);
	assert_string_equal(skep_diag_code(diag.items[0].id), "I0017");

	memcpy(text.data, "gotol en", 8); /* the same distance by imm: a label "en" */
	text.data[8] = '\n';
	memcpy(text.data + text.len - 10, "  en: exit", 10);
	assert_int_equal(skep_asm(text.data, text.len, &insns, &n, NULL), 0);
	assert_int_equal(insns[0].imm, 32768);
	free(insns);
}

static void test_too_long(void **state)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	_cleanup_buf_ struct skep_buf text = {0};
	struct skep_insn *insns = NULL;
	size_t n = 0;

	fill(&text, "exit\n", SKEP_ASM_MAX_INSNS);
	assert_int_equal(skep_asm(text.data, text.len, &insns, &n, NULL), 0);
	assert_int_equal(n, SKEP_ASM_MAX_INSNS);
	free(TAKE_PTR(insns));
	skep_buf_puts(&text, "exit\n");
	assert_int_equal(skep_asm(text.data, text.len, &insns, &n, &diag), -7);
	assert_null(insns);
	assert_string_equal(skep_diag_code(diag.items[0].id), "I0018");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_every_mistake_is_told),
		cmocka_unit_test(test_far_label),
		cmocka_unit_test(test_too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
