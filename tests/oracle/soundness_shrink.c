/*
 * A smaller program that still escapes. Instructions are tried without, in stretches that are
 * halved: a `goto +0` stands in their place, so that jumps and calls go where they went. What is
 * left of those is taken out in the end, where that changes nothing.
 */
#include <string.h>

#include "soundness.h"

static const struct skep_insn nothing = {.code = SKEP_JMP | SKEP_JA};

static bool is_wide(const struct skep_insn *insn)
{
	return insn->code == (SKEP_LD | SKEP_DW | SKEP_IMM);
}

static bool is_nothing(const struct skep_insn *insn)
{
	return !memcmp(insn, &nothing, sizeof(nothing));
}

static bool names_slot(const struct skep_insn *insn)
{
	return (insn->code == (SKEP_JMP | SKEP_CALL) && insn->src == SKEP_CALL_LOCAL) ||
	       (is_wide(insn) && insn->src == SKEP_PSEUDO_FUNC);
}

static bool is_jump(const struct skep_insn *insn)
{
	int class = insn->code & 7, op = insn->code & 0xf0;

	return (class == SKEP_JMP || class == SKEP_JMP32) && op != SKEP_CALL && op != SKEP_EXIT;
}

/* Functions that nobody calls any more are no functions. */
static void find_functions(struct typed_program *p)
{
	uint32_t kept = 1;

	for (uint32_t f = 1; f < p->n_funcs; f++) {
		bool called = false;

		for (uint32_t i = 0; i < p->n; i++)
			called |= names_slot(&p->insns[i]) &&
				  i + 1 + (uint32_t)p->insns[i].imm == p->funcs[f].start;
		if (called)
			p->funcs[kept++] = p->funcs[f];
	}
	p->n_funcs = kept;
}

static bool still(struct sound *sound, struct typed_program *p, enum sound_outcome outcome)
{
	struct sound_finding finding;

	find_functions(p);
	return sound_try(sound, p, &finding) == outcome;
}

static void blank(struct typed_program *p, uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < from + n && i < p->n; i++) {
		if (i && is_wide(&p->insns[i - 1]))
			continue;
		if (is_wide(&p->insns[i]))
			p->insns[i + 1] = nothing;
		p->insns[i] = nothing;
	}
}

/* Without slots [from, to); jumps over them are shorter. */
static void take_out(struct typed_program *p, uint32_t from, uint32_t to)
{
	int by = (int)(to - from);

	for (uint32_t i = 0; i < p->n; i++) {
		struct skep_insn *insn = &p->insns[i];
		bool jumps = is_jump(insn), names = names_slot(insn);
		int target = (int)i + 1 + (names ? insn->imm : insn->off);

		if (jumps || names) {
			int moved = (target >= (int)to ? by : 0) - (i >= to ? by : 0);
			if (names)
				insn->imm -= moved;
			else
				insn->off = (int16_t)(insn->off - moved);
		}
		i += is_wide(insn);
	}
	memmove(&p->insns[from], &p->insns[to], (p->n - to) * sizeof(*p->insns));
	p->n -= to - from;
	for (uint32_t f = 0; f < p->n_funcs; f++)
		p->funcs[f].start -= p->funcs[f].start >= to ? to - from : 0;
}

static void blank_what_can_be(struct sound *sound, struct typed_program *p,
			      enum sound_outcome outcome)
{
	for (uint32_t n = p->n / 2; n; n /= 2)
		for (uint32_t from = 0; from < p->n; from += n) {
			struct typed_program smaller = *p;

			blank(&smaller, from, n);
			if (memcmp(&smaller, p, sizeof(smaller)) && still(sound, &smaller, outcome))
				*p = smaller;
		}
}

/* Whole stretches, the end of a function among them, or single blanks. */
static void take_out_what_can_be(struct sound *sound, struct typed_program *p,
				 enum sound_outcome outcome)
{
	for (uint32_t n = p->n / 2; n; n /= 2)
		for (uint32_t from = 0; from + n <= p->n;) {
			struct typed_program smaller = *p;

			if (n == 1 && !is_nothing(&p->insns[from]) && !is_jump(&p->insns[from])) {
				from++;
				continue;
			}
			take_out(&smaller, from, from + n);
			if (smaller.n && still(sound, &smaller, outcome))
				*p = smaller;
			else
				from += n;
		}
}

void sound_shrink(struct sound *sound, struct typed_program *program, enum sound_outcome outcome)
{
	struct sound_counts *counts = sound->counts, ignored = {0};

	sound->counts = &ignored;
	for (int round = 0; round < 3; round++) {
		blank_what_can_be(sound, program, outcome);
		take_out_what_can_be(sound, program, outcome);
	}
	sound->counts = counts;
}
