/*
 * A program ready to run, and what runs it.
 *
 * An image is a program's instructions with everything resolved: maps and
 * addresses in the 64-bit loads, functions and their extents found, each slot
 * decoded once. Interpreters and JITs take an image and make code of it; they
 * know nothing of each other, and a program of one may tail-call, or be called
 * back by, a program of another.
 *
 *	instructions ─► skep_image_link() ─► image ─► skep_exec.compile() ─► code ─► .run()
 *
 * Every way to run a program gives the same result to the bit.
 */
#ifndef SKEP_IMAGE_H
#define SKEP_IMAGE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skep/isa.h>

#include <skep/begin.h>

struct skep_buf;
struct skep_check;
struct skep_code;
struct skep_diag;
struct skep_image;
struct skep_map;
struct skep_run;
struct skep_world;

#define SKEP_STACK_BYTES     512 /* of one function */
#define SKEP_MOST_FRAMES     8   /* main and what it calls */
#define SKEP_MOST_TAIL_CALLS 33
#define SKEP_MAY_GOTO_ROUNDS 8388608 /* BPF_MAX_LOOPS: after so many a may_goto goes */

/* --- Helpers and kernel functions as the engines see them ------------------------------------ */

/** A helper or kernel function: r1 to r5, and the run it is called from. Returns r0. */
typedef uint64_t skep_function(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
			       struct skep_run *run);

/** A function that a program calls by number: found when the image is linked. */
struct skep_callable {
	const char *name;
	skep_function *call; /* NULL: has no meaning here; linking fails */
	const void *proto;   /* struct skep_proto (helper.h): for the checked interpreter */
};

/* --- Image ----------------------------------------------------------------------------------- */

/** What a 64-bit load brought, before it became a number. */
enum skep_ref_kind {
	SKEP_REF_NONE,      /* a constant */
	SKEP_REF_MAP,       /* a map: index into image->maps */
	SKEP_REF_MAP_VALUE, /* an address in map index's value */
	SKEP_REF_FUNC,      /* a subprogram to call back: index into image->callbacks */
	SKEP_REF_VARIABLE,  /* a variable of the host's BTF */
};

struct skep_ref {
	enum skep_ref_kind kind;
	uint32_t index;
	uint32_t off; /* MAP_VALUE: within it */
};

struct skep_image_func {
	uint32_t start, end;  /* slots [start, end) */
	uint32_t stack_bytes; /* deepest access below r10 seen, rounded up to 8; at most 512 */
	bool is_callback;     /* its address is taken */
	bool is_exception;    /* called with bpf_throw()'s cookie */
};

/** What a program holds as the address of a subprogram. */
struct skep_callback {
	const struct skep_image *image;
	uint32_t func;
};

struct skep_image {
	char name[16];
	uint32_t type;           /* enum bpf_prog_type */
	struct skep_insn *insns; /* owned; 64-bit loads are plain constants, LD64_IMM */
	uint16_t *ops;           /* owned; enum skep_op of each slot, INVALID for second slots */
	struct skep_ref *refs;   /* owned; for each slot, of 64-bit loads */
	uint32_t n_insns;
	struct skep_image_func *funcs; /* owned; [0] is main; ascending by start */
	uint32_t n_funcs;
	struct skep_callback *callbacks; /* owned */
	uint32_t n_callbacks;
	struct skep_map **maps; /* owned; a reference to each */
	uint32_t n_maps;
	/* CALL_HELPER and CALL_KFUNC: imm is the index in here; src still tells which. */
	const struct skep_callable **calls; /* owned array of borrowed rows */
	uint32_t n_calls;
	uint32_t tail_call;     /* the one among calls that is bpf_tail_call(); UINT32_MAX: none */
	struct skep_map *arena; /* the one among maps, or NULL */
	bool may_throw, has_may_goto, has_tail_call;
};

/** The function that slot @at is in, as image->funcs. Cost O(log functions) */
uint32_t skep_image_func_at(const struct skep_image *image, uint32_t at);

/** How linking resolves what instructions name. Every callback returns 0 or -errno. */
struct skep_link_env {
	/** The map behind a descriptor (or index, SKEP_PSEUDO_MAP_IDX) with a reference. */
	int (*map)(void *ctx, const struct skep_insn *insn, struct skep_map **ret);
	int (*helper)(void *ctx, int32_t id, const struct skep_callable **ret);
	int (*kfunc)(void *ctx, const struct skep_insn *insn, const struct skep_callable **ret);
	int (*variable)(void *ctx, const struct skep_insn *insn, uint64_t *ret);
	void *ctx;
	uint32_t exception_callback; /* slot where bpf_throw() goes on (BTF says so); 0: none */
	/** Functions and jumps are known to be sound: what the caller knows of functions fits them?
	 */
	int (*layout)(void *ctx, struct skep_image *image);
	/* The verifier asks the rest, only where paths come: fields of instructions, how deep
	 * functions call each other. Before it is run: skep_image_bury_faults() */
	bool verified;
	/** callx, a call of the function whose number register @reg (1 to 5: the callee sees it)
	 *  holds. Not in Linux, which does not know the instruction: NULL, as a rule. */
	int (*by_register)(void *ctx, uint8_t reg, const struct skep_callable **ret);
};

/**
 * Check that @insns are a program at all, as the kernel does before it follows
 * any path, and link them.
 *
 * Checked: every instruction decodes, registers exist, jumps and calls stay in
 * their function and never land in a second slot, every function ends in exit
 * or a jump, nothing is unreachable, functions are not called in a circle of
 * more than SKEP_MOST_FRAMES. What registers and memory hold is not: that is
 * the verifier's business, or the checked interpreter's at run time.
 *
 * @log    the kernel's words for what is wrong, as the verifier's log has them; NULL: not wanted
 * @ret    freed with skep_image_free(); untouched on error
 * Return  0 | -EINVAL | -E2BIG over 1,000,000 | what @env's functions returned
 * Cost    O(n). Source: Linux 6.18, check_subprogs(), check_cfg(), resolve_pseudo_ldimm64()
 */
int skep_image_link(const struct skep_insn *insns, uint32_t n, uint32_t type,
		    const struct skep_link_env *env, struct skep_buf *log, struct skep_image **ret);
void skep_image_free(struct skep_image *image);

#define SKEP_FAULT_TEXT_BYTES 96
/** What is wrong with the fields of the instruction in slot @at, in the kernel's words (a line
 *  without its end), in @text. NULL: nothing is. Of an image whose env->verified was set. */
const char *skep_image_fault(const struct skep_image *image, uint32_t at,
			     char text[SKEP_FAULT_TEXT_BYTES]);
/** Instructions with faults become jumps to themselves: nobody comes there, or @image would not
 * have been found sound. */
void skep_image_bury_faults(struct skep_image *image);

/* --- Running --------------------------------------------------------------------------------- */

/** Why a run ended before its exit. */
enum skep_stop {
	SKEP_STOP_NONE,
	SKEP_STOP_BUDGET, /* run->budget was spent */
	SKEP_STOP_FAULT,  /* the checked interpreter refused an instruction: see run->check */
};

/** A loaded program: what a prog_array holds and a link attaches. */
struct skep_program {
	const struct skep_image *image;
	const struct skep_exec *exec;
	struct skep_code *code;
};

/**
 * One execution; on the caller's stack, and where engines, helpers and tests find what is around
 * them. Helpers get it as their last argument.
 */
struct skep_run {
	const struct skep_program *program; /* the one at hand: a tail call changes it */
	void *ctx;                          /* r1 of the main program */
	uint64_t budget;                    /* instructions left; UINT64_MAX: no limit */
	enum skep_stop stop;                /* set: callers unwind with r0 = 0 */
	uint32_t tail_calls;                /* made so far */
	uint32_t depth;                     /* frames now, callbacks and tail calls included */
	uint32_t cpu;                       /* set for programs that call anything */
	struct skep_check *check;           /* the checked interpreter's regions; NULL: unchecked */
	struct skep_world *world; /* packet, task and time as this run sees them (helper.h) */
	/* bpf_throw() goes here; the cookie is then in `thrown`. */
	jmp_buf *unwind;
	uint64_t thrown;
};

struct skep_exec_opts {
	bool budget;          /* obey run->budget (the JIT pays for it at every backward jump) */
	bool blind_constants; /* JIT: no constant of the program appears in its code */
	/* checked: told before each instruction of its slot and of the function's registers, which
	 * stay where they are as long as the function runs; bit r of @set: r holds something. Costs
	 * nothing when NULL */
	void (*step)(void *ctx, uint32_t insn, const uint64_t r[SKEP_N_REGS], unsigned set);
	void *step_ctx;
};

/** A way to run programs. */
struct skep_exec {
	const char *name; /* "interp", "checked", "jit" */
	/** @ret freed with free(). Return 0 | -ENOTSUP an instruction this machine cannot | -ENOMEM
	 */
	int (*compile)(const struct skep_image *image, const struct skep_exec_opts *opts,
		       struct skep_code **ret);
	/** Function @func of the image on up to 5 arguments; returns r0. Callbacks come here too.
	 */
	uint64_t (*call)(const struct skep_program *program, uint32_t func, const uint64_t args[5],
			 struct skep_run *run);
	void (*free)(struct skep_code *code);
	/** call() of main on @ctx alone: how every run begins. */
	uint64_t (*enter)(const struct skep_program *program, void *ctx, struct skep_run *run);
};

extern const struct skep_exec skep_exec_interp, skep_exec_checked, skep_exec_jit;

/**
 * Run @program from the start.
 *
 * @ctx     what r1 points to, in the layout of the program's type; borrowed
 * @run     set before: budget, check, world (else zero); the rest is set here. Afterwards run->stop
 *          tells whether the program came to its end
 * Return   r0; 0 if the run was stopped; what bpf_throw() was given if the program has no exception
 *          callback
 * Thread   one run at a time on a CPU: the caller is one (map.h: skep_cpu_enter())
 */
uint64_t skep_program_run(const struct skep_program *program, void *ctx, struct skep_run *run);

/**
 * Call back: @callback is what the program passed as a function's address.
 * Helpers that call more than once look at run->stop after each.
 */
uint64_t skep_run_callback(struct skep_run *run, uint64_t callback, const uint64_t args[5]);

/**
 * A tail call, for engines: the whole of the other program runs, and its result is the caller's.
 * Return whether there was one (else r0 = -ENOENT or -E2BIG and the caller goes on); @ret_r0
 */
bool skep_run_tail_call(struct skep_run *run, void *ctx, struct skep_map *map, uint64_t index,
			uint64_t *ret_r0);

#include <skep/end.h>

#endif
