/*
 * Every row of isa.def, with each value that its operands can take at their
 * ends and in between: decode names the row, and text leads back to the bytes.
 */
#include "isa_test.h"

static const int regs[] = {0, 1, 9, 10};
static const int offs[] = {0, 1, -1, 8, -512, INT16_MAX, INT16_MIN};
static const int32_t imms[] = {0, 1, -1, 8, 16, 64, 255, 0x10000, INT32_MAX, INT32_MIN};

static const struct row {
	enum skep_op op;
	const char *name;
	struct skep_insn insn;
} rows[] = {
#define INSN(name, class, op, arg, src_, off_, imm_, text)                                         \
	{SKEP_OP_##name,                                                                           \
	 #name,                                                                                    \
	 {.code = SKEP_##class | SKEP_##op | SKEP_##arg, .src = src_, .off = off_, .imm = imm_}},
#include <skep/isa.def>
#undef INSN
};

#define N(array) (sizeof(array) / sizeof((array)[0]))

static bool shows(const struct row *row, const char *const *operands)
{
	for (; *operands; operands++) {
		if (strstr(skep_isa_op_text(row->op), *operands))
			return true;
	}
	return false;
}

static const char *const of_dst[] = {"{rd}", "{wd}", NULL};
static const char *const of_src[] = {"{rs}", "{ws}", NULL};
static const char *const of_off[] = {"{off}", "{pc}", "{kfunc}", NULL};
static const char *const of_imm[] = {"{imm}",   "{hex}", "{u32}",   "{imm64}",  "{to_as}",
				     "{pcimm}", "{sub}", "{kfunc}", "{helper}", NULL};
static const char *const of_next[] = {"{next}", "{imm64}", NULL};

static size_t n_checked;

static void check(const struct row *row, const struct skep_insn insns[2])
{
	_cleanup_diag_ struct skep_diag diag = {0};
	enum skep_op op = SKEP_OP_INVALID;
	unsigned slots = 0;

	int err = skep_isa_decode(insns, 2, &op, &slots, &diag);
	if (err)
		print_error("%s: %s\n", row->name, diag.items[0].what);
	assert_int_equal(err, 0);
	assert_string_equal(skep_isa_op_name(op), row->name);
	assert_int_equal(slots, insns->code == (SKEP_LD | SKEP_DW | SKEP_IMM) ? 2 : 1);
	assert_true(comes_back(insns, slots));
	n_checked++;
}

static void with_imms(const struct row *row, struct skep_insn insns[2])
{
	for (size_t i = 0; i < (shows(row, of_imm) ? N(imms) : 1); i++) {
		if (shows(row, of_imm))
			insns[0].imm = imms[i];
		for (size_t j = 0; j < (shows(row, of_next) ? N(imms) : 1); j++) {
			insns[1].imm = shows(row, of_next) ? imms[j] : 0;
			check(row, insns);
		}
	}
}

static void with_offs(const struct row *row, struct skep_insn insns[2])
{
	for (size_t i = 0; i < (shows(row, of_off) ? N(offs) : 1); i++) {
		if (shows(row, of_off))
			insns[0].off = (int16_t)offs[i];
		with_imms(row, insns);
	}
}

static void test_every_row(void **state)
{
	for (size_t i = 0; i < N(rows); i++) {
		struct skep_insn insns[2] = {rows[i].insn};
		bool dst = shows(&rows[i], of_dst), src = shows(&rows[i], of_src);

		for (size_t d = 0; d < (dst ? N(regs) : 1); d++) {
			for (size_t s = 0; s < (src ? N(regs) : 1); s++) {
				insns[0].dst = (dst ? regs[d] : 0) & 15;
				if (src)
					insns[0].src = regs[s] & 15;
				with_offs(&rows[i], insns);
			}
		}
	}
	print_message("%zu rows, %zu instructions\n", N(rows), n_checked);
	assert_int_equal(N(rows), SKEP_OP_CNT - 1);
	assert_true(n_checked > 5000);
}

/* Whatever the bytes: what decodes comes back, what does not still prints. */
static void test_any_code(void **state)
{
	size_t n_valid = 0;

	for (unsigned bits = 0; bits < 1u << 16; bits++) {
		struct skep_insn insns[2] = {
			{.code = (uint8_t)bits, .dst = bits >> 8 & 15, .src = bits >> 12}};
		_cleanup_buf_ struct skep_buf text = {0};
		enum skep_op op;
		unsigned slots;

		skep_disasm_insn(insns, 2, 0, NULL, &text);
		assert_true(text.len > 0);
		if (!skep_isa_decode(insns, 2, &op, &slots, NULL)) {
			assert_true(comes_back(insns, slots));
			n_valid++;
		}
	}
	assert_true(n_valid > 3000);
}

static void test_names(void **state)
{
	assert_string_equal(skep_isa_op_name(SKEP_OP_ADD64_REG), "ADD64_REG");
	assert_string_equal(skep_isa_op_text(SKEP_OP_ADD64_REG), "{rd} += {rs}");
	assert_null(skep_isa_op_name(SKEP_OP_INVALID));
	assert_null(skep_isa_op_name(SKEP_OP_CNT));
	assert_null(skep_isa_op_text(SKEP_OP_CNT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_any_code),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
