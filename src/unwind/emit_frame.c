/*
 * One frame, see emit.h: what skep_unwind_walk() does in a round, and in its order,
 * so that both end for the same reason.
 *
 * Most frames are found by the stack or the frame pointer, and have saved what
 * the caller needs within the 64 bytes below the CFA, which are read at once.
 * All else is in emit_odd.c: the common way needs its registers. And a loop's body
 * of sixteen branches would get memory of its own from frame.c of the IR, claimed
 * for each frame; this has fifteen.
 */
#include "unwind/emit.h"

#define HASH_FACTOR 0x9e3779b97f4a7c15ull

/* Add the frame's pc to the stack and to its hash. */
static void record(const struct emit_func *at, uint32_t index, uint32_t pc)
{
	uint32_t inside = skep_emit_alu(at, SKEP_IR_AND, index, I(PCS_MASK));
	uint32_t off = skep_emit_alu(at, SKEP_IR_SHL, inside, I(3));
	uint32_t to = skep_emit_alu(at, SKEP_IR_ADD, at->w, R(off));
	uint32_t hash = skep_emit_alu(at, SKEP_IR_XOR, GET(at, hash), R(pc));

	skep_ir_store(at->f, 8, R(to), FIELD(at, stack.pcs), R(pc));
	PUT(at, stack.n, R(skep_emit_alu(at, SKEP_IR_ADD, index, I(1))));
	hash = skep_emit_alu(at, SKEP_IR_MUL, hash, I((int64_t)HASH_FACTOR));
	PUT(at, hash,
	    R(skep_emit_alu(at, SKEP_IR_XOR, hash,
			    R(skep_emit_alu(at, SKEP_IR_SHR, hash, I(32))))));
}

/* Make the walk's mapping that of @addr, which the last one mostly is. Return its file. */
static uint32_t find_file(const struct emit_func *at, uint32_t addr)
{
	uint32_t off = skep_emit_alu(at, SKEP_IR_SUB, addr, R(GET(at, start)));
	uint32_t other = skep_ir_block(at->f), on = skep_ir_block(at->f);

	skep_ir_branch(at->f, SKEP_IR_UGE, R(off), R(GET(at, n_bytes)), other, on);
	skep_ir_at(at->f, other);
	CALL(at, at->e->mapping, R(addr));
	skep_ir_jump(at->f, on);
	skep_ir_at(at->f, on);
	return GET(at, file);
}

/* Is the frame in the file whose interpreter is the last that was met? Without a branch: less than
 * 0 is only what is one less than 0. */
static void note_interpreter(const struct emit_func *at, uint32_t index, uint32_t file)
{
	uint32_t other = skep_emit_alu(at, SKEP_IR_XOR, file, R(GET(at, runtime))), bit, to, bits;

	bit = skep_emit_alu(at, SKEP_IR_SUB, other, I(1));
	bit = skep_emit_alu(at, SKEP_IR_SHR, bit, I(63));
	bit = skep_emit_alu(at, SKEP_IR_SHL, bit, R(skep_emit_alu(at, SKEP_IR_AND, index, I(63))));
	to = skep_emit_alu(at, SKEP_IR_SHR, index, I(3));
	to = skep_emit_alu(at, SKEP_IR_AND, to, I(8 * (SKEP_UNWIND_FRAME_WORDS - 1)));
	to = skep_emit_alu(at, SKEP_IR_ADD, at->w, R(to));
	bits = skep_ir_load(at->f, 8, R(to), FIELD(at, stack.in_interpreter));
	bits = skep_emit_alu(at, SKEP_IR_OR, bits, R(bit));
	skep_ir_store(at->f, 8, R(to), FIELD(at, stack.in_interpreter), R(bits));
}

/* Where the rule for @addr is; code made at run time has none. */
static uint32_t find_rule(const struct emit_func *at, uint32_t index, uint32_t addr)
{
	struct emit_array rules = {at->e->maps->of[SKEP_UNWIND_MAP_RULES], at->e->maps->sizes.rules,
				   sizeof(struct skep_unwind_rule)};
	uint32_t file = find_file(at, addr), rule = skep_ir_var(at->f);
	uint32_t special = skep_ir_block(at->f), missing = skep_ir_block(at->f);
	uint32_t found = skep_ir_block(at->f);

	skep_ir_branch_cold(at->f, SKEP_IR_ULT, R(file), I(SKEP_UNWIND_FILE_FIRST), special);
	if (at->e->maps->interp.thread_pointer_off)
		note_interpreter(at, index, file);
	uint32_t number = skep_emit_rule(at, addr);
	skep_ir_set(at->f, rule, R(skep_emit_element(at, rules, number)));
	skep_ir_jump(at->f, found);
	skep_ir_at(at->f, special);
	skep_ir_branch_cold(at->f, SKEP_IR_NE, R(file), I(SKEP_UNWIND_FILE_FRAMES), missing);
	skep_ir_exit(at->f, R(CALL(at, skep_emit_code_frame(at->e))));
	skep_ir_at(at->f, missing);
	skep_ir_exit(at->f, R(CALL(at, skep_emit_missing(at->e))));
	skep_ir_at(at->f, found);
	return rule;
}

/* Leave by @callee's answer where the return address is anywhere but below the CFA. */
static void leave_odd(const struct emit_func *at, uint32_t rule)
{
	uint32_t odd = skep_ir_block(at->f), on = skep_ir_block(at->f);

	skep_ir_branch_cold(at->f, SKEP_IR_NE, R(RULE_KIND(at, rule, ra)), I(SKEP_CFI_AT_CFA), odd);
	skep_ir_jump(at->f, on);
	skep_ir_at(at->f, odd);
	skep_ir_exit(at->f, R(CALL(at, skep_emit_odd(at->e), R(rule))));
	skep_ir_at(at->f, on);
}

static uint32_t find_cfa(const struct emit_func *at, uint32_t rule, uint32_t index)
{
	uint32_t by_sp = skep_ir_block(at->f), not_sp = skep_ir_block(at->f);
	uint32_t by_fp = skep_ir_block(at->f), odd = skep_ir_block(at->f);
	uint32_t done = skep_ir_block(at->f), cfa = skep_ir_var(at->f);
	uint32_t kind = RULE_KIND(at, rule, cfa), off = RULE_NUMBER(at, rule, cfa_off);

	skep_ir_branch(at->f, SKEP_IR_EQ, R(kind), I(SKEP_CFA_SP), by_sp, not_sp);
	skep_ir_at(at->f, by_sp);
	skep_ir_set(at->f, cfa, R(skep_emit_alu(at, SKEP_IR_ADD, GET(at, sp), R(off))));
	skep_ir_jump(at->f, done);
	skep_ir_at(at->f, not_sp);
	skep_ir_branch(at->f, SKEP_IR_EQ, R(kind), I(SKEP_CFA_FP), by_fp, odd);
	skep_ir_at(at->f, by_fp);
	skep_ir_set(at->f, cfa, R(skep_emit_alu(at, SKEP_IR_ADD, GET(at, fp), R(off))));
	skep_ir_jump(at->f, done);
	skep_ir_at(at->f, odd);
	skep_emit_leave_if(at, CALL(at, skep_emit_odd_cfa(at->e), R(rule), R(index)));
	skep_ir_set(at->f, cfa, R(GET(at, cfa)));
	skep_ir_jump(at->f, done);
	skep_ir_at(at->f, done);
	return cfa;
}

/* The frame pointer, if it was saved, is one of the words that were read, or else read apart: one
 * comparison tells, as another place than below the CFA is an offset too large for any of them. */
static void take_fp(const struct emit_func *at, uint32_t rule, uint32_t apart, uint32_t done)
{
	uint32_t saved = skep_ir_block(at->f), here = skep_ir_block(at->f);
	uint32_t place = RULE_KIND(at, rule, fp), off, other;

	skep_ir_branch(at->f, SKEP_IR_EQ, R(place), I(SKEP_CFI_SAME), done, saved);
	skep_ir_at(at->f, saved);
	off = skep_emit_alu(at, SKEP_IR_ADD, RULE_FP_OFF(at, rule), I(BELOW_BYTES));
	other = skep_emit_alu(at, SKEP_IR_XOR, place, I(SKEP_CFI_AT_CFA));
	off = skep_emit_alu(at, SKEP_IR_OR, off, R(skep_emit_alu(at, SKEP_IR_SHL, other, I(32))));
	skep_ir_branch(at->f, SKEP_IR_ULE, R(off), I(BELOW_BYTES - 8), here, apart);
	skep_ir_at(at->f, here);
	off = skep_emit_alu(at, SKEP_IR_AND, off, I(BELOW_BYTES - 8));
	uint32_t from = skep_emit_alu(at, SKEP_IR_ADD, at->w, R(off));
	PUT(at, fp, R(skep_ir_load(at->f, 8, R(from), FIELD(at, below))));
	skep_ir_jump(at->f, done);
}

/* Read what the frame has saved. */
static void read_saved(const struct emit_func *at, uint32_t rule, uint32_t cfa)
{
	uint32_t apart = skep_ir_block(at->f), done = skep_ir_block(at->f);
	uint32_t from = skep_emit_alu(at, SKEP_IR_SUB, cfa, I(BELOW_BYTES));
	uint32_t failed = skep_emit_read(at, ADDRESS(at, below), BELOW_BYTES, from);

	skep_ir_branch_cold(at->f, SKEP_IR_NE, R(failed), I(0), apart);
	take_fp(at, rule, apart, done);
	skep_ir_at(at->f, apart);
	skep_emit_leave_if(at, CALL(at, skep_emit_apart(at->e), R(rule), R(cfa)));
	skep_ir_jump(at->f, done);
	skep_ir_at(at->f, done);
}

/* What rbx was in the caller: one of the words that were read, or what is behind them, which is
 * rbx itself where it is unchanged, and 0 where it is lost. That takes no branch. */
static void take_base(const struct emit_func *at, uint32_t rule)
{
	uint32_t place =
		skep_ir_alu(at->f, SKEP_IR_SUB, I(BELOW_BYTES / 8), R(RULE_KIND(at, rule, base)));
	uint32_t inside = skep_emit_alu(at, SKEP_IR_AND, place, I(15));
	uint32_t off = skep_emit_alu(at, SKEP_IR_SHL, inside, I(3));
	uint32_t from = skep_emit_alu(at, SKEP_IR_ADD, at->w, R(off));

	PUT(at, base, R(skep_ir_load(at->f, 8, R(from), FIELD(at, below))));
}

/* To the caller. A frame that does not lie above this one would lead in circles. */
static void leave(const struct emit_func *at, uint32_t cfa)
{
	uint32_t ra = GET(at, below[BELOW_BYTES / 8 - 1]);

	skep_emit_end_if(at, SKEP_IR_ULE, cfa, R(GET(at, sp)), SKEP_UNWIND_STUCK);
	PUT(at, sp, R(cfa));
	PUT(at, pc, R(ra));
	PUT(at, back, I(1));
	skep_emit_end_if(at, SKEP_IR_EQ, ra, I(0), SKEP_UNWIND_ROOT);
	skep_ir_exit(at->f, I(0));
}

struct skep_ir_func *skep_emit_frame(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_frame", 2);
	uint32_t index = skep_ir_param(at.f, 0), pc, rule, cfa;

	at.w = skep_ir_load(at.f, 8, R(skep_ir_param(at.f, 1)), 0);
	pc = GET(&at, pc);
	record(&at, index, pc);
	rule = find_rule(&at, index, skep_emit_alu(&at, SKEP_IR_SUB, pc, R(GET(&at, back))));
	leave_odd(&at, rule);
	cfa = find_cfa(&at, rule, index);
	read_saved(&at, rule, cfa);
	take_base(&at, rule);
	leave(&at, cfa);
	return at.f;
}
