/*
 * Programs that are none: linking refuses them with the kernel's errno and
 * words. Each is given to the running kernel, too: the line that we log must
 * be one of the kernel's.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../vm/run.h"

#define RAW(code, dst, src, off, imm)                                                              \
	{                                                                                          \
		(code), (dst), (src), (off), (imm)                                                 \
	}
#define R0_IS_0   RAW(0xb7, 0, 0, 0, 0)
#define EXIT      RAW(0x95, 0, 0, 0, 0)
#define CALL(to)  RAW(0x85, 0, 1, 0, to)
#define GOTO(to)  RAW(0x05, 0, 0, to, 0)
#define GOTOL(to) RAW(0x06, 0, 0, 0, to)
#define IF0(to)   RAW(0x15, 1, 0, to, 0)

static const struct {
	const char *name;
	int err;
	const char *line;
	struct skep_insn insns[12];
	uint32_t n;
} cases[] = {
	{"jump behind the end",
	 -EINVAL,
	 "jump out of range from insn 1 to 3",
	 {R0_IS_0, IF0(1), EXIT},
	 3},
	{"jump before the start",
	 -EINVAL,
	 "jump out of range from insn 1 to -1",
	 {R0_IS_0, GOTO(-3), EXIT},
	 3},
	{"long jump behind the end",
	 -EINVAL,
	 "jump out of range from insn 0 to 1001",
	 {GOTOL(1000), R0_IS_0, EXIT},
	 3},
	{"jump into another function",
	 -EINVAL,
	 "jump out of range from insn 1 to 4",
	 {CALL(2), GOTO(2), EXIT, R0_IS_0, EXIT},
	 5},
	{"unreachable", -EINVAL, "unreachable insn 1", {GOTO(1), R0_IS_0, R0_IS_0, EXIT}, 4},
	{"unreachable after exit", -EINVAL, "unreachable insn 2", {R0_IS_0, EXIT, EXIT}, 3},
	{"falls off the end", -EINVAL, "last insn is not an exit or jmp", {R0_IS_0, R0_IS_0}, 2},
	{"function falls into the next",
	 -EINVAL,
	 "last insn is not an exit or jmp",
	 {CALL(1), R0_IS_0, R0_IS_0, EXIT},
	 4},
	{"ends in a conditional jump",
	 -EINVAL,
	 "last insn is not an exit or jmp",
	 {R0_IS_0, IF0(-1)},
	 2},
	{"call behind the end", -EINVAL, "call to invalid destination", {CALL(5), EXIT}, 2},
	{"call before the start", -EINVAL, "call to invalid destination", {CALL(-9), EXIT}, 2},
	{"second slot missing",
	 -EINVAL,
	 "last insn is not an exit or jmp",
	 {RAW(0x18, 0, 0, 0, 1)},
	 1},
	{"second slot with a code",
	 -EINVAL,
	 "invalid bpf_ld_imm64 insn",
	 {RAW(0x18, 0, 0, 0, 1), R0_IS_0, EXIT},
	 3},
	{"second slot with a register",
	 -EINVAL,
	 "invalid bpf_ld_imm64 insn",
	 {RAW(0x18, 0, 0, 0, 1), RAW(0, 1, 0, 0, 0), EXIT},
	 3},
	{"load of an unknown kind",
	 -EINVAL,
	 "unrecognized bpf_ld_imm64 insn",
	 {RAW(0x18, 0, 9, 0, 1), RAW(0, 0, 0, 0, 0), EXIT},
	 3},
	{"map load with an upper half",
	 -EINVAL,
	 "unrecognized bpf_ld_imm64 insn",
	 {RAW(0x18, 0, 1, 0, 1), RAW(0, 0, 0, 0, 5), EXIT},
	 3},
	{"load with an offset",
	 -EINVAL,
	 "BPF_LD_IMM64 uses reserved fields",
	 {RAW(0x18, 0, 0, 7, 1), RAW(0, 0, 0, 0, 0), EXIT},
	 3},
	{"jump into a load",
	 -EINVAL,
	 "jump into the middle of ldimm64 insn 1",
	 {IF0(1), RAW(0x18, 0, 0, 0, 1), RAW(0, 0, 0, 0, 0), EXIT},
	 4},
	{"unknown code", -EINVAL, "unknown opcode ff", {RAW(0xff, 0, 0, 0, 0), EXIT}, 2},
	{"call by register", -EINVAL, "unknown opcode 8d", {RAW(0x8d, 2, 0, 0, 0), EXIT}, 2},
	{"second slot alone", -EINVAL, "unknown opcode 00", {RAW(0, 0, 0, 0, 0), EXIT}, 2},
	{"register r11", -EINVAL, "R11 is invalid", {RAW(0xb7, 11, 0, 0, 0), EXIT}, 2},
	{"register r15 read", -EINVAL, "R15 is invalid", {RAW(0xbf, 0, 15, 0, 0), EXIT}, 2},
	{"MOV with an offset",
	 -EINVAL,
	 "BPF_MOV uses reserved fields",
	 {RAW(0xb7, 0, 0, 1, 0), EXIT},
	 2},
	{"MOV of a constant with a source",
	 -EINVAL,
	 "BPF_MOV uses reserved fields",
	 {RAW(0xb7, 0, 1, 0, 0), EXIT},
	 2},
	{"ADD with an offset",
	 -EINVAL,
	 "BPF_ALU uses reserved fields",
	 {R0_IS_0, RAW(0x07, 0, 0, 1, 1), EXIT},
	 3},
	{"ADD of a register with a constant",
	 -EINVAL,
	 "BPF_ALU uses reserved fields",
	 {R0_IS_0, RAW(0x0f, 0, 0, 0, 1), EXIT},
	 3},
	{"NEG with a constant",
	 -EINVAL,
	 "BPF_NEG uses reserved fields",
	 {R0_IS_0, RAW(0x87, 0, 0, 0, 1), EXIT},
	 3},
	{"byte order of 17 bits",
	 -EINVAL,
	 "BPF_END uses reserved fields",
	 {R0_IS_0, RAW(0xd4, 0, 0, 0, 17), EXIT},
	 3},
	{"exit with a constant",
	 -EINVAL,
	 "BPF_EXIT uses reserved fields",
	 {R0_IS_0, RAW(0x95, 0, 0, 0, 1)},
	 2},
	{"goto with a constant",
	 -EINVAL,
	 "BPF_JA uses reserved fields",
	 {R0_IS_0, RAW(0x05, 0, 0, 0, 1), EXIT},
	 3},
	{"jump on a constant with a source",
	 -EINVAL,
	 "BPF_JMP/JMP32 uses reserved fields",
	 {R0_IS_0, RAW(0x15, 0, 1, 0, 0), EXIT},
	 3},
	{"jump on a register with a constant",
	 -EINVAL,
	 "BPF_JMP/JMP32 uses reserved fields",
	 {R0_IS_0, RAW(0x1d, 0, 0, 0, 1), EXIT},
	 3},
	{"call with an offset",
	 -EINVAL,
	 "BPF_CALL uses reserved fields",
	 {RAW(0x85, 0, 0, 1, 5), EXIT},
	 2},
	{"call of an unknown kind",
	 -EINVAL,
	 "BPF_CALL uses reserved fields",
	 {RAW(0x85, 0, 3, 0, 5), EXIT},
	 2},
	{"load with a constant",
	 -EINVAL,
	 "BPF_LDX uses reserved fields",
	 {RAW(0x61, 0, 1, 0, 1), EXIT},
	 2},
	{"load in an unknown mode",
	 -EINVAL,
	 "BPF_LDX uses reserved fields",
	 {RAW(0x41, 0, 1, 0, 0), EXIT},
	 2},
	{"store of a constant with a source",
	 -EINVAL,
	 "BPF_ST uses reserved fields",
	 {R0_IS_0, RAW(0x7a, 10, 1, -8, 0), EXIT},
	 3},
	{"store with a constant",
	 -EINVAL,
	 "BPF_STX uses reserved fields",
	 {R0_IS_0, RAW(0x7b, 10, 0, -8, 4), EXIT},
	 3},
	{"atomic of an unknown kind",
	 -EINVAL,
	 "BPF_ATOMIC uses invalid atomic opcode 02",
	 {R0_IS_0, RAW(0xdb, 10, 0, -8, 2), EXIT},
	 3},
	{"exchange without fetch",
	 -EINVAL,
	 "BPF_ATOMIC uses invalid atomic opcode e0",
	 {R0_IS_0, RAW(0xdb, 10, 0, -8, 0xe0), EXIT},
	 3},
	{"cast without an arena",
	 -EINVAL,
	 "addr_space_cast insn can only be used in a program that has an associated arena",
	 {R0_IS_0, RAW(0xbf, 0, 0, 1, 1), EXIT},
	 3},
	{"cast between other spaces",
	 -EINVAL,
	 "addr_space_cast insn can only convert between address space 1 and 0",
	 {R0_IS_0, RAW(0xbf, 0, 0, 1, 5), EXIT},
	 3},
	{"helper that there is not",
	 -EINVAL,
	 "invalid func unknown#9999",
	 {RAW(0x85, 0, 0, 0, 9999), EXIT},
	 2},
	{"the first fault counts",
	 -EINVAL,
	 "call to invalid destination",
	 {GOTO(77), CALL(1000), RAW(0xff, 0, 0, 0, 0)},
	 3},
};

static const struct skep_link_env nothing;

/* The kernel says the same, with our line among its own. */
static void compare_kernel(size_t i, int err, const char *line)
{
	_cleanup_buf_ struct skep_buf log = {0};
	struct code code = {(struct skep_insn *)cases[i].insns, cases[i].n, cases[i].n};
	int fd = kernel_load(&code, &log);

	if (fd != err || !strstr(log.data, line))
		fail_msg("%s: we say %d %s, the kernel %d %s", cases[i].name, err, line, fd,
			 log.data);
}

static void test_refusals(void **state)
{
	bool usable = kernel_usable();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_buf_ struct skep_buf log = {0};
		struct skep_image *image = NULL;
		int err = skep_image_link(cases[i].insns, cases[i].n, 3, &nothing, &log, &image);
		assert_null(image);
		if (err != cases[i].err || strncmp(log.data, cases[i].line, strlen(cases[i].line)))
			fail_msg("%s: %d %s", cases[i].name, err, log.data);
		if (usable)
			compare_kernel(i, err, cases[i].line);
	}
}

/* --- counts --------------------------------------------------------------------------------- */

static void test_sizes(void **state)
{
	struct skep_insn *many = calloc(1000001, sizeof(*many));
	struct skep_image *image = NULL;

	for (size_t i = 0; i < 1000001; i++)
		many[i] = skep_alu64_imm(SKEP_MOV, 0, 0);
	many[999999] = skep_exit();
	assert_int_equal(skep_image_link(many, 0, 3, &nothing, NULL, &image), -E2BIG);
	assert_int_equal(skep_image_link(many, 1000001, 3, &nothing, NULL, &image), -E2BIG);
	assert_int_equal(skep_image_link(many, 1000000, 3, &nothing, NULL, &image), 0);
	assert_int_equal(image->n_insns, 1000000);
	skep_image_free(image);
	free(many);
}

/* 256 functions are a program, 257 none. */
static int link_functions(uint32_t n, struct skep_buf *log)
{
	struct skep_image *image = NULL;
	struct code code = {0};

	for (uint32_t i = 1; i < n; i++)
		code_add(&code, skep_insn_raw(0x85, 0, 1, 0, (int32_t)(n - i + 1 + 2 * (i - 1))));
	code_add(&code, skep_alu64_imm(SKEP_MOV, 0, 0));
	code_add(&code, skep_exit());
	for (uint32_t i = 1; i < n; i++) {
		code_add(&code, skep_alu64_imm(SKEP_MOV, 0, 0));
		code_add(&code, skep_exit());
	}
	int err = skep_image_link(code.insns, code.n, 3, &nothing, log, &image);
	skep_image_free(image);
	code_done(&code);
	return err;
}

static void test_functions(void **state)
{
	_cleanup_buf_ struct skep_buf log = {0};

	assert_int_equal(link_functions(256, &log), 0);
	assert_int_equal(link_functions(257, &log), -E2BIG);
	assert_string_equal(log.data, "too many subprograms\n");
}

/* --- depth: eight frames, and no circle ------------------------------------------------------ */

/* Each function calls the next; the last calls @back. */
static struct code chain(uint32_t frames, int32_t back)
{
	struct code code = {0};

	for (uint32_t i = 0; i + 1 < frames; i++) {
		code_add(&code, skep_insn_raw(0x85, 0, 1, 0, 1));
		code_add(&code, skep_exit());
	}
	code_add(&code, back ? skep_insn_raw(0x85, 0, 1, 0, back) : skep_alu64_imm(SKEP_MOV, 0, 7));
	code_add(&code, skep_exit());
	return code;
}

static void check_depth(uint32_t frames, int32_t back, int expected)
{
	_cleanup_buf_ struct skep_buf log = {0}, kernel_log = {0};
	struct code code = chain(frames, back);
	struct skep_image *image = NULL;

	assert_int_equal(skep_image_link(code.insns, code.n, 3, &nothing, &log, &image), expected);
	skep_image_free(image);
	if (expected)
		assert_non_null(strstr(log.data, "the call stack of 8 frames is too deep"));
	if (kernel_usable()) {
		int fd = kernel_load(&code, &kernel_log);
		assert_int_equal(fd < 0 ? fd : 0, expected);
		if (fd >= 0)
			close(fd);
		else
			assert_non_null(strstr(kernel_log.data, "frames is too deep"));
	}
	code_done(&code);
}

static void test_depth(void **state)
{
	check_depth(8, 0, 0);
	check_depth(9, 0, -E2BIG);
	check_depth(2, -1, -E2BIG);
	check_depth(3, -5, -E2BIG);
}

/* --- what an image says ---------------------------------------------------------------------- */

static void test_image(void **state)
{
	struct skep_image *image = link_text("r6 = r1\n"
					     "*(u64 *)(r10 -16) = 1\n"
					     "call sub\n"
					     "r0 = 0\n"
					     "exit\n"
					     "sub: r2 = r10\n"
					     "r0 = 0\n"
					     "exit\n",
					     NULL);

	assert_int_equal(image->n_funcs, 2);
	assert_int_equal(image->funcs[0].start, 0);
	assert_int_equal(image->funcs[0].end, 5);
	assert_int_equal(image->funcs[0].stack_bytes, 16);
	assert_int_equal(image->funcs[1].start, 5);
	assert_int_equal(image->funcs[1].end, 8);
	assert_int_equal(image->funcs[1].stack_bytes, 512);
	assert_int_equal(image->ops[2], SKEP_OP_CALL_LOCAL);
	assert_false(image->has_tail_call || image->has_may_goto || image->may_throw);
	skep_image_free(image);
}

/* --- callx, where somebody wants it ---------------------------------------------------------- */

static uint64_t third(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		      struct skep_run *run)
{
	return c;
}

static int find_by_register(void *ctx, uint8_t reg, const struct skep_callable **ret)
{
	static const struct skep_callable row = {"third", third, NULL};

	*ret = &row;
	return reg == 3 ? 0 : -ENOENT;
}

static int link_callx(int reg, int32_t imm, struct skep_image **ret)
{
	static const struct skep_link_env env = {.by_register = find_by_register};
	const struct skep_insn insns[] = {skep_alu64_imm(SKEP_MOV, 3, 77),
					  skep_insn_raw(0x8d, reg, 0, 0, imm), skep_exit()};

	return skep_image_link(insns, 3, 3, &env, NULL, ret);
}

static void test_callx(void **state)
{
	static const struct skep_exec *const execs[] = {&skep_exec_interp, &skep_exec_checked,
							&skep_exec_jit};
	struct skep_image *image = NULL;

	assert_int_equal(link_callx(3, 0, &image), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(run_in(execs[i], image, NULL).r0, 77);
	skep_image_free(image);
	image = NULL;
	assert_int_equal(link_callx(4, 0, &image), -ENOENT); /* what the callback said */
	assert_int_equal(link_callx(6, 0, &image), -EINVAL); /* no argument */
	assert_int_equal(link_callx(3, 1, &image), -EINVAL); /* a field that must be 0 */
	assert_null(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),  cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_functions), cmocka_unit_test(test_depth),
		cmocka_unit_test(test_image),     cmocka_unit_test(test_callx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
