/*
 * Why a program was refused, for the person who wrote it.
 *
 * The program is verified once more, as it was (the verifier does the same each time), and this
 * time the trail of the path under way is kept (explain_trail.h). When the rule is broken there is
 * all that an explanation needs:
 *
 *	refusals.def  the rule and its words  ─► explain.def  what it is in plain words, and what it
 *	                                                      is about: a register, what is held …
 *	the trail                             ─► explain_chain.c  how it came to this
 *	registers                             ─► explain_more.c, explain_memory.c  numbers, values
 *	                                                      that break it, code
 *
 * Nothing is claimed that the verification does not know: where a number is missing the sentence
 * goes without.
 */
#include "verify/explain_tell.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <skep/btf.h>

#include "verify/wide.h"

static const struct explain_row rows[REFUSAL_CNT] = {
#define EXPLAIN(NAME, about, more, what, hint, code)                                               \
	[REFUSE_##NAME] = {ABOUT_##about, more, what, hint, code},
#include "verify/explain.def"
#undef EXPLAIN
};

static const struct explain_row unknown = {
	ABOUT_REGISTER, NULL, "the verifier does not allow this", NULL, NULL,
};

/* --- What it is about ------------------------------------------------------------------------ */

static int register_of_words(const struct trail *trail)
{
	for (uint32_t i = 0; i < trail->n_args; i++)
		if (trail->args[i].is_register && !trail->args[i].text &&
		    trail->args[i].number >= 0 && trail->args[i].number < SKEP_N_REGS)
			return (int)trail->args[i].number;
	if (trail->words && trail->words[0] == 'R' && isdigit((unsigned char)trail->words[1]))
		return atoi(trail->words + 1) < SKEP_N_REGS ? atoi(trail->words + 1) : -1;
	return -1;
}

/* The base of a load or store, the destination of arithmetic, the operand of a condition. */
static int register_of_insn(const struct skep_insn *insn)
{
	switch (insn->code & 7) {
	case SKEP_LDX: return insn->src;
	case SKEP_ST:
	case SKEP_STX:
	case SKEP_ALU:
	case SKEP_ALU64: return insn->dst;
	case SKEP_JMP:
	case SKEP_JMP32:
		if ((insn->code & 0xf0) == SKEP_EXIT)
			return SKEP_R0;
		return explain_is_condition(insn) ? insn->dst : -1;
	default: return -1;
	}
}

static int argument_of_words(const struct trail *trail)
{
	for (uint32_t i = 0; i < trail->n_args; i++)
		if (!trail->args[i].text && trail->args[i].number >= 0 &&
		    trail->args[i].number < SKEP_R5)
			return (int)trail->args[i].number + 1;
	return -1;
}

static int subject_of(const struct telling *t)
{
	int regno;

	if (!t->step)
		return -1;
	switch (t->row->about) {
	case ABOUT_RESULT: return SKEP_R0;
	case ABOUT_ARGUMENT: return argument_of_words(t->trail);
	case ABOUT_REGISTER:
	case ABOUT_STACK:
		regno = register_of_words(t->trail);
		return regno >= 0 ? regno : register_of_insn(t->insn);
	default: return -1;
	}
}

/* --- The explanation ------------------------------------------------------------------------- */

/* No path was under way: there may be an instruction or a function in the words. */
static void tell_place_of_words(struct telling *t)
{
	t->ret->place.slot = NOWHERE;
	for (uint32_t i = 0; i < t->trail->n_args; i++) {
		const struct trail_argument *arg = &t->trail->args[i];

		if (arg->is_slot && arg->number < t->v->n_insns)
			t->ret->place = explain_place(t, (uint32_t)arg->number);
		else if (arg->is_func && arg->number < t->v->n_funcs && t->v->funcs)
			t->ret->place = explain_place(t, t->v->funcs[arg->number].start);
		else
			continue;
		return;
	}
}

/* Limits, and loops, are found before an instruction is looked at. */
static void tell_place(struct telling *t)
{
	bool before = t->row->about == ABOUT_LOOP || t->row->about == ABOUT_LIMIT;

	if (t->row->about == ABOUT_LIMIT && t->ret->n_links)
		t->ret->place = t->ret->chain[0].place;
	else if (t->step && !before)
		t->ret->place = explain_place(t, trail_step(t->trail, t->at_fault)->at);
	else if (t->step && t->v->refused_at < t->v->n_insns)
		t->ret->place = explain_place(t, t->v->refused_at);
	else
		tell_place_of_words(t);
}

const struct explain_row *explain_row_of(enum refusal refusal)
{
	return refusal < REFUSAL_CNT && rows[refusal].what ? &rows[refusal] : NULL;
}

static const struct explain_row *row_of(enum refusal refusal)
{
	const struct explain_row *row = explain_row_of(refusal);

	return row ? row : &unknown;
}

static void tell(struct verifier *v, struct trail *trail, void *ctx)
{
	struct telling t = {
		.v = v,
		.trail = trail,
		.arena = trail->arena,
		.ret = ctx,
		.row = row_of(trail->refusal),
		.subject = -1,
	};

	if (trail->in_walk && trail->len) {
		t.at_fault = trail->len - 1;
		t.step = trail_step(trail, t.at_fault);
		t.insn = &v->insns[t.step->at];
	}
	t.subject = subject_of(&t);
	t.ret->what = explain_fill(&t, t.row->what);
	t.ret->hint = explain_fill(&t, t.row->hint);
	t.ret->code = explain_fill(&t, t.row->code);
	explain_chain(&t);
	if (t.row->more && t.step)
		t.row->more(&t);
	tell_place(&t);
}

int skep_verify_explain(const struct skep_verify_program *program,
			const struct skep_verify_opts *opts,
			const struct skep_verify_report *report, struct skep_arena *arena,
			struct skep_explanation *ret)
{
	struct skep_verify_opts again = *opts;
	struct skep_explanation found = {0};
	struct skep_verify_report second;
	struct trail trail = {.arena = arena, .tell = tell, .ctx = &found};

	if (!report->refusal)
		return -EINVAL;
	again.log_level = 0;
	if (!verify_wide_decided(program, opts, report->refusal))
		again.mode = SKEP_VERIFY_KERNEL;
	if (strcmp(report->refusal, "time_is_up"))
		again.time_ns = 0; /* noting takes time of its own */
	trail.ring = calloc(TRAIL_STEPS, sizeof(*trail.ring));
	trail.visits = calloc(program->image->n_insns + 1, sizeof(*trail.visits));
	if (trail.ring && trail.visits)
		verify_with_trail(program, &again, &trail, &second);
	skep_buf_done(&trail.said);
	free(trail.ring);
	free(trail.visits);
	if (!trail.ring || !trail.visits)
		return -ENOMEM;
	found.rule = report->refusal;
	found.kernel = trail.words;
	*ret = found;
	return 0;
}
