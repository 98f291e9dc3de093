/* The argument notation of USDT probes: x86-64 and aarch64, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/user.h>

#include <skep/elf.h>

#define N_ELEMS(a) (sizeof(a) / sizeof((a)[0]))

struct sample {
	const char *text;
	struct skep_usdt_arg arg;
	const char *symbol;
};

static void check_samples(const struct sample *samples, size_t n, uint16_t machine)
{
	for (size_t i = 0; i < n; i++) {
		const struct skep_usdt_arg *want = &samples[i].arg;
		struct skep_usdt_arg got[2];
		int found = skep_usdt_parse_args(samples[i].text, machine, got, 2);

		if (found != 1)
			fail_msg("%s: %d", samples[i].text, found);
		if (got->kind != want->kind || got->size != want->size || got->base != want->base ||
		    got->index != want->index || got->scale != want->scale ||
		    got->index_width != want->index_width || got->shift != want->shift ||
		    got->value != want->value)
			fail_msg("%s: kind %d size %d base %d index %d*%d(%d) shift %d value %ld",
				 samples[i].text, got->kind, got->size, got->base, got->index,
				 got->scale, got->index_width, got->shift, (long)got->value);
		if (!samples[i].symbol)
			continue;
		assert_int_equal(got->symbol_len, strlen(samples[i].symbol));
		assert_memory_equal(got->symbol, samples[i].symbol, got->symbol_len);
	}
}

#define REG(n, r)                                                                                  \
	{                                                                                          \
		.kind = SKEP_USDT_REG, .size = n, .base = SKEP_REG_##r                             \
	}
#define MEM(n, r, v)                                                                               \
	{                                                                                          \
		.kind = SKEP_USDT_MEM, .size = n, .base = SKEP_REG_##r, .value = v                 \
	}
#define CONST(n, v)                                                                                \
	{                                                                                          \
		.kind = SKEP_USDT_CONST, .size = n, .value = v                                     \
	}
#define INDEX(n, r, i, s, w, v)                                                                    \
	{                                                                                          \
		.kind = SKEP_USDT_MEM, .size = n, .base = SKEP_REG_##r, .index = SKEP_REG_##i,     \
		.scale = s, .index_width = w, .value = v                                           \
	}

static void test_x86(void **state)
{
	static const struct sample samples[] = {
		{"8@%rax", REG(8, RAX), 0},
		{"-4@%eax", REG(-4, RAX), 0},
		{"2@%ax", REG(2, RAX), 0},
		{"-1@%al", REG(-1, RAX), 0},
		{"1@%ah", {.kind = SKEP_USDT_REG, .size = 1, .base = SKEP_REG_RAX, .shift = 8}, 0},
		{"4@%r8d", REG(4, R8), 0},
		{"1@%r9b", REG(1, R9), 0},
		{"2@%r15w", REG(2, R15), 0},
		{"1@%sil", REG(1, RSI), 0},
		{"8@%rip", REG(8, RIP), 0},
		{"4@$5", CONST(4, 5), 0},
		{"-4@$-1", CONST(-4, -1), 0},
		{"8@$0xff", CONST(8, 255), 0},
		{"8@$-9223372036854775808", CONST(8, INT64_MIN), 0},
		{"8@(%rdi)", MEM(8, RDI, 0), 0},
		{"-4@-8(%rbp)", MEM(-4, RBP, -8), 0},
		{"8@0x10(%rsp)", MEM(8, RSP, 16), 0},
		{"8@16+8(%rsp)", MEM(8, RSP, 24), 0},
		{"8@(%rdi,%rsi)", INDEX(8, RDI, RSI, 1, 8, 0), 0},
		{"8@(%rdi,%rsi,8)", INDEX(8, RDI, RSI, 8, 8, 0), 0},
		{"4@-24(%rdi, %r10, 4)", INDEX(4, RDI, R10, 4, 8, -24), 0},
		{"8@16(,%rax,8)", INDEX(8, NONE, RAX, 8, 8, 16), 0},
		{"8@counter(%rip)", {.kind = SKEP_USDT_SYMBOL, .size = 8}, "counter"},
		{"8@table+16(%rip)", {.kind = SKEP_USDT_SYMBOL, .size = 8, .value = 16}, "table"},
		{"8@16+table(%rip)", {.kind = SKEP_USDT_SYMBOL, .size = 8, .value = 16}, "table"},
		{"-4@table-4", {.kind = SKEP_USDT_SYMBOL, .size = -4, .value = -4}, "table"},
		{"8f@%xmm0", {.kind = SKEP_USDT_UNKNOWN, .size = 8}, 0},
		{"4@%xmm1", {.kind = SKEP_USDT_UNKNOWN, .size = 4}, 0},
		{"8@%st(1)", {.kind = SKEP_USDT_UNKNOWN, .size = 8}, 0},
		{"8@%fs:0", {.kind = SKEP_USDT_UNKNOWN, .size = 8}, 0},
	};

	check_samples(samples, N_ELEMS(samples), EM_X86_64);
}

static void test_aarch64(void **state)
{
	static const struct sample samples[] = {
		{"8@x0", REG(8, X0), 0},
		{"-4@w19", REG(-4, X0 + 19), 0},
		{"8@x30", REG(8, X30), 0},
		{"8@sp", REG(8, SP), 0},
		{"4@wzr", CONST(4, 0), 0},
		{"4@5", CONST(4, 5), 0},
		{"-4@-100", CONST(-4, -100), 0},
		{"-4@#7", CONST(-4, 7), 0},
		{"8@[sp]", MEM(8, SP, 0), 0},
		{"4@[sp, 60]", MEM(4, SP, 60), 0},
		{"-4@[x29,-20]", MEM(-4, X0 + 29, -20), 0},
		{"8@[x0, #16]", MEM(8, X0, 16), 0},
		{"8@[x1, x2]", INDEX(8, X0 + 1, X0 + 2, 1, 8, 0), 0},
		{"8@[x1, x2, lsl 3]", INDEX(8, X0 + 1, X0 + 2, 8, 8, 0), 0},
		{"4@[x1, w2, sxtw 2]", INDEX(4, X0 + 1, X0 + 2, 4, -4, 0), 0},
		{"4@[x1, w2, uxtw]", INDEX(4, X0 + 1, X0 + 2, 1, 4, 0), 0},
		{"8@d0", {.kind = SKEP_USDT_UNKNOWN, .size = 8}, 0},
	};
	struct skep_usdt_arg arg;

	check_samples(samples, N_ELEMS(samples), EM_AARCH64);
	assert_int_equal(skep_usdt_parse_args("8@[x0, :lo12:counter]", EM_AARCH64, &arg, 1), 1);
	assert_int_equal(arg.kind, SKEP_USDT_UNKNOWN);
}

static void test_several(void **state)
{
	struct skep_usdt_arg args[SKEP_USDT_MAX_ARGS];

	assert_int_equal(skep_usdt_parse_args("", EM_X86_64, args, 12), 0);
	assert_int_equal(skep_usdt_parse_args("  ", EM_X86_64, args, 12), 0);
	assert_int_equal(skep_usdt_parse_args("-4@%eax 8@-8(%rbp) 8@$1 ", EM_X86_64, args, 12), 3);
	assert_int_equal(args[1].kind, SKEP_USDT_MEM);
	assert_int_equal(args[2].value, 1);
	assert_int_equal(skep_usdt_parse_args("4@[sp, 60] 8@x1", EM_AARCH64, args, 12), 2);
	assert_int_equal(args[1].base, SKEP_REG_X0 + 1);
	assert_int_equal(skep_usdt_parse_args("8@%rax 8@%rax", EM_X86_64, args, 1), -E2BIG);
	assert_int_equal(skep_usdt_parse_args("8@%rax", EM_RISCV, args, 12), -EOPNOTSUPP);
}

static void test_malformed(void **state)
{
	static const char *const texts[] = {
		"8",
		"8@",
		"@%rax",
		"3@%rax",
		"16@%rax",
		"8@%",
		"8@(",
		"8@()",
		"8@(%rax",
		"8@(%rax,)",
		"8@(%rax,%rbx,3)",
		"8@$",
		"8@5-",
		"8@a+b",
		"8@%rax%rbx",
		"8@%rax,4@%rbx",
		"-@%rax",
		"8@-(%rax)",
		"8@[sp, 4]",
		"8@(%rax,%rbx,8",
		"--4@%eax",
	};
	struct skep_usdt_arg args[4];

	memset(args, 0x55, sizeof(args));
	for (size_t i = 0; i < N_ELEMS(texts); i++)
		if (skep_usdt_parse_args(texts[i], EM_X86_64, args, 4) != -EINVAL)
			fail_msg("accepted: %s", texts[i]);
	assert_int_equal(skep_usdt_parse_args("8@[sp", EM_AARCH64, args, 4), -EINVAL);
	assert_int_equal(skep_usdt_parse_args("8@[sp, x0, ror 3]", EM_AARCH64, args, 4), -EINVAL);
	for (size_t i = 0; i < sizeof(args); i++)
		assert_int_equal(((unsigned char *)args)[i], 0x55);
}

#ifdef __x86_64__
/* The kernel's struct pt_regs is user_regs_struct up to its ss. */
static void test_offsets(void **state)
{
#define CHECK(reg, field)                                                                          \
	assert_int_equal(skep_reg_pt_regs_off(SKEP_REG_##reg),                                     \
			 offsetof(struct user_regs_struct, field))
	CHECK(RAX, rax);
	CHECK(RBX, rbx);
	CHECK(RCX, rcx);
	CHECK(RDX, rdx);
	CHECK(RSI, rsi);
	CHECK(RDI, rdi);
	CHECK(RBP, rbp);
	CHECK(RSP, rsp);
	CHECK(R8, r8);
	CHECK(R9, r9);
	CHECK(R10, r10);
	CHECK(R11, r11);
	CHECK(R12, r12);
	CHECK(R13, r13);
	CHECK(R14, r14);
	CHECK(R15, r15);
	CHECK(RIP, rip);
#undef CHECK
}
#else
static void test_offsets(void **state)
{
	assert_int_equal(skep_reg_pt_regs_off(SKEP_REG_SP), offsetof(struct user_regs_struct, sp));
	assert_int_equal(skep_reg_pt_regs_off(SKEP_REG_PC), offsetof(struct user_regs_struct, pc));
}
#endif

static void test_offset_limits(void **state)
{
	assert_int_equal(skep_reg_pt_regs_off(SKEP_REG_NONE), -1);
	assert_int_equal(skep_reg_pt_regs_off(SKEP_REG_CNT), -1);
	assert_int_equal(skep_reg_pt_regs_off(SKEP_REG_X0), 0);
	assert_int_equal(skep_reg_pt_regs_off(SKEP_REG_SP), 248);
	assert_int_equal(skep_reg_pt_regs_off(SKEP_REG_PC), 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_x86),     cmocka_unit_test(test_aarch64),
		cmocka_unit_test(test_several), cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_offsets), cmocka_unit_test(test_offset_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
