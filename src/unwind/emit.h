/*
 * What the files that write the walk share. Private to src/unwind.
 *
 *	program.c     skep_unwind(): registers, the process, the loop, keeping the stack
 *	emit_frame.c  one frame: the rule applied, the caller's registers
 *	emit_odd.c    what a frame has seldom: signals, other registers, ends
 *	emit_find.c   the mapping and the rule of an address
 *	emit_vma.c    the mapping by the kernel's tree of them
 *	emit_code.c   frames of code that was made at run time: by pointers, and HotSpot's
 *	emit_hotspot.c  what HotSpot knows of its code, and methods kept by their names
 *	emit.c        a few words of all these
 *
 * All that a walk knows lies in one struct walk, in memory of the program's own of
 * which the verifier remembers nothing: so every frame looks the same to it, and
 * it follows the loop's body once. Subprograms get the walk's address first.
 */
#ifndef SKEP_UNWIND_EMIT_H
#define SKEP_UNWIND_EMIT_H

#include <stddef.h>

#include "interp/hotspot_layout.h"
#include "unwind/program.h"
#include "unwind/walk.h"

/* Where the kernel's struct pt_regs has registers on x86-64, in words. */
enum {
	PT_RBP = 4,
	PT_RBX = 5,
	PT_RAX = 10,
	PT_ORIG = 15,
	PT_RIP = 16,
	PT_CS = 17,
	PT_RSP = 19,
	PT_WORDS = 21
};

#define BELOW_BYTES 64 /* below a CFA are read at once: that is where registers are saved */
#define PCS_MASK    SKEP_UNWIND_FRAMES_MOST

/* What is known of a process's HotSpot, and of its code that was met last. */
struct skep_walk_java {
	uint64_t is_looked_for;
	uint64_t is_asked_for;          /* nothing is known yet */
	uint64_t blob_code, blob_bytes; /* where its code is; 0: none was met yet */
	uint64_t name;                  /* its first eight characters */
	uint64_t low, map, shift;       /* of the heap, */
	uint64_t segment;               /* and the one that is looked at */
	uint64_t is_start;              /* it is where its block begins */
	uint64_t keeps_fp;              /* the frame has not saved the frame pointer */
	uint64_t was, now;              /* bytes before the instruction, and of it */
	uint64_t hash;
	uint64_t method, part; /* that is to be kept; the address of its constant part */
	uint64_t words[SKEP_INTERP_CHECK_WORDS];
	uint64_t below[5]; /* of an interpreted frame, up to its return address */
	uint8_t hop, unused[7];
	struct skep_hotspot hotspot;
	uint8_t blob[SKEP_HOTSPOT_BLOB_BYTES];
	uint64_t behind; /* so that a masked offset stays inside */
	struct skep_interp_fresh fresh;
	uint32_t key, unused_too;
	struct skep_interp_stack stack;
};
_Static_assert(SKEP_UNWIND_FRAMES_MOST < SKEP_INTERP_FRAMES_MOST, "and the entry before them");
_Static_assert(SKEP_UNWIND_FRAMES_MOST <= SKEP_HOTSPOT_PLACE, "it says which");

struct walk {
	uint64_t pc, sp, fp;
	uint64_t back; /* from a return address to the call: 1; 0 where pc was interrupted */
	uint64_t cfa;
	uint64_t hash;
	uint64_t guessed;    /* frames before one was left for want of a rule; 0: all had one */
	uint64_t by_pointer; /* a frame pointer was followed then */
	uint64_t start, n_bytes, bias; /* the mapping that was found last, */
	uint32_t file, number;         /* as in struct skep_unwind_mapping */
	uint32_t first, n;             /* the process's mappings */
	uint64_t runtime_bias;         /* of the last mapping whose file has an interpreter, */
	uint32_t runtime, unused_too;  /* which is of this one; 0: none was met */
	uint32_t key;                  /* the stack's number */
	struct skep_unwind_asked asked;
	uint64_t one; /* first value of an entry of `asked` */
	uint64_t below[BELOW_BYTES / 8];
	uint64_t base;      /* rbx: behind `below`, see take_base(); 0: not known, */
	uint64_t zero;      /* as here */
	uint64_t room[6];   /* so that a masked index stays inside */
	uint64_t mm, entry; /* the kernel's: of the process; where in its tree of mappings, */
	uint64_t node[SKEP_UNWIND_NODE_BYTES / 8]; /* and what was read there: see emit_vma.c */
	struct skep_unwind_code_key code;          /* which file is mapped, */
	uint64_t code_size;                        /* and which version of it */
	uint32_t code_generation;
	struct skep_walk_java java;
	uint64_t regs[PT_WORDS];
	struct skep_unwind_stack stack;
	uint64_t unused; /* so that a masked index stays inside */
};
_Static_assert(offsetof(struct walk, unused) ==
		       offsetof(struct walk, stack.pcs) + 8 * SKEP_UNWIND_FRAMES_MOST,
	       "what is behind the last frame");
_Static_assert((PCS_MASK & (PCS_MASK + 1)) == 0, "one less than a power of two");

_Static_assert(BELOW_BYTES / 8 == SKEP_CFI_BASE_MOST, "all that rules tell of it");
_Static_assert(offsetof(struct walk, mm) == offsetof(struct walk, below) + 8 * 16,
	       "that four bits can say");

/** What the subprograms are made for. */
struct emit {
	struct skep_ir_func *prog; /* whose they are */
	const struct skep_unwind_walk_maps *maps;
	struct skep_unwind_counter lost;
	struct skep_ir_func *mapping; /* skep_emit_mapping(), which is large and called from two */
};

/** A subprogram that is being written. */
struct emit_func {
	const struct emit *e;
	struct skep_ir_func *f;
	uint32_t w; /* the register that has the walk's address */
};

/* --- emit.c -------------------------------------------------------------------------------- */

struct emit_func skep_emit_begin(const struct emit *e, const char *name, uint32_t n_params);
uint32_t skep_emit_alu(const struct emit_func *at, enum skep_ir_alu op, uint32_t a,
		       struct skep_opnd b);
/** Read @bytes at @from of the process to @to; 0 or an error. */
uint32_t skep_emit_read(const struct emit_func *at, uint32_t to, uint32_t bytes, uint32_t from);
/** Write that the walk has ended, and leave the function. */
void skep_emit_end(const struct emit_func *at, enum skep_unwind_end why);
/** The same where the condition holds; go on where it does not. */
void skep_emit_end_if(const struct emit_func *at, enum skep_ir_cond cond, uint32_t a,
		      struct skep_opnd b, enum skep_unwind_end why);
/** Go on where the condition holds; else to block @out. */
void skep_emit_go_if(const struct emit_func *at, enum skep_ir_cond cond, uint32_t a,
		     struct skep_opnd b, uint32_t out);
/** Leave the function, as one that it called said that the walk has ended. */
void skep_emit_leave_if(const struct emit_func *at, uint32_t ended);
/** Element number @index, which may be any number, of an array of @cnt (a power of two). */
struct emit_array {
	uint32_t map, cnt, element_bytes;
};
uint32_t skep_emit_element(const struct emit_func *at, struct emit_array array, uint32_t index);

/* Fields of the walk. */
#define FIELD(at, field)   (int32_t) offsetof(struct walk, field)
#define FIELD_BYTES(field) (uint32_t)sizeof(((struct walk *)0)->field)
#define GET(at, field)     skep_ir_load((at)->f, FIELD_BYTES(field), R((at)->w), FIELD(at, field))
#define PUT(at, field, value)                                                                      \
	skep_ir_store((at)->f, FIELD_BYTES(field), R((at)->w), FIELD(at, field), (value))
#define ADDRESS(at, field) skep_ir_addr((at)->f, R((at)->w), FIELD(at, field))
/* Fields of the rule at register @rule. */
#define RULE_KIND(at, rule, field)                                                                 \
	skep_ir_load((at)->f, 1, R(rule), offsetof(struct skep_unwind_rule, field))
#define RULE_NUMBER(at, rule, field)                                                               \
	skep_ir_extend(                                                                            \
		(at)->f,                                                                           \
		R(skep_ir_load((at)->f, 4, R(rule), offsetof(struct skep_unwind_rule, field))), 4, \
		true)
#define RULE_FP_OFF(at, rule)                                                                      \
	skep_ir_extend(                                                                            \
		(at)->f,                                                                           \
		R(skep_ir_load((at)->f, 2, R(rule), offsetof(struct skep_unwind_rule, fp_off))),   \
		2, true)
#define CALL(at, callee, ...)                                                                      \
	skep_ir_call_func((at)->f, (callee),                                                       \
			  sizeof((struct skep_opnd[]){R((at)->w), __VA_ARGS__}) /                  \
				  sizeof(struct skep_opnd),                                        \
			  (struct skep_opnd[]){R((at)->w), __VA_ARGS__})

/* --- The subprograms. Those that may end the walk return 1 then, and else 0. ------------------ */

/** The callback of bpf_loop(): (number of the frame, where the walk's address is). */
struct skep_ir_func *skep_emit_frame(const struct emit *e);

/** (walk, address): sets start, n_bytes, bias, file and number to the mapping's. Returns 0. */
struct skep_ir_func *skep_emit_mapping(const struct emit *e);
/** (walk, address): the same by what the kernel itself knows of the process; the walk's mapping
 *  stays as it is where there is no code, or of a file that is not known. Returns 0. */
struct skep_ir_func *skep_emit_code(const struct emit *e);
/** (walk, address): 1: something is mapped there, 0: nothing, or it cannot be told. */
struct skep_ir_func *skep_emit_vma(const struct emit *e);
/** (walk): 1: the thread ends or executes another program, and may have no memory any more. */
struct skep_ir_func *skep_emit_leaving(const struct emit *e);
/** In line: the rule's number in `rules`. */
uint32_t skep_emit_rule(const struct emit_func *at, uint32_t addr);

/** (walk): leaves a frame of code that was made at run time. May end. */
struct skep_ir_func *skep_emit_code_frame(const struct emit *e);
/** (walk): sets java.hotspot to that of the process, and asks for it if that is not known. Returns
 *  0. */
struct skep_ir_func *skep_emit_hotspot(const struct emit *e);
/** (walk, address): sets java.blob to the code that is there. 1: there is none. */
struct skep_ir_func *skep_emit_blob(const struct emit *e);
/** (walk, what to add to the place): keeps java.method for the frame. Returns 0. */
struct skep_ir_func *skep_emit_method(const struct emit *e);
/** (walk): the number of the stack of methods; 0: there are none, or it could not be kept. */
struct skep_ir_func *skep_emit_methods(const struct emit *e);
/** In line: ask for what `asked` says, once. */
void skep_emit_ask(const struct emit_func *at);

/** (walk): no table is here: asks for it if there could be one. Ends. */
struct skep_ir_func *skep_emit_missing(const struct emit *e);
/** (walk, rule) that leaves the return address elsewhere: leaves a signal's frame, or ends. */
struct skep_ir_func *skep_emit_odd(const struct emit *e);
/** (walk, rule, number of the frame): sets cfa by a rule of any kind. May end. */
struct skep_ir_func *skep_emit_odd_cfa(const struct emit *e);
/** (walk, rule, CFA): reads the return address, to the last word of `below`, and the frame pointer,
 *  each by itself. May end. */
struct skep_ir_func *skep_emit_apart(const struct emit *e);

#endif
