/*
 * What each instruction does to numbers, noted each time it is walked; rounds.c asks it whether
 * loops end.
 *
 *	r6 += r7       between least and most is added; may the sum leave 64 bits?
 *	r6 >>= 1       from half of r6's least to half of its most is taken away
 *	w1 = w6        is it all of r6?
 *	*(r2 +0) = …   which stack slots may it change?
 *
 * Numbers here are whole numbers, without an end: a note says that an addition is one of whole
 * numbers as well, for r6 read as unsigned, or as signed, or that it may wrap.
 *
 * What is told holds of every state that can be at the instruction, since those that are walked
 * cover all others.
 */
#include "verify/flow.h"
#include "verify/wide.h"

#include <string.h>

/* What is added, and whether that stays what 64 bits hold. */
struct change {
	int64_t least, most;
	bool wraps_unsigned, wraps_signed;
};

static const struct change unknown_change = {INT64_MIN, INT64_MAX, true, true};

/* --- Sums ------------------------------------------------------------------------------------ */

static bool leaves_unsigned(uint64_t number, int64_t more)
{
	uint64_t sum;

	return more < 0 ? number < 0 - (uint64_t)more
			: __builtin_add_overflow(number, (uint64_t)more, &sum);
}

static bool leaves_signed(int64_t number, int64_t more)
{
	int64_t sum;

	return __builtin_add_overflow(number, more, &sum);
}

static struct change add_wide(const struct skep_bounds *to, int64_t least, int64_t most)
{
	return (struct change){
		.least = least,
		.most = most,
		.wraps_unsigned =
			leaves_unsigned(to->umin, least) || leaves_unsigned(to->umax, most),
		.wraps_signed = leaves_signed(to->smin, least) || leaves_signed(to->smax, most),
	};
}

/* Of the lower half: if the number is one of 32 bits and stays one, it is a sum of both kinds. */
static struct change add_low(const struct skep_bounds *to, int64_t least, int64_t most)
{
	bool wraps = to->umax > UINT32_MAX || (int64_t)to->umin + least < 0 ||
		     (int64_t)to->umax + most > UINT32_MAX;

	return (struct change){least, most, wraps, wraps};
}

/* @factor - 1 times the number more, or 1 - 1/@divisor of it less. */
static struct change grow(const struct skep_bounds *to, uint64_t factor, uint64_t end)
{
	uint64_t product;

	if (!factor || __builtin_mul_overflow(to->umax, factor, &product) || product > end)
		return unknown_change;
	return (struct change){.least = (int64_t)(to->umin * (factor - 1)),
			       .most = (int64_t)(to->umax * (factor - 1))};
}

static struct change shrink(const struct skep_bounds *to, uint64_t divisor, uint64_t end)
{
	if (!divisor || to->umax > end)
		return unknown_change;
	return (struct change){.least = -(int64_t)(to->umax - to->umax / divisor),
			       .most = -(int64_t)(to->umin - to->umin / divisor)};
}

/* --- Arithmetic ------------------------------------------------------------------------------ */

/* The operand as a signed number, of the width. Return false: it is none */
static bool operand(struct verifier *v, const struct skep_insn *insn, struct skep_bounds *ret)
{
	const struct reg *src = verify_reg(v, insn->src);

	if (!(insn->code & SKEP_X)) {
		ret->smin = ret->smax = insn->imm;
		return true;
	}
	*ret = (insn->code & 7) == SKEP_ALU64 ? src->value.full : src->value.low;
	return src->kind == REG_SCALAR && ret->smin > INT64_MIN;
}

static struct change of_sum(struct verifier *v, const struct skep_insn *insn,
			    const struct skep_bounds *to)
{
	bool minus = (insn->code & 0xf0) == SKEP_SUB;
	struct skep_bounds by;

	if (!operand(v, insn, &by))
		return unknown_change;
	return ((insn->code & 7) == SKEP_ALU64 ? add_wide : add_low)(to, minus ? -by.smax : by.smin,
								     minus ? -by.smin : by.smax);
}

/* Pointers are never moved far: who does is refused. */
static struct change of_pointer(struct verifier *v, const struct skep_insn *insn)
{
	static const struct skep_bounds middle = {1ull << 62, 1ull << 62, 0, 0};

	return (insn->code & 7) == SKEP_ALU64 ? of_sum(v, insn, &middle) : unknown_change;
}

static struct change of_factor(const struct skep_insn *insn, const struct skep_bounds *to)
{
	uint64_t end = (insn->code & 7) == SKEP_ALU64 ? INT64_MAX : UINT32_MAX;
	uint64_t imm = (uint32_t)insn->imm;

	if (insn->code & SKEP_X || insn->imm < 0 || insn->off)
		return unknown_change;
	switch (insn->code & 0xf0) {
	case SKEP_MUL: return grow(to, imm, end);
	case SKEP_LSH: return imm < 63 ? grow(to, 1ull << imm, end) : unknown_change;
	case SKEP_DIV: return shrink(to, imm, end);
	case SKEP_RSH: return imm < 63 ? shrink(to, 1ull << imm, end) : unknown_change;
	default: return unknown_change;
	}
}

static struct change change_of(struct verifier *v, const struct skep_insn *insn)
{
	const struct reg *to = verify_reg(v, insn->dst);
	uint8_t op = insn->code & 0xf0;

	if (op == SKEP_ADD || op == SKEP_SUB)
		return reg_is_pointer(to) ? of_pointer(v, insn) : of_sum(v, insn, &to->value.full);
	if (to->kind != REG_SCALAR)
		return unknown_change;
	return of_factor(insn, &to->value.full);
}

static void note_change(struct verifier *v, const struct skep_insn *insn)
{
	struct progress *p = &v->wide->progress[v->at];
	struct change change = change_of(v, insn);

	if (!p->seen || change.least < p->least)
		p->least = change.least;
	if (!p->seen || change.most > p->most)
		p->most = change.most;
	p->wraps_unsigned |= change.wraps_unsigned;
	p->wraps_signed |= change.wraps_signed;
}

/* --- Moves ----------------------------------------------------------------------------------- */

/* Is the number the same, after so many of its bits are kept, and the sign is extended or not? */
static bool is_kept(const struct skep_scalar *number, unsigned bits, bool sign)
{
	if (bits == 64)
		return true;
	if (sign)
		return number->full.smin >= -(1LL << (bits - 1)) &&
		       number->full.smax < 1LL << (bits - 1);
	return number->full.umax < 1ull << bits;
}

static void note_move(struct verifier *v, const struct skep_insn *insn)
{
	const struct reg *from = verify_reg(v, insn->src);
	bool wide = (insn->code & 7) == SKEP_ALU64, sign = insn->off != 0;
	struct progress *p = &v->wide->progress[v->at];
	bool kept = from->kind == REG_SCALAR || (wide && !sign);

	if (!(insn->code & SKEP_X))
		return;
	if (sign)
		kept = kept && is_kept(&from->value, (unsigned)insn->off, true);
	if (!wide) /* the upper half becomes 0 */
		kept = kept && is_kept(&from->value, sign ? 31 : 32, false);
	p->changes |= !kept;
}

/* --- Stack ----------------------------------------------------------------------------------- */

/* Does a load or store of so many bytes have all of the number? */
static bool is_whole(const struct reg *reg, uint32_t bytes)
{
	return bytes == 8 ||
	       (bytes == 4 && reg->kind == REG_SCALAR && is_kept(&reg->value, 32, false));
}

static uint32_t bytes_of(const struct skep_insn *insn)
{
	static const uint32_t bytes[] = {4, 2, 1, 8};

	return bytes[insn->code >> 3 & 3];
}

/* A load of a slot gives what was spilled there, if it is of the whole number. */
static void note_load(struct verifier *v, const struct skep_insn *insn)
{
	const struct frame *frame = top_frame(v->state);
	uint32_t n = (uint32_t)(-insn->off - 1) / SLOT_BYTES, bytes = bytes_of(insn);
	const struct slot *slot = n < frame->n_slots ? &frame->slots[n] : NULL;

	if (insn->src != SKEP_R10 || insn->off >= 0)
		return;
	if (!slot || insn->off % SLOT_BYTES || !slot_is_spill(slot) ||
	    slot->kinds[SLOT_BYTES - bytes] != SLOT_SPILL || !is_whole(&slot->spilled, bytes))
		v->wide->progress[v->at].changes = true;
}

/* The slots that fp + @off and @bytes behind it lie in. */
static uint64_t slots_at(int64_t off, uint32_t bytes)
{
	uint64_t mask = 0;

	for (int64_t b = off; b < off + bytes; b++)
		if (b < 0 && b >= -SKEP_STACK_BYTES)
			mask |= 1ull << ((-b - 1) / SLOT_BYTES);
	return mask;
}

static void note_store(struct verifier *v, const struct skep_insn *insn)
{
	const struct reg *to = verify_reg(v, insn->dst);
	uint32_t at, bytes = bytes_of(insn);
	uint64_t mask = ~0ull;

	if (to->kind != REG_STACK)
		return;
	if (skep_tnum_is_const(to->value.bits))
		mask = slots_at((int64_t)to->value.bits.value + to->off + insn->off, bytes);
	at = verify_frame_at(v->state, to->frame);
	v->wide->progress[at].stack_writes |= mask;
	v->wide->progress[v->at].changes |= !is_whole(verify_reg(v, insn->src), bytes);
}

/* --- Calls ----------------------------------------------------------------------------------- */

static bool makes_iterator(const struct verifier *v, uint32_t at)
{
	const char *name = verify_kfunc_name(v, at);
	size_t len = strlen(name);

	return len > 13 && !memcmp(name, "bpf_iter_", 9) && !memcmp(name + len - 4, "_new", 4);
}

static void note_iterator(struct verifier *v, const struct skep_insn *insn)
{
	const struct reg *r1 = verify_reg(v, SKEP_R1);
	struct progress *p = &v->wide->progress[v->at];
	bool makes = is_kfunc_call(insn) && makes_iterator(v, v->at);
	int64_t where;

	if ((!makes && !v->facts[v->at].iter_next) || r1->kind != REG_STACK)
		return;
	where = skep_tnum_is_const(r1->value.bits) ? (int64_t)r1->value.bits.value + r1->off
						   : ANY_ITERATOR;
	if (r1->frame + 1u != v->state->n_frames) {
		v->wide->foreign_iterator |= makes;
		where = ANY_ITERATOR;
	}
	p->iterator = p->iterator == NO_ITERATOR || p->iterator == where ? where : ANY_ITERATOR;
}

/* A number that the program compares with is one that it may rely on. */
static void note_comparison(struct verifier *v, const struct skep_insn *insn)
{
	const struct reg *src = verify_reg(v, insn->src), *dst = verify_reg(v, insn->dst);

	if (!(insn->code & SKEP_X))
		return;
	if (verify_reg_is_const(src))
		verify_threshold_add(v, src->value.bits.value);
	if (verify_reg_is_const(dst))
		verify_threshold_add(v, dst->value.bits.value);
}

/* --- The instruction ------------------------------------------------------------------------- */

static void note_jump(struct verifier *v, const struct skep_insn *insn)
{
	uint8_t op = insn->code & 0xf0;

	if (op == SKEP_CALL)
		note_iterator(v, insn);
	else if (op != SKEP_EXIT && op != SKEP_JA && op != SKEP_JCOND)
		note_comparison(v, insn);
}

void verify_note_progress(struct verifier *v)
{
	const struct skep_insn *insn = &v->insns[v->at];

	switch (insn->code & 7) {
	case SKEP_ALU:
	case SKEP_ALU64:
		if ((insn->code & 0xf0) == SKEP_MOV)
			note_move(v, insn);
		else
			note_change(v, insn);
		break;
	case SKEP_LDX: note_load(v, insn); break;
	case SKEP_ST:
	case SKEP_STX: note_store(v, insn); break;
	case SKEP_JMP:
	case SKEP_JMP32: note_jump(v, insn); break;
	default: break;
	}
	v->wide->progress[v->at].seen = true;
}
