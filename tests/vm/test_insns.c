/*
 * Every row of isa.def on operands where results are easily wrong, three
 * times: threaded interpreter, checked interpreter, running kernel. All
 * results of a row go into one number, r9, of which a program returns the
 * lower or the upper half.
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

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const uint64_t wide[] = {
	0,          1,          2,           7,          31,
	32,         63,         64,          0x7f,       0x80,
	0xff,       0x7fff,     0x8000,      0xffff,     0x7fffffff,
	0x80000000, 0xffffffff, 0x100000000, 1ull << 63, ~(1ull << 63),
	UINT64_MAX, -2ull,      -64ull,      -128ull,    0x123456789abcdef0,
};
static const int32_t narrow[] = {
	1, 2, 7, 31, 0x7f, 0x80, 0xffff, 0x10000, INT32_MAX, INT32_MIN, -1, -2, -128, 0, 0x55aa1234,
};

struct row {
	const char *name;
	enum skep_op op;
	uint8_t class, code, src;
	int16_t off;
	int32_t imm;
};

static const struct row rows[] = {
#define INSN(name, class_, op_, arg, src_, off_, imm_, text)                                       \
	{#name, SKEP_OP_##name, SKEP_##class_, SKEP_##class_ | SKEP_##op_ | SKEP_##arg,            \
	 src_,  off_,           imm_},
#include <skep/isa.def>
#undef INSN
};

/* r9 = r9 * 31 + @reg */
static void mix(struct code *code, int reg)
{
	code_add(code, skep_alu64_imm(SKEP_MUL, SKEP_R9, 31));
	code_add(code, skep_alu64_reg(SKEP_ADD, SKEP_R9, reg));
}

static struct skep_insn insn_of(const struct row *row, int dst, int src, int32_t imm)
{
	bool is_end = row->class != SKEP_JMP && row->class != SKEP_JMP32 &&
		      (row->code & 0xf0) == SKEP_END;
	bool by_reg = row->code & SKEP_X && !is_end;

	return skep_insn_raw(row->code, dst, by_reg ? src : row->src, row->off,
			     by_reg ? row->imm : imm);
}

/* --- arithmetic ----------------------------------------------------------------------------- */

static unsigned op_of(const struct row *row)
{
	return row->code & 0xf0;
}

static bool is_shift(const struct row *row)
{
	return op_of(row) == SKEP_LSH || op_of(row) == SKEP_RSH || op_of(row) == SKEP_ARSH;
}

/* What the verifier lets pass as an immediate. */
static bool imm_fits(const struct row *row, int32_t imm)
{
	if (is_shift(row))
		return imm >= 0 && imm < (row->class == SKEP_ALU64 ? 64 : 32);
	if (op_of(row) == SKEP_DIV || op_of(row) == SKEP_MOD)
		return imm != 0;
	return true;
}

static void arith_once(struct code *code, const struct row *row, uint64_t a, uint64_t b,
		       int32_t imm)
{
	code_imm64(code, SKEP_R1, a);
	code_imm64(code, SKEP_R2, b);
	code_add(code, insn_of(row, SKEP_R1, SKEP_R2, imm));
	mix(code, SKEP_R1);
}

static void emit_arith(struct code *code, const struct row *row)
{
	bool by_reg = row->code & SKEP_X, unary = op_of(row) == SKEP_NEG || op_of(row) == SKEP_END;

	for (size_t i = 0; i < N(wide); i++) {
		if (unary)
			arith_once(code, row, wide[i], 0, row->imm);
		for (size_t k = 0; !unary && by_reg && k < N(wide); k++)
			arith_once(code, row, wide[i], wide[k], 0);
		for (size_t k = 0; !unary && !by_reg && k < N(narrow); k++) {
			if (imm_fits(row, narrow[k]))
				arith_once(code, row, wide[i], 0, narrow[k]);
		}
	}
}

/* --- jumps ---------------------------------------------------------------------------------- */

static void jump_once(struct code *code, const struct row *row, uint64_t a, uint64_t b, int32_t imm)
{
	struct skep_insn insn = insn_of(row, SKEP_R1, SKEP_R2, imm);

	insn.off = 1;
	code_imm64(code, SKEP_R1, a);
	code_imm64(code, SKEP_R2, b);
	code_add(code, skep_alu64_imm(SKEP_MOV, SKEP_R3, 1));
	code_add(code, insn);
	code_add(code, skep_alu64_imm(SKEP_MOV, SKEP_R3, 0));
	mix(code, SKEP_R3);
}

static void emit_jump(struct code *code, const struct row *row)
{
	for (size_t i = 0; i < N(wide); i++) {
		for (size_t k = 0; row->code & SKEP_X && k < N(wide); k++)
			jump_once(code, row, wide[i], wide[k], 0);
		for (size_t k = 0; !(row->code & SKEP_X) && k < N(narrow); k++)
			jump_once(code, row, wide[i], 0, narrow[k]);
	}
}

/* Always taken, by off or imm; may_goto: not in the first round. A jump that is never taken
 * makes what is passed over reachable. */
static void emit_goto(struct code *code, const struct row *row)
{
	code_add(code, skep_alu64_imm(SKEP_MOV, SKEP_R3, 1));
	code_add(code, skep_jmp_imm(SKEP_JEQ, SKEP_R6, 0, 1));
	code_add(code, skep_insn_raw(row->code, 0, 0, row->op == SKEP_OP_JA32 ? 0 : 1,
				     row->op == SKEP_OP_JA32 ? 1 : 0));
	code_add(code, skep_alu64_imm(SKEP_ADD, SKEP_R3, 5));
	mix(code, SKEP_R3);
}

/* --- memory --------------------------------------------------------------------------------- */

static int bytes_of(const struct row *row)
{
	static const int bytes[] = {4, 2, 1, 8};

	return bytes[row->code >> 3 & 3];
}

static void set_stack(struct code *code, uint64_t value)
{
	code_imm64(code, SKEP_R1, value);
	code_add(code, skep_stx_mem(SKEP_DW, SKEP_R10, SKEP_R1, -8));
}

static void mix_stack(struct code *code)
{
	code_add(code, skep_ldx_mem(SKEP_DW, SKEP_R3, SKEP_R10, -8));
	mix(code, SKEP_R3);
}

static void emit_load(struct code *code, const struct row *row)
{
	for (size_t i = 0; i < N(wide); i++) {
		set_stack(code, wide[i]);
		for (int off = -8; off < 0; off += bytes_of(row)) {
			code_add(code, skep_insn_raw(row->code, SKEP_R2, SKEP_R10, off, row->imm));
			mix(code, SKEP_R2);
		}
	}
}

static void emit_store(struct code *code, const struct row *row)
{
	for (size_t i = 0; i < N(wide); i++) {
		for (int off = -8; off < 0; off += bytes_of(row)) {
			bool by_reg = row->class == SKEP_STX;
			set_stack(code, wide[(i + 7) % N(wide)]);
			code_imm64(code, SKEP_R2, wide[i]);
			code_add(code, skep_insn_raw(row->code, SKEP_R10, by_reg ? SKEP_R2 : 0, off,
						     by_reg ? row->imm : narrow[i % N(narrow)]));
			mix_stack(code);
		}
	}
}

static void atomic_once(struct code *code, const struct row *row, uint64_t memory, uint64_t value)
{
	code_imm64(code, SKEP_R0, value);
	set_stack(code, memory);
	code_imm64(code, SKEP_R2, ~value);
	code_add(code, skep_insn_raw(row->code, SKEP_R10, SKEP_R2, -8, row->imm));
	mix(code, SKEP_R2);
	mix(code, SKEP_R0);
	mix_stack(code);
}

static void emit_atomic(struct code *code, const struct row *row)
{
	if (row->imm == SKEP_LOAD_ACQ) {
		emit_load(code, row);
		return;
	}
	if (row->imm == SKEP_STORE_REL) {
		emit_store(code, row);
		return;
	}
	for (size_t i = 0; i < N(wide); i++) {
		for (size_t k = 0; k < N(wide); k += 2)
			atomic_once(code, row, wide[i], wide[k]);
		atomic_once(code, row, wide[i], wide[i]);
	}
}

/* Offsets within the packet, from the network header, from the frame; not past the end. */
static void emit_packet(struct code *code, const struct row *row)
{
	static const int32_t offs[] = {0, 1, 12, 13, 33, 59, -0x100000, -0x100000 + 5, -0x200000};
	bool indirect = (row->code & 0xe0) == SKEP_IND;

	for (size_t i = 0; i < N(offs); i++) {
		code_add(code, skep_alu64_imm(SKEP_MOV, SKEP_R7, indirect ? 1 : 0));
		code_add(code, skep_insn_raw(row->code, 0, indirect ? SKEP_R7 : 0, 0, offs[i]));
		mix(code, SKEP_R0);
	}
}

static void emit_constant(struct code *code)
{
	for (size_t i = 0; i < N(wide); i++) {
		code_imm64(code, SKEP_R1, wide[i]);
		mix(code, SKEP_R1);
	}
}

/* --- a program of a row --------------------------------------------------------------------- */

/* Returns whether there is one: calls, exits and what linking resolves have their own tests. */
static bool emit_row(struct code *code, const struct row *row)
{
	switch (row->class) {
	case SKEP_ALU:
	case SKEP_ALU64:
		if (row->op == SKEP_OP_ADDR_SPACE_CAST)
			return false;
		emit_arith(code, row);
		return true;
	case SKEP_LDX: emit_load(code, row); return true;
	case SKEP_ST:
	case SKEP_STX:
		if ((row->code & 0xe0) == SKEP_ATOMIC)
			emit_atomic(code, row);
		else
			emit_store(code, row);
		return true;
	case SKEP_LD:
		if ((row->code & 0xe0) != SKEP_IMM)
			emit_packet(code, row);
		else
			emit_constant(code);
		return row->op == SKEP_OP_LD64_IMM || (row->code & 0xe0) != SKEP_IMM;
	default: break;
	}
	if (op_of(row) == SKEP_CALL || op_of(row) == SKEP_EXIT)
		return false;
	if (op_of(row) == SKEP_JA || op_of(row) == SKEP_JCOND)
		emit_goto(code, row);
	else
		emit_jump(code, row);
	return true;
}

static bool emit_program(struct code *code, const struct row *row, bool upper)
{
	code_add(code, skep_alu64_reg(SKEP_MOV, SKEP_R6, SKEP_R1));
	code_add(code, skep_alu64_imm(SKEP_MOV, SKEP_R9, 1));
	if (!emit_row(code, row))
		return false;
	if (upper)
		code_add(code, skep_alu64_imm(SKEP_RSH, SKEP_R9, 32));
	code_add(code, skep_alu32_reg(SKEP_MOV, SKEP_R0, SKEP_R9));
	code_add(code, skep_exit());
	return true;
}

/* --- the packet ----------------------------------------------------------------------------- */

static uint8_t frame[64];
static uint8_t ctx[192];
static struct skep_packet packet;
static struct skep_world world;

static int set_up(void **state)
{
	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 37 + 129);
	packet = (struct skep_packet){.buf = frame,
				      .meta = frame,
				      .data = frame,
				      .end = frame + sizeof(frame),
				      .limit = frame + sizeof(frame),
				      .ctx = ctx,
				      .network_off = 14};
	world.packet = &packet;
	return 0;
}

/* --- tests ---------------------------------------------------------------------------------- */

static struct outcome run_here(const struct skep_exec *exec, const struct code *code)
{
	struct skep_run run = {.budget = UINT64_MAX, .ctx = ctx, .world = &world};
	struct skep_image *image = link_code(code, NULL);
	struct outcome outcome = run_in(exec, image, &run);

	skep_image_free(image);
	return outcome;
}

static void compare_row(const struct row *row, bool upper, bool with_kernel)
{
	_cleanup_buf_ struct skep_buf log = {0};
	struct code code = {0};
	uint32_t expected = 0;

	if (!emit_program(&code, row, upper)) {
		code_done(&code);
		return;
	}
	struct outcome interp = run_here(&skep_exec_interp, &code);
	struct outcome checked = run_here(&skep_exec_checked, &code);
	if (checked.stop)
		fail_msg("%s: checked stopped at %u: %s", row->name, checked.fault_insn,
			 checked.why);
	if (interp.r0 != checked.r0)
		fail_msg("%s: interp %llx, checked %llx", row->name, (long long)interp.r0,
			 (long long)checked.r0);
	if (with_kernel) {
		int fd = kernel_load(&code, &log);
		if (fd < 0)
			fail_msg("%s: the kernel refuses: %d\n%s", row->name, fd,
				 log.len > 600 ? log.data + log.len - 600 : log.data);
		assert_int_equal(kernel_run(fd, frame, sizeof(frame), &expected), 0);
		close(fd);
		if (interp.r0 != expected)
			fail_msg("%s: interp %llx, kernel %x", row->name, (long long)interp.r0,
				 expected);
	}
	code_done(&code);
}

static void test_rows_agree(void **state)
{
	for (size_t i = 0; i < N(rows); i++) {
		compare_row(&rows[i], false, false);
		compare_row(&rows[i], true, false);
	}
}

static void test_rows_as_the_kernel(void **state)
{
	if (!kernel_usable()) {
		print_message("[  SKIPPED ] programs cannot be loaded here\n");
		skip();
	}
	for (size_t i = 0; i < N(rows); i++) {
		compare_row(&rows[i], false, true);
		compare_row(&rows[i], true, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_agree),
		cmocka_unit_test(test_rows_as_the_kernel),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
