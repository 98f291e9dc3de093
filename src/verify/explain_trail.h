/*
 * The trail: what each instruction of the path under way found and left, so that a refusal can be
 * told by the way that led to it.
 *
 * A verification that explains keeps one (v->trail), others none. The path that waits least is
 * taken up where a path ends, as in the log of level 1: what was noted since its fork is cut off.
 * So the trail is always that of the path under way, from the function's first instruction on.
 *
 *	before an instruction   its operands, where in the stack it reads or writes
 *	before the next one     what came of it: so a jump's note is of the way that was gone
 *	at a refusal            all registers, what is held, and the arguments of the words
 *
 * Of long paths the last TRAIL_STEPS instructions are kept, in a ring.
 *
 * Read next: explain_chain.c, which goes back along it.
 */
#ifndef SKEP_VERIFY_EXPLAIN_TRAIL_H
#define SKEP_VERIFY_EXPLAIN_TRAIL_H

#include <stdarg.h>

#include <skep/buf.h>

#include "verify/verifier.h"

#define TRAIL_STEPS      (1u << 15)
#define TRAIL_ARGUMENTS  8
#define TRAIL_REFERENCES 8

struct trail_step {
	uint32_t at;
	uint8_t frame; /* of the state: 0 is the first */
	/* a load or store of the stack, at a known place */
	bool on_stack, on_stack_known;
	uint8_t stack_frame;
	int32_t stack_off; /* from that frame's fp */
	uint8_t rcu_locked, preempt_off;
	uint32_t n_refs;
	uint16_t alike_regs;    /* bit r: register r carries the id of an operand */
	uint64_t alike_slots;   /* bit s: so does slot s of the frame */
	uint64_t written_slots; /* of the frame, by a call */
	/* of calls: registers and slots of the frame that hold pointers before, and after it not */
	uint16_t pointer_regs, lost_regs;
	uint64_t pointer_slots, lost_slots;
	struct reg dst, src; /* before it: as the instruction names them */
	struct reg dst_after, src_after;
	struct reg r0_after;
};

/* An argument of the refusal's words. */
struct trail_argument {
	bool is_register;      /* "R%u" */
	bool is_slot, is_func; /* "insn %u", "subprog %u" */
	int64_t number;
	const char *text; /* NULL: a number */
};

struct trail {
	struct skep_arena *arena; /* of who asks: texts live there */
	struct trail_step *ring;  /* [TRAIL_STEPS]; owned by who asks */
	uint32_t len;             /* steps of the path under way */
	uint32_t longest;         /* that was noted: what the ring has forgotten depends on it */
	uint32_t *visits;         /* [n_insns]: how often each was processed, on all paths */

	/* the refusal */
	enum refusal refusal;
	bool in_walk; /* there was a path, and what follows is known */
	struct trail_argument args[TRAIL_ARGUMENTS];
	uint32_t n_args;
	struct skep_buf said; /* of the instruction under way; owned by who asks */
	char *words;          /* the last line of it: the kernel's */
	struct reg regs[SKEP_N_REGS];
	struct slot slots[MOST_SLOTS];     /* of the frame on top */
	struct ref refs[TRAIL_REFERENCES]; /* the latest */
	uint32_t n_refs;

	/** Called before the verification is let go of. */
	void (*tell)(struct verifier *v, struct trail *trail, void *ctx);
	void *ctx;
};

/** The first step that is still known. */
static inline uint32_t trail_first(const struct trail *t)
{
	return t->longest > TRAIL_STEPS ? t->longest - TRAIL_STEPS : 0;
}

static inline struct trail_step *trail_step(const struct trail *t, uint32_t i)
{
	return &t->ring[i % TRAIL_STEPS];
}

/** Before the instruction v->at. */
void verify_trail_step(struct verifier *v);
/** Back to the fork at which the trail was so long. */
void verify_trail_cut(struct verifier *v, uint32_t len);
/** A rule was broken; @fmt and @ap are its words. */
void verify_trail_refused(struct verifier *v, enum refusal row, const char *fmt, va_list ap);

/** All was said that is: some words have a line behind them that says more. */
void verify_trail_ends(struct verifier *v);

/** skep_verify(), with a trail. */
int verify_with_trail(const struct skep_verify_program *program,
		      const struct skep_verify_opts *opts, struct trail *trail,
		      struct skep_verify_report *ret);

#endif
