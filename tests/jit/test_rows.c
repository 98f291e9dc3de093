/* Every row of isa.def, on every pair of registers and on the values where things go wrong: the
 * JIT does what the interpreter does. A row that no case here exercises fails the last test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <skep/helper.h>

#include "state.h"

#define N(array) (sizeof(array) / sizeof(*(array)))

static bool seen[SKEP_OP_CNT];

static const uint64_t values[] = {0,
				  1,
				  2,
				  7,
				  31,
				  32,
				  63,
				  64,
				  0x7f,
				  0x80,
				  0xff,
				  0x8000,
				  0xffff,
				  0x12345678,
				  INT32_MAX,
				  0x80000000,
				  UINT32_MAX,
				  0x100000000,
				  0x0123456789abcdef,
				  0xfedcba9876543210,
				  INT64_MAX,
				  (uint64_t)INT64_MIN,
				  UINT64_MAX - 1,
				  UINT64_MAX};
static const int32_t imms[] = {0,          1,          -1,         2,         3,        8,
			       10,         31,         32,         63,        127,      128,
			       -128,       -129,       255,        4095,      4096,     0xffff,
			       0x12345678, -0x1234567, 0x40000000, INT32_MAX, INT32_MIN};
static const int16_t offs[] = {0, 8, -8, 120, 128, -128, -136, 248, 256, -256, -264, 1024};

/* What memory instructions reach: in the middle of it, so that offsets have room. */
static uint64_t arena[512];
#define MIDDLE (&arena[256])

/* How one program is compiled and compared. */
struct engines {
	struct skep_image *image;
	struct ready interp, jit;
};

static void engines_init(struct engines *engines, const struct code *code, unsigned features,
			 bool blind)
{
	static const struct skep_link_env no_names;
	struct skep_exec_opts opts = {.blind_constants = blind};
	struct skep_code *a, *b;
	assert_int_equal(skep_image_link(code->insns, code->n, 0, &no_names, NULL, &engines->image),
			 0);
	assert_int_equal(skep_exec_interp.compile(engines->image, &opts, &a), 0);
	assert_int_equal(skep_jit_compile(engines->image, &opts, features, &b), 0);
	make_ready(engines->image, &skep_exec_interp, a, &engines->interp);
	make_ready(engines->image, &skep_exec_jit, b, &engines->jit);
}

static void engines_done(struct engines *engines)
{
	skep_exec_interp.free(engines->interp.program.code);
	skep_exec_jit.free(engines->jit.program.code);
	skep_image_free(engines->image);
}

static void fill_arena(void)
{
	for (size_t i = 0; i < N(arena); i++)
		arena[i] = i * 0x9e3779b97f4a7c15 ^ i << 60;
}

static void compare(const char *name, const struct engines *engines, const struct state *in)
{
	static uint64_t want_memory[N(arena)];
	struct frame want, got;
	fill_arena();
	uint64_t a = run_state(&engines->interp, in, &want);
	memcpy(want_memory, arena, sizeof(arena));
	fill_arena();
	uint64_t b = run_state(&engines->jit, in, &got);
	if (a == b && !memcmp(&want.out, &got.out, sizeof(want.out)) &&
	    !memcmp(want_memory, arena, sizeof(arena)))
		return;
	for (int r = 0; r < N_SEEN; r++)
		print_message("r%d %#llx: interpreter %#llx, JIT %#llx\n", r,
			      (unsigned long long)in->regs[r], (unsigned long long)want.out.regs[r],
			      (unsigned long long)got.out.regs[r]);
	fail_msg("%s differs", name);
}

/* A program of the one instruction; a jump's shows in the stack whether it was taken. */
static void program_of(struct code *code, struct skep_insn insn, uint64_t upper)
{
	code->n = 0;
	put_prologue(code);
	put(code, insn);
	if (insn.code == (SKEP_LD | SKEP_DW | SKEP_IMM))
		put(code, skep_insn_raw(0, 0, 0, 0, (int32_t)(upper >> 32)));
	if (insn.off == 1 && ((insn.code & 7) == SKEP_JMP || (insn.code & 7) == SKEP_JMP32))
		put(code, skep_st_mem(SKEP_DW, SKEP_R10, -8, 77));
	put_epilogue(code);
}

static void background(struct state *in)
{
	for (int i = 0; i < N_SEEN; i++)
		in->regs[i] = 0x1111111111111111 * (uint64_t)(i + 1);
	for (int i = 0; i < STACK_WORDS; i++)
		in->stack[i] = 0xabcdef0123456789 + (uint64_t)i;
}

static void try_values(const char *name, const struct engines *engines, struct skep_insn insn)
{
	bool has_src = insn.code & SKEP_X && insn.src != insn.dst;
	/* All values where r0, r3 and r4 meet, of which division and shifts take hold. */
	size_t step = has_src && (insn.dst > SKEP_R4 || insn.src > SKEP_R4) ? 5 : 1;
	struct state in;
	background(&in);
	for (size_t i = (size_t)insn.src % step; i < N(values); i += step) {
		in.regs[insn.dst] = values[i];
		for (size_t k = insn.dst % step; k < (has_src ? N(values) : 1); k += step) {
			if (has_src)
				in.regs[insn.src] = values[k];
			compare(name, engines, &in);
		}
	}
}

/* Everything the instruction can meet, with all the JIT's ways to write it. */
static void try_insn(const char *name, struct skep_insn insn)
{
	struct code code;
	struct engines engines;
	program_of(&code, insn, 0x89abcdef00000000);
	for (int way = 0; way < 3; way++) {
		engines_init(&engines, &code, way == 1 ? 0 : skep_jit_features(), way == 2);
		try_values(name, &engines, insn);
		engines_done(&engines);
	}
}

static void try_row(const struct row *row, int off)
{
	bool imm = row_has(row, "{imm}") || row_has(row, "{hex}");
	bool reg = row_has(row, "{rs}") || row_has(row, "{ws}");
	for (int dst = 0; dst < N_SEEN; dst++) {
		for (int src = 0; src < (reg ? N_SEEN : 1); src++)
			for (size_t i = 0; i < (imm ? N(imms) : 1); i++)
				try_insn(row->name, row_insn(row, dst, src, off, imms[i]));
	}
	seen[row - rows] = true;
}

static bool is_class(const struct row *row, int a, int b)
{
	return row->name && ((row->code & 7) == a || (row->code & 7) == b);
}

static void arithmetic(void **state)
{
	for (const struct row *row = rows; row < rows + N(rows); row++)
		if (is_class(row, SKEP_ALU, SKEP_ALU64) && !row_has(row, "addr_space"))
			try_row(row, 0);
}

static void tests_and_jumps(void **state)
{
	for (const struct row *row = rows; row < rows + N(rows); row++) {
		int op = row->code & 0xf0;
		if (is_class(row, SKEP_JMP, SKEP_JMP32) && op != SKEP_CALL && op != SKEP_EXIT &&
		    op != SKEP_JA)
			try_row(row, 1);
	}
}

/* What is jumped over must be reachable, so there is a way there too. */
static void plain_jumps(void **state)
{
	const struct skep_insn jumps[] = {skep_ja(1),
					  skep_insn_raw(SKEP_JMP32 | SKEP_JA, 0, 0, 0, 1)};
	for (size_t i = 0; i < N(jumps); i++) {
		struct code code = {0};
		struct engines engines;
		struct state in;
		background(&in);
		put_prologue(&code);
		put(&code, skep_jmp_imm(SKEP_JEQ, SKEP_R2, 5, 1));
		put(&code, jumps[i]);
		put(&code, skep_st_mem(SKEP_DW, SKEP_R10, -8, 77));
		put_epilogue(&code);
		engines_init(&engines, &code, skep_jit_features(), false);
		compare("JA", &engines, &in);
		in.regs[SKEP_R2] = 5;
		compare("JA", &engines, &in);
		engines_done(&engines);
	}
	seen[SKEP_OP_JA] = seen[SKEP_OP_JA32] = seen[SKEP_OP_EXIT] = true;
}

static void constants(void **state)
{
	static const int32_t lower[] = {0, 1, -1, INT32_MAX, INT32_MIN, 0x1234};
	static const uint64_t upper[] = {0, 1ull << 32, ~0ull << 32, 0x1234567800000000};
	for (size_t i = 0; i < N(lower) * N(upper) * N_SEEN; i++) {
		struct code code;
		struct engines engines;
		int dst = (int)(i % N_SEEN);
		uint64_t high = upper[i / N_SEEN % N(upper)];
		int32_t low = lower[i / N_SEEN / N(upper)];
		struct state in;
		background(&in);
		program_of(&code, skep_insn_raw(SKEP_LD | SKEP_DW | SKEP_IMM, dst, 0, 0, low),
			   high);
		engines_init(&engines, &code, skep_jit_features(), i % 2);
		compare("LD64_IMM", &engines, &in);
		engines_done(&engines);
	}
	seen[SKEP_OP_LD64_IMM] = true;
}

/* --- Memory: every base, every other register, offsets of every length ----------------------- */

static void try_access(const struct row *row, int base, int other, int off)
{
	bool by_src = (row->code & 7) == SKEP_LDX || row_has(row, "load_acquire");
	int dst = by_src ? other : base, src = by_src ? base : other;
	struct skep_insn insn = row_insn(row, dst, src, off, off % 16 ? -2 : 0x12345678);
	struct code code;
	struct engines engines;
	struct state in;
	program_of(&code, insn, 0);
	engines_init(&engines, &code, skep_jit_features(), off == 8);
	for (size_t i = 0; i < N(values); i += 3) {
		background(&in);
		in.regs[other] = values[i];
		in.regs[base] = (uintptr_t)MIDDLE;
		compare(row->name, &engines, &in);
	}
	/* A compare-and-exchange that finds what it hopes for. */
	fill_arena();
	if (base != SKEP_R0)
		memcpy(&in.regs[0], (const char *)MIDDLE + insn.off, 8);
	compare(row->name, &engines, &in);
	engines_done(&engines);
}

static void memory(void **state)
{
	for (const struct row *row = rows; row < rows + N(rows); row++) {
		if (!row->name || !(row->code & 0xe0) ||
		    !(is_class(row, SKEP_LDX, SKEP_ST) || is_class(row, SKEP_STX, SKEP_STX)))
			continue;
		for (int i = 0; i < N_SEEN * N_SEEN; i++)
			try_access(row, i % N_SEEN, i / N_SEEN, offs[i % (int)N(offs)]);
		for (size_t i = 0; i < N(offs); i++)
			try_access(row, SKEP_R1, SKEP_R7, offs[i]);
		seen[row - rows] = true;
	}
}

/* --- Packet loads ---------------------------------------------------------------------------- */

static uint64_t run_packet(const struct skep_exec *exec, const struct skep_image *image,
			   struct skep_world *world, uint64_t ind)
{
	struct skep_code *code;
	assert_int_equal(exec->compile(image, NULL, &code), 0);
	struct skep_program program = {image, exec, code};
	struct skep_run run = {.program = &program, .world = world, .depth = 1};
	const uint64_t args[5] = {0, ind};
	uint64_t r0 = exec->call(&program, 0, args, &run);
	exec->free(code);
	return r0;
}

static uint64_t packet_result(const struct row *row, int32_t imm, uint64_t ind,
			      struct skep_world *world)
{
	static const struct skep_link_env no_names;
	const struct skep_insn insns[] = {skep_alu64_reg(SKEP_MOV, SKEP_R6, SKEP_R1),
					  skep_alu64_reg(SKEP_MOV, SKEP_R7, SKEP_R2),
					  row_insn(row, 0, SKEP_R7, 0, imm),
					  skep_alu64_imm(SKEP_ADD, SKEP_R0, 1), skep_exit()};
	struct skep_image *image;
	assert_int_equal(skep_image_link(insns, N(insns), 3, &no_names, NULL, &image), 0);
	uint64_t a = run_packet(&skep_exec_interp, image, world, ind);
	uint64_t b = run_packet(&skep_exec_jit, image, world, ind);
	assert_int_equal(a, b);
	skep_image_free(image);
	return b;
}

static void packet_loads(void **state)
{
	static const int32_t places[] = {0,         1,         12,        28,           29, 30,
					 31,        32,        33,        40,           -1, 34,
					 -0x100000, -0x200000, INT32_MIN, -0x100000 + 4};
	uint8_t bytes[32], behind[4] = {0xd1, 0xd2, 0xd3, 0xd4};
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(0x80 + i);
	struct skep_packet packet = {.data = bytes,
				     .end = bytes + 32,
				     .frags = behind,
				     .frags_bytes = 4,
				     .network_off = 14};
	struct skep_world world = {.packet = &packet}, none = {0};
	for (int op = SKEP_OP_LD_ABS8; op <= SKEP_OP_LD_IND32; op++) {
		for (size_t i = 0; i < N(places); i++)
			for (uint64_t ind = 0; ind < 3; ind++)
				packet_result(&rows[op], places[i], ind, &world);
		assert_int_equal(packet_result(&rows[op], 0, 0, &none), 0);
		seen[op] = true;
	}
	assert_int_equal(packet_result(&rows[SKEP_OP_LD_ABS32], 30, 0, &world), 0x9e9fd1d2 + 1);
	assert_int_equal(packet_result(&rows[SKEP_OP_LD_ABS16], 35, 0, &world), 0);
}

/* --- The rest has tests of its own: test_calls.c --------------------------------------------- */

static void every_row_was_seen(void **state)
{
	static const enum skep_op elsewhere[] = {SKEP_OP_CALL_HELPER, SKEP_OP_CALL_LOCAL,
						 SKEP_OP_CALL_KFUNC, SKEP_OP_ADDR_SPACE_CAST,
						 /* linking makes plain constants of these */
						 SKEP_OP_LD64_MAP_FD, SKEP_OP_LD64_MAP_VALUE,
						 SKEP_OP_LD64_BTF_ID, SKEP_OP_LD64_FUNC,
						 SKEP_OP_LD64_MAP_IDX, SKEP_OP_LD64_MAP_IDX_VALUE};
	for (size_t i = 0; i < N(elsewhere); i++)
		seen[elsewhere[i]] = true;
	for (size_t op = 1; op < N(seen); op++)
		if (!seen[op])
			fail_msg("nothing tries %s", rows[op].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arithmetic),
		cmocka_unit_test(tests_and_jumps),
		cmocka_unit_test(plain_jumps),
		cmocka_unit_test(constants),
		cmocka_unit_test(memory),
		cmocka_unit_test(packet_loads),
		cmocka_unit_test(every_row_was_seen),
	};
	return cmocka_run_group_tests_name("jit/rows", tests, NULL, NULL);
}
