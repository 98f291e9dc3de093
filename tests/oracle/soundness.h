/*
 * The soundness laboratory: what the verifier says of a program, held against what the program
 * does.
 *
 *	programs_typed.h        programs that are mostly accepted
 *	soundness_states.c      records every state of skep_verify()'s walk, by instruction
 *	soundness_match.c       is what a run holds one of the things that a state stands for?
 *	soundness_run.c         links, verifies, runs on inputs; at each instruction: a match?
 *	soundness_shrink.c      a smaller program that still escapes
 *
 * A program is verified twice, as the kernel would and with every path walked to its end. Both must
 * come to the same verdict. If it is accepted, it runs in the checked interpreter, which must find
 * no fault, and at every instruction
 *
 *	strictly   every register and every slot of the stack, of all frames, lies in one of the
 *	           states that the walk of all paths had there
 *	loosely    pointers that the instruction uses, and what is added to them, lie in one of the
 *	           states that the kernel's walk had there (numbers that nothing was decided by
 *	           may be others on a path that was cut short: that is what pruning is)
 *
 * Programs whose loops end only because rounds become alike (iterators, callbacks, may_goto) are
 * looked at loosely alone.
 */
#ifndef SKEP_TESTS_ORACLE_SOUNDNESS_H
#define SKEP_TESTS_ORACLE_SOUNDNESS_H

#include <linux/bpf.h>

#include <skep/helper.h>
#include <skep/image.h>
#include <skep/map.h>
#include <skep/verify.h>

#include "verify/state.h"

#include "programs_typed.h"

/* --- soundness_states.c ---------------------------------------------------------------------- */

struct seen_frame {
	uint32_t func, call_at, n_slots;
	struct reg regs[SKEP_N_REGS];
	struct slot *slots;
};

/** A state at an instruction. */
struct seen {
	struct seen *next;
	uint32_t n_frames;
	struct seen_frame *frames;
};

/** All states of a walk; memory is used again for the next program. */
struct states {
	struct seen *at[TYPED_MOST_INSNS], **last[TYPED_MOST_INSNS];
	uint8_t *memory;
	size_t used;
	uint64_t n;
	bool full;        /* there were more than fit: nothing can be said */
	char broken[160]; /* a state that contradicts itself; "": none */
};

void states_init(struct states *states);
void states_done(struct states *states);
void states_clear(struct states *states);
/** For skep_verify_opts.observe; @ctx is the struct states. */
void states_observe(void *ctx, uint32_t insn, const void *state);

/* --- soundness_match.c ----------------------------------------------------------------------- */

/** A function of the run that is under way. */
struct live_frame {
	const uint64_t *r; /* its registers, as they are now */
	unsigned set;      /* which hold something */
	uint32_t func, call_at;
};

/** A run, as far as pointers are concerned. */
struct live {
	const struct skep_image *image;
	const struct live_frame *frames;
	uint32_t n_frames;
	uint64_t ctx;
	const struct skep_packet *packet;
	struct skep_map *const *maps;
	const struct skep_run *run;
};

/** Which registers are looked at; and numbers only if `numbers`. */
struct scope {
	uint16_t pointers, numbers;
	bool stack, callers;
};

/** Is what @live holds one of the things that @seen stands for? @ret_what says what is not. */
bool live_matches(const struct live *live, const struct seen *seen, const struct scope *scope,
		  char ret_what[160]);

/* --- soundness_run.c ------------------------------------------------------------------------- */

#define SOUND_RUNS 3 /* on different inputs */

enum sound_outcome {
	SOUND_UNLINKED, /* it is no program */
	SOUND_REFUSED,
	SOUND_FINE,
	SOUND_ESCAPED,  /* it does what the verifier did not see */
	SOUND_DISPUTED, /* with every path walked the verdict is another */
	SOUND_BROKEN,   /* a state contradicts itself */
};

struct sound_counts {
	uint64_t programs, accepted, strict, loose, runs, steps, states, compared;
	uint64_t codes[256], helpers[256], kinds[REG_KIND_CNT], spills, iterators, dynptrs, callees;
	uint64_t refusals[8];
};

struct sound_finding {
	uint32_t insn;
	uint64_t input;
	bool loose;
	char why[1000];
};

struct sound {
	struct skep_map *maps[TYPED_MAPS];
	struct skep_btf *types, *kernel; /* kernel: NULL, there is none */
	struct typed_kfuncs kfuncs;
	struct skep_check *check;
	struct states strict, loose;
	struct sound_counts *counts;
	bool print_refusals;
};

/** Return 0 | -errno. @counts is the caller's */
int sound_open(struct sound *sound, struct sound_counts *counts);
void sound_close(struct sound *sound);
/** @ret  what there is to say of all but SOUND_FINE */
enum sound_outcome sound_try(struct sound *sound, const struct typed_program *program,
			     struct sound_finding *ret);

/* --- soundness_shrink.c ---------------------------------------------------------------------- */

/** Make @program smaller as long as it comes to @outcome. */
void sound_shrink(struct sound *sound, struct typed_program *program, enum sound_outcome outcome);

#endif
