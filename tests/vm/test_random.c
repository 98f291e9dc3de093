/*
 * Random programs of what the threaded interpreter fuses: arithmetic, short
 * forward jumps, the stack. Its result, with and without a budget, is that of
 * the checked interpreter; and the kernel's, for some.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "run.h"

#define PROGRAMS   4000
#define ON_KERNEL  300
#define LENGTH     120
#define MOST_SLOTS 8 /* of the stack, 8 bytes each */

static uint32_t seed;

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* r0 to r8 are numbers, r9 sums up. Few registers, so that neighbours often share one. */
static int reg(void)
{
	return (int)below(below(2) ? 3 : 9);
}

static int32_t number(void)
{
	static const int32_t numbers[] = {0, 1, -1, 2, 8, 31, 255, 65535, INT32_MAX, INT32_MIN};

	return below(3) ? numbers[below(10)] : (int32_t)(below(1 << 24) * below(256));
}

static const uint8_t alu_ops[] = {SKEP_ADD, SKEP_SUB, SKEP_MUL, SKEP_DIV, SKEP_OR,  SKEP_AND,
				  SKEP_LSH, SKEP_RSH, SKEP_MOD, SKEP_XOR, SKEP_MOV, SKEP_ARSH,
				  SKEP_MOV, SKEP_MOV, SKEP_ADD, SKEP_ADD};
static const uint8_t jump_ops[] = {SKEP_JEQ,  SKEP_JGT, SKEP_JGE, SKEP_JSET, SKEP_JNE, SKEP_JSGT,
				   SKEP_JSGE, SKEP_JLT, SKEP_JLE, SKEP_JSLT, SKEP_JSLE};

static struct skep_insn random_alu(void)
{
	int class = below(2) ? SKEP_ALU64 : SKEP_ALU, op = alu_ops[below(sizeof(alu_ops))];
	int32_t imm = number();

	if (below(2))
		return skep_insn_raw(class | op | SKEP_X, reg(), reg(), 0, 0);
	if (op == SKEP_LSH || op == SKEP_RSH || op == SKEP_ARSH)
		imm &= class == SKEP_ALU64 ? 63 : 31;
	if ((op == SKEP_DIV || op == SKEP_MOD) && !imm)
		imm = 3;
	return skep_insn_raw(class | op, reg(), 0, 0, imm);
}

/* One to three ahead: over one, it is what selects without a branch. */
static struct skep_insn random_jump(void)
{
	int class = below(2) ? SKEP_JMP : SKEP_JMP32, op = jump_ops[below(sizeof(jump_ops))];
	int off = below(2) ? 1 : 1 + (int)below(3);

	if (below(2))
		return skep_insn_raw(class | op | SKEP_X, reg(), reg(), off, 0);
	return skep_insn_raw(class | op, reg(), 0, off, number());
}

static struct skep_insn random_access(void)
{
	static const int sizes[] = {SKEP_B, SKEP_H, SKEP_W, SKEP_DW, SKEP_DW};
	int off = -8 * (1 + (int)below(MOST_SLOTS)), size = sizes[below(5)];

	switch (below(3)) {
	case 0: return skep_stx_mem(size, SKEP_R10, reg(), off);
	case 1: return skep_st_mem(size, SKEP_R10, off, number());
	default: return skep_ldx_mem(size, reg(), SKEP_R10, off);
	}
}

static struct skep_insn random_insn(void)
{
	switch (below(6)) {
	case 0: return random_jump();
	case 1: return random_access();
	default: return random_alu();
	}
}

/* All registers and slots are set first; jumps near the end find room to land. */
static void generate(struct code *code, uint32_t number_of)
{
	seed = number_of * 2654435761u + 1;
	for (int i = 0; i <= 9; i++)
		code_imm64(code, i, (uint64_t)number() << (below(2) * 32) ^ below(1 << 24));
	for (int i = 1; i <= MOST_SLOTS; i++)
		code_add(code, skep_stx_mem(SKEP_DW, SKEP_R10, (int)below(9), -8 * i));
	for (int i = 0; i < LENGTH; i++) {
		code_add(code, random_insn());
		if (i % 8 == 7)
			code_add(code, skep_alu64_reg(SKEP_XOR, SKEP_R9, reg()));
	}
	for (int i = 0; i < 9; i++) {
		code_add(code, skep_alu64_imm(SKEP_MUL, SKEP_R9, 31));
		code_add(code, skep_alu64_reg(SKEP_ADD, SKEP_R9, i));
	}
	code_add(code, skep_alu64_reg(SKEP_MOV, SKEP_R0, SKEP_R9));
	code_add(code, skep_alu64_imm(SKEP_RSH, SKEP_R0, 32));
	code_add(code, skep_alu64_reg(SKEP_XOR, SKEP_R0, SKEP_R9));
	code_add(code, skep_exit());
}

static void test_interpreters_agree(void **state)
{
	const struct skep_run with_budget = {.budget = 1000000};

	for (uint32_t i = 0; i < PROGRAMS; i++) {
		struct code code = {0};
		generate(&code, i);
		struct skep_image *image = link_code(&code, NULL);
		struct outcome checked = run_in(&skep_exec_checked, image, NULL);
		struct outcome interp = run_in(&skep_exec_interp, image, NULL);
		struct outcome counted = run_in(&skep_exec_interp, image, &with_budget);
		if (checked.stop || interp.r0 != checked.r0 || counted.r0 != checked.r0)
			fail_msg("program %u: interp %llx, with a budget %llx, checked %llx %s", i,
				 (long long)interp.r0, (long long)counted.r0, (long long)checked.r0,
				 checked.why);
		skep_image_free(image);
		code_done(&code);
	}
}

static void compare_kernel(uint32_t i)
{
	static const uint8_t frame[64];
	_cleanup_buf_ struct skep_buf log = {0};
	struct code code = {0};
	uint32_t expected = 0;

	generate(&code, i);
	struct skep_image *image = link_code(&code, NULL);
	int fd = kernel_load(&code, &log);
	if (fd < 0)
		fail_msg("program %u: the kernel refuses: %d %s", i, fd, log.data);
	assert_int_equal(kernel_run(fd, frame, sizeof(frame), &expected), 0);
	uint32_t r0 = (uint32_t)run_in(&skep_exec_interp, image, NULL).r0;
	if (r0 != expected)
		fail_msg("program %u: interp %x, kernel %x", i, r0, expected);
	close(fd);
	skep_image_free(image);
	code_done(&code);
}

static void test_as_the_kernel(void **state)
{
	if (!kernel_usable()) {
		print_message("[  SKIPPED ] programs cannot be loaded here\n");
		skip();
	}
	for (uint32_t i = 0; i < ON_KERNEL; i++)
		compare_kernel(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interpreters_agree),
		cmocka_unit_test(test_as_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
