/*
 * Backwards over one instruction: whence came what must be exact?
 *
 *	r1 = r2         r1 is wanted: r2 is, instead
 *	r1 += r2        r1 is wanted: both are
 *	r1 = 7          r1 is not wanted any more
 *	r1 = *(fp-8)    the slot is, instead (where it was; the step tells)
 *	*(fp-8) = r1    the slot is wanted: r1 is, instead
 *	if r1 > r2      one is wanted: both are, for it learned from the other
 *	call f          backwards it leaves f: r1 to r5 are the caller's
 *	exit            backwards it enters f: r0 is f's
 *
 * Numbers that are the same (by their ids) learn from each other at conditions: there the step
 * names them, and if one is wanted, all are.
 *
 * What comes out of memory that is no stack is known to nobody: it ends there. What does not fit
 * (an address that is wanted as if it were a number, what a packet load brought) cannot be told.
 *
 * Source  behaviour of Linux 6.18, backtrack_insn()
 */
#include "verify/backtrack.h"

#define ARGUMENTS      0x3eu /* r1 to r5 */
#define TAIL_CALL      12
#define FETCH          0x01
#define COMPARE_XCHG   0xf1
#define LOAD_ACQUIRE   0x100
#define CALLS_FUNCTION 1 /* src of a call */
#define CALLS_KERNEL   2

static bool is_reg(const struct wanted *w, unsigned regno)
{
	return w->regs[w->frame] >> regno & 1;
}

static void set_reg(struct wanted *w, unsigned regno)
{
	w->regs[w->frame] |= 1u << regno;
}

static void clear_reg(struct wanted *w, unsigned regno)
{
	w->regs[w->frame] &= ~(1u << regno);
}

static bool enter(struct wanted *w)
{
	if (w->frame + 1 == SKEP_MOST_FRAMES)
		return false;
	w->frame++;
	return true;
}

static bool leave(struct wanted *w)
{
	if (!w->frame)
		return false;
	w->frame--;
	return true;
}

/* --- Steps as they are kept ------------------------------------------------------------------ */

uint64_t verify_linked_pack(const struct linked *linked)
{
	uint64_t packed = 0;

	for (uint32_t i = 0; i < linked->n; i++)
		packed = packed << 10 | (uint64_t)linked->places[i].is_reg << 9 |
			 (uint64_t)linked->places[i].number << 3 | linked->places[i].frame;
	return packed << 4 | linked->n;
}

struct linked verify_linked_unpack(uint64_t packed)
{
	struct linked linked = {.n = packed & 15};

	packed >>= 4;
	for (uint32_t i = 0; i < linked.n && i < MOST_LINKED; i++, packed >>= 10) {
		linked.places[i].frame = packed & 7;
		linked.places[i].number = packed >> 3 & 63;
		linked.places[i].is_reg = packed >> 9 & 1;
	}
	return linked;
}

static bool place_wanted(const struct wanted *w, const struct linked *linked, uint32_t i)
{
	uint8_t frame = linked->places[i].frame, number = linked->places[i].number;

	return (linked->places[i].is_reg ? w->regs[frame] : w->slots[frame]) >> number & 1;
}

static void want_linked(struct wanted *w, const struct step *step)
{
	struct linked linked;
	bool any = false;

	if (!step || !step->linked)
		return;
	linked = verify_linked_unpack(step->linked);
	for (uint32_t i = 0; i < linked.n; i++)
		any |= place_wanted(w, &linked, i);
	for (uint32_t i = 0; i < linked.n && any; i++) {
		uint8_t frame = linked.places[i].frame, number = linked.places[i].number;

		if (linked.places[i].is_reg)
			w->regs[frame] |= 1u << number;
		else
			w->slots[frame] |= 1ull << number;
	}
}

/* The slot that the instruction accessed. */
static uint64_t slot_of(const struct step *step, uint32_t *ret_frame)
{
	*ret_frame = step->flags >> STEP_FRAME_SHIFT & STEP_FRAME_MASK;
	return 1ull << (step->flags >> STEP_SLOT_SHIFT & STEP_SLOT_MASK);
}

static bool of_stack(const struct step *step)
{
	return step && step->flags & STEP_STACK;
}

/* --- Kinds of instruction -------------------------------------------------------------------- */

static bool over_alu(struct verifier *v, const struct way_back *way, struct wanted *w)
{
	const struct skep_insn *insn = &v->insns[way->at];
	uint8_t op = insn->code & 0xf0;

	if (!is_reg(w, insn->dst) || op == SKEP_END || op == SKEP_NEG)
		return true;
	if (op == SKEP_MOV)
		clear_reg(w, insn->dst);
	if (insn->code & SKEP_X && insn->src != SKEP_R10)
		set_reg(w, insn->src);
	return true;
}

static bool over_load_of(const struct way_back *way, struct wanted *w, unsigned regno)
{
	uint32_t frame;
	uint64_t slot;

	if (!is_reg(w, regno))
		return true;
	clear_reg(w, regno);
	if (of_stack(way->step)) {
		slot = slot_of(way->step, &frame);
		w->slots[frame] |= slot;
	}
	return true;
}

static bool over_load(struct verifier *v, const struct way_back *way, struct wanted *w)
{
	return over_load_of(way, w, v->insns[way->at].dst);
}

static bool over_store(struct verifier *v, const struct way_back *way, struct wanted *w)
{
	const struct skep_insn *insn = &v->insns[way->at];
	uint32_t frame;
	uint64_t slot;

	if (is_reg(w, insn->dst))
		return false;
	if (!of_stack(way->step))
		return true;
	slot = slot_of(way->step, &frame);
	if (!(w->slots[frame] & slot))
		return true;
	w->slots[frame] &= ~slot;
	if ((insn->code & 7) == SKEP_STX)
		set_reg(w, insn->src);
	return true;
}

static bool over_stx(struct verifier *v, const struct way_back *way, struct wanted *w)
{
	const struct skep_insn *insn = &v->insns[way->at];

	if ((insn->code & 0xe0) != SKEP_ATOMIC)
		return over_store(v, way, w);
	if (insn->imm == LOAD_ACQUIRE)
		return over_load_of(way, w, insn->dst);
	if (insn->imm & FETCH)
		return over_load_of(way, w, insn->imm == COMPARE_XCHG ? SKEP_R0 : insn->src);
	return over_store(v, way, w);
}

static bool over_ld(struct verifier *v, const struct way_back *way, struct wanted *w)
{
	const struct skep_insn *insn = &v->insns[way->at];

	if (!is_reg(w, insn->dst))
		return true;
	clear_reg(w, insn->dst);
	return (insn->code & 0xe0) == SKEP_IMM;
}

/* --- Jumps and calls ------------------------------------------------------------------------- */

static bool over_condition(const struct skep_insn *insn, const struct way_back *way,
			   struct wanted *w)
{
	uint32_t flags = way->step ? way->step->flags : 0;

	if (!(insn->code & SKEP_X) || (!is_reg(w, insn->dst) && !is_reg(w, insn->src)))
		return true;
	if (!(flags & STEP_SRC_SPILL))
		set_reg(w, insn->src);
	if (!(flags & STEP_DST_SPILL))
		set_reg(w, insn->dst);
	return true;
}

static bool is_call_of_function(const struct skep_insn *insn)
{
	return insn->code == (SKEP_JMP | SKEP_CALL) && insn->src == CALLS_FUNCTION;
}

static bool calls_global(const struct verifier *v, const struct way_back *way)
{
	uint32_t start = way->at + 1 + (uint32_t)v->insns[way->at].imm;

	for (uint32_t f = 0; f < v->n_funcs; f++)
		if (v->funcs[f].start == start)
			return v->funcs[f].is_global;
	return false;
}

/* Backwards it leaves the function, with nothing wanted of it but arguments. */
static bool leave_function(struct wanted *w)
{
	uint32_t args = w->regs[w->frame];

	if (args & ~ARGUMENTS || w->slots[w->frame] || !w->frame)
		return false;
	w->regs[w->frame] = 0;
	w->regs[w->frame - 1] |= args;
	return leave(w);
}

/* The kernel calls it back: its arguments are none of the caller's. */
static bool leave_callback(struct wanted *w)
{
	if (w->regs[w->frame] & ~ARGUMENTS || w->slots[w->frame])
		return false;
	w->regs[w->frame] = 0;
	return leave(w);
}

static bool over_call(struct verifier *v, const struct way_back *way, struct wanted *w)
{
	const struct skep_insn *insn = &v->insns[way->at];
	bool function = is_call_of_function(insn);

	if (function && !calls_global(v, way))
		return leave_function(w);
	if (!function && v->facts[way->at].calls_callback && (int64_t)way->at != way->after - 1)
		return leave_callback(w);
	if (!function && insn->src == CALLS_KERNEL && !insn->imm)
		return false;
	clear_reg(w, SKEP_R0);
	if (w->regs[w->frame] & ARGUMENTS)
		return false;
	/* a tail call that fails goes on; one that does not is the end of its function */
	if (!insn->src && insn->imm == TAIL_CALL && way->after - way->at != 1)
		return enter(w);
	return true;
}

static bool over_exit(struct verifier *v, const struct way_back *way, struct wanted *w)
{
	bool r0 = is_reg(w, SKEP_R0) && way->after > 0 &&
		  is_call_of_function(&v->insns[way->after - 1]);

	if (way->after >= 0 && v->facts[way->after].calls_callback)
		w->regs[w->frame] &= ~ARGUMENTS;
	if (w->regs[w->frame] & ARGUMENTS)
		return false;
	clear_reg(w, SKEP_R0);
	if (!enter(w))
		return false;
	if (r0)
		set_reg(w, SKEP_R0);
	return true;
}

static bool over_jump(struct verifier *v, const struct way_back *way, struct wanted *w)
{
	const struct skep_insn *insn = &v->insns[way->at];

	switch (insn->code & 0xf0) {
	case SKEP_CALL: return over_call(v, way, w);
	case SKEP_EXIT: return over_exit(v, way, w);
	default: return over_condition(insn, way, w);
	}
}

/* --- One instruction ------------------------------------------------------------------------- */

static bool (*const over_class[8])(struct verifier *v, const struct way_back *way,
				   struct wanted *w) = {
	[SKEP_LD] = over_ld,     [SKEP_LDX] = over_load,   [SKEP_ST] = over_store,
	[SKEP_STX] = over_stx,   [SKEP_ALU] = over_alu,    [SKEP_JMP] = over_jump,
	[SKEP_ALU64] = over_alu, [SKEP_JMP32] = over_jump,
};

void verify_log_wanted_regs(struct verifier *v, uint32_t regs)
{
	const char *comma = "";

	for (unsigned r = 0; regs >> r; r++) {
		if (!(regs >> r & 1))
			continue;
		verify_log(v, "%sr%u", comma, r);
		comma = ",";
	}
}

void verify_log_wanted_slots(struct verifier *v, uint64_t slots)
{
	const char *comma = "";

	for (int s = 0; s < MOST_SLOTS; s++) {
		if (!(slots >> s & 1))
			continue;
		verify_log(v, "%s%d", comma, -(s + 1) * SLOT_BYTES);
		comma = ",";
	}
}

static void log_back(struct verifier *v, const struct way_back *way, const struct wanted *w)
{
	if (!v->log || !(v->level & 2))
		return;
	verify_log(v, "mark_precise: frame%u: regs=", w->frame);
	verify_log_wanted_regs(v, w->regs[w->frame]);
	verify_log(v, " stack=");
	verify_log_wanted_slots(v, w->slots[w->frame]);
	verify_log(v, " before %u: ", way->at);
	verify_log_insn(v, way->at);
}

bool verify_backtrack(struct verifier *v, const struct way_back *way, struct wanted *w)
{
	uint8_t code = v->insns[way->at].code;
	bool known;

	if (!code)
		return true;
	log_back(v, way, w);
	want_linked(w, way->step);
	known = over_class[code & 7](v, way, w);
	want_linked(w, way->step);
	return known;
}
