/*
 * The walk: every path through a function, instruction by instruction.
 *
 *	path ─► fork: one way goes on, the other waits in `pending`
 *	     ─► seen here, and no worse than then (states.c): the path ends, safe
 *	     ─► exit: the path ends
 *	     ─► refused: the program is
 *
 * Paths that wait are taken last in, first out: of a loop's two ways the one that goes on falls
 * through first, as in the kernel. The order shows in its log, and decides which of several faults
 * is found first.
 *
 * Source  behaviour of Linux 6.18, do_check()
 */
#include "verify/explain_trail.h"
#include "verify/invariants.h"

#include <assert.h>
#include <errno.h>

#include "verify/wide.h"

#define MOST_UNPACKED       8    /* states that wait */
#define PAST_LIMIT          10   /* times the limit, in extended mode */
#define INSNS_BETWEEN_LOOKS 1024 /* at the clock */

/* --- Forks ----------------------------------------------------------------------------------- */

/* What waits long is packed: not the latest, which are likely to be taken up soon, and not what the
 * instruction under way has made, as it is not through with it. */
static int pack_pending(struct verifier *v)
{
	struct pending *pending;

	if (v->pending.len < MOST_UNPACKED)
		return 0;
	pending = &v->pending.data[v->pending.len - MOST_UNPACKED];
	return pending->since != v->n_processed ? verify_state_pack(v, pending->state) : 0;
}

struct state *verify_fork(struct verifier *v, uint32_t at, uint32_t prev_at, bool speculative)
{
	struct state *state = pack_pending(v) ? NULL : verify_state_copy(v, v->state);

	if (!state)
		return NULL;
	state->speculative |= speculative;
	skep_vec_push(&v->pending, ((struct pending){state, at, prev_at, v->log ? v->log->len : 0,
						     verify_trail_len(v), v->n_processed}));
	if (state->parent)
		state->parent->branches++;
	if (v->most_branches < v->pending.len)
		v->most_branches = (uint32_t)v->pending.len;
	if (v->pending.len > MOST_PENDING && v->opts->mode != SKEP_VERIFY_EXTENDED) {
		verify_refuse(v, TOO_MANY_JUMPS, (unsigned)v->pending.len);
		return NULL;
	}
	return verify_check_memory(v) ? NULL : state;
}

/* Take up the path that waited least. Level 1 tells of the path that failed alone, so what was said
 * since the fork is taken back. Return 0 | PATH_END there is none | -ENOMEM */
static int take_pending(struct verifier *v)
{
	struct pending pending;

	verify_state_free(v, v->state);
	v->state = NULL;
	if (!v->pending.len)
		return PATH_END;
	pending = skep_vec_pop(&v->pending);
	v->state = pending.state;
	if (verify_state_unpack(v, v->state))
		return -ENOMEM;
	v->at = pending.at;
	v->prev_at = pending.prev_at;
	if (v->log && !(v->level & 2))
		verify_log_cut(v, pending.log_len);
	if (v->trail)
		verify_trail_cut(v, pending.trail_len);
	v->state_shown = false;
	verify_note_all(v);
	return 0;
}

/* --- Steps ----------------------------------------------------------------------------------- */

/* A 64-bit load: a number, or what the linker found it to name. */
static int load_imm64(struct verifier *v, const struct skep_insn *insn)
{
	const struct skep_ref *ref = &v->image->refs[v->at];
	struct reg *reg = verify_reg(v, insn->dst);
	int err = verify_write_reg(v, insn->dst);

	if (err)
		return err;
	v->next = v->at + 2;
	switch (ref->kind) {
	case SKEP_REF_NONE:
		verify_reg_const(v, reg,
				 (uint32_t)insn[0].imm | (uint64_t)(uint32_t)insn[1].imm << 32);
		return 0;
	case SKEP_REF_MAP:
		verify_reg_pointer(reg, REG_MAP_PTR, 0);
		reg->map = v->image->maps[ref->index];
		return 0;
	case SKEP_REF_MAP_VALUE:
		verify_reg_pointer(reg,
				   v->image->maps[ref->index]->type == SKEP_MAP_ARENA
					   ? REG_ARENA
					   : REG_MAP_VALUE,
				   0);
		reg->map = v->image->maps[ref->index];
		reg->off = (int32_t)ref->off;
		return 0;
	case SKEP_REF_FUNC:
		verify_reg_pointer(reg, REG_FUNC, 0);
		reg->func = v->image->callbacks[ref->index].func;
		if (!v->program->n_funcs)
			return verify_refuse(v, CALLBACK_NO_BTF);
		return v->funcs[reg->func].is_global ? verify_refuse(v, CALLBACK_NOT_STATIC) : 0;
	case SKEP_REF_VARIABLE: return verify_load_variable(v, insn);
	}
	return -EINVAL;
}

static int step_of_jumps(struct verifier *v, const struct skep_insn *insn)
{
	v->n_jumps++;
	switch (insn->code & 0xf0) {
	case SKEP_CALL: return verify_call(v, insn);
	case SKEP_EXIT: return verify_exit(v);
	default: return verify_jump(v, insn);
	}
}

static bool is_condition(const struct skep_insn *insn)
{
	uint8_t class = insn->code & 7, op = insn->code & 0xf0;

	return (class == SKEP_JMP || class == SKEP_JMP32) && op != SKEP_JA && op != SKEP_CALL &&
	       op != SKEP_EXIT && op != SKEP_JCOND;
}

/* Fields are looked at before operands, but for what a condition compares. */
static int check_fields(struct verifier *v, const struct skep_insn *insn)
{
	char text[SKEP_FAULT_TEXT_BYTES];
	const char *fault = skep_image_fault(v->image, v->at, text);
	int err = 0;

	if (!fault)
		return 0;
	if (is_condition(insn) && insn->dst < SKEP_N_REGS)
		err = verify_read_reg(v, insn->dst);
	return err ? err : verify_refuse(v, FIELDS, fault);
}

int verify_step(struct verifier *v)
{
	const struct skep_insn *insn = &v->insns[v->at];
	bool atomic = (insn->code & 0xe0) == SKEP_ATOMIC;
	int err;

	v->next = v->at + 1;
	v->facts[v->at].seen = true;
	err = check_fields(v, insn);
	if (err)
		return err;
	switch (insn->code & 7) {
	case SKEP_ALU:
	case SKEP_ALU64: return verify_alu(v, insn);
	case SKEP_LDX: return verify_load(v, insn);
	case SKEP_ST: return verify_store(v, insn);
	case SKEP_STX: return atomic ? verify_atomic(v, insn) : verify_store(v, insn);
	case SKEP_LD:
		if ((insn->code & 0xe0) == SKEP_IMM)
			return load_imm64(v, insn);
		return verify_ld_abs(v, insn);
	default: return step_of_jumps(v, insn);
	}
}

/* --- The walk -------------------------------------------------------------------------------- */

/* The words of a refusal are still said, and what was shown of other paths stays. */
static void fall_silent(struct verifier *v)
{
	bool all = v->level & 2;

	v->level &= ~(uint32_t)VERIFY_LOG_STEPS;
	if (!all || !v->log)
		return;
	v->log_start = v->log->len;
	skep_vec_foreach (struct pending, pending, &v->pending)
		pending->log_len = v->log->len;
}

/* Extended mode goes on past the limit, to see how far over it the program is. That is not told
 * step by step. */
static int check_limits(struct verifier *v)
{
	uint64_t most = verify_most_insns(v);

	if (v->opts->mode == SKEP_VERIFY_EXTENDED) {
		if (v->n_processed == most)
			fall_silent(v);
		most *= PAST_LIMIT;
	}
	if (++v->n_processed > most)
		return verify_refuse(v, TOO_MANY_INSNS, v->n_processed);
	return v->n_processed % INSNS_BETWEEN_LOOKS ? 0 : verify_check_time(v);
}

static int arrive(struct verifier *v)
{
	int ret = check_limits(v);

	if (ret)
		return ret;
	v->step_noted = false;
	v->state->last_at = v->prev_at;
	v->state->at = v->at;
	if (v->facts[v->at].prune_point) {
		ret = v->wide ? verify_wide_prune(v) : verify_prune(v);
		if (ret) {
			if (ret == PATH_END)
				verify_log_safe(v);
			return ret;
		}
	}
	return v->facts[v->at].jump_point ? verify_push_step(v, 0, 0) : 0;
}

/* What only a guessing CPU would do is not refused: such a path ends (the kernel puts a barrier
 * before the instruction). */
static bool is_only_guessed(const struct verifier *v, int err)
{
	return (err == -EPERM || err == -EACCES || err == -EINVAL) && v->state->speculative;
}

/* In builds that ask for it: see invariants.h. */
static void check_invariants(const struct verifier *v)
{
#ifdef SKEP_VERIFY_INVARIANTS
	assert(v->state->speculative || !verify_broken_invariant(v->state));
#endif
	(void)v;
}

static int step(struct verifier *v)
{
	int ret = arrive(v);

	if (ret)
		return ret;
	check_invariants(v);
	if (v->opts->observe)
		v->opts->observe(v->opts->observe_ctx, v->at, v->state);
	verify_log_step(v);
	if (v->trail)
		verify_trail_step(v);
	verify_live_stack_begin(v);
	if (v->wide)
		verify_note_progress(v);
	ret = verify_step(v);
	if (ret >= 0 || is_only_guessed(v, ret))
		verify_live_stack_end(v);
	v->prev_at = v->at;
	if (!ret)
		v->at = v->next;
	return ret;
}

int verify_walk(struct verifier *v)
{
	for (;;) {
		int ret = step(v);

		if (!ret)
			continue;
		if (ret < 0 && !is_only_guessed(v, ret))
			return ret;
		ret = verify_path_ended(v, v->state);
		if (ret)
			return ret;
		verify_live_stack_update(v);
		ret = take_pending(v);
		if (ret)
			return ret == PATH_END ? 0 : ret;
	}
}
