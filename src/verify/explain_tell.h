/*
 * One explanation under way: what the files that make it share.
 *
 *	explain.c         the verification with a trail; the row's words; places
 *	explain_chain.c   back along the trail: where the bad value came from
 *	explain_memory.c  what is known beyond the row of accesses: bytes, bounds, what to compare
 *	explain_more.c    the same of kinds, references, arguments, limits
 *	explain_words.c   registers, numbers and instructions in plain words
 *	explain_source.c  names out of a line of the source
 */
#ifndef SKEP_VERIFY_EXPLAIN_TELL_H
#define SKEP_VERIFY_EXPLAIN_TELL_H

#include <skep/explain.h>

#include "verify/explain_trail.h"

/* What a refusal is about. */
enum explain_subject {
	ABOUT_NOTHING,  /* the instruction alone */
	ABOUT_REGISTER, /* "R%u" of the words, or what the instruction names */
	ABOUT_ARGUMENT, /* the first number of the words, an argument counted from 0 */
	ABOUT_RESULT,   /* r0 */
	ABOUT_STACK,    /* the words' first number is an offset from fp */
	ABOUT_HELD,     /* what was acquired and is still held */
	ABOUT_SECTION,  /* an RCU read section, or preemption that is off */
	ABOUT_LOOP,
	ABOUT_LIMIT,
};

struct telling;
typedef void explain_more(struct telling *t);

struct explain_row {
	enum explain_subject about;
	explain_more *more; /* NULL: the row says all */
	const char *what, *hint, *code;
};

struct telling {
	struct verifier *v;
	struct trail *trail;
	struct skep_arena *arena;
	struct skep_explanation *ret;
	const struct explain_row *row;
	const struct trail_step *step; /* of the refused instruction; NULL: none */
	const struct skep_insn *insn;
	int subject;       /* a register; -1: none */
	uint32_t at_fault; /* the step whose line is the place; an index into the trail */
};

/* --- explain_words.c ------------------------------------------------------------------------- */

/** "0..255", "5", "any number". */
const char *explain_number(struct telling *t, const struct skep_scalar *value);
/** "a value of map counts or NULL", "the packet, 14 bytes on", "0..255". */
const char *explain_reg(struct telling *t, const struct reg *reg);
/** What a pointer leads to, without where in it: "a value of map counts". */
const char *explain_pointee(struct telling *t, const struct reg *reg);
/** The member of a structure at byte @off; NULL: none is known. */
const char *explain_member(const struct skep_btf *btf, uint32_t id, int64_t off);
/** What the program's context is called ("__sk_buff"), and its id in the kernel's BTF. NULL: it has
 *  no one structure, or is not known */
const char *explain_context_name(struct telling *t, uint32_t *ret_id);
/** "bpf_map_lookup_elem()": what the call at @at calls. */
const char *explain_callee(struct telling *t, uint32_t at);
/** The instruction as it was written. */
const char *explain_insn(struct telling *t, uint32_t at);
/** "read", "write", "access": what the refused instruction does. */
const char *explain_verb(const struct telling *t);
/** Where it is in the source. */
struct skep_explain_place explain_place(struct telling *t, uint32_t at);
/** Bytes that a load or store accesses; 0: it is none. */
uint32_t explain_access_bytes(const struct skep_insn *insn);
/** @text with what stands in braces filled in; NULL for NULL. */
const char *explain_fill(struct telling *t, const char *text);
/** What a program of its type returns where it does not care: "XDP_PASS", "0". */
const char *explain_result(const struct telling *t);
/** Is it "if …", and not a plain jump? */
bool explain_is_condition(const struct skep_insn *insn);

/* --- explain_chain.c ------------------------------------------------------------------------- */

/** Back from the refused instruction along what t->row says it is about. */
void explain_chain(struct telling *t);
/** What is held that the refusal means; NULL: it is not known. */
const struct ref *explain_held_ref(const struct telling *t);
/** The step at which register @regno got what it holds at step @before (copies are passed over).
 *  Return false: it is not known */
bool explain_origin(struct telling *t, uint32_t before, unsigned regno, uint32_t *ret);

/* --- explain_memory.c, explain_more.c -------------------------------------------------------- */

#define EXPLAIN_MORE(name) explain_more explain_##name;
EXPLAIN_MORE(kind)
EXPLAIN_MORE(uninit)
EXPLAIN_MORE(region)
EXPLAIN_MORE(packet)
EXPLAIN_MORE(stack)
EXPLAIN_MORE(held)
EXPLAIN_MORE(returned)
EXPLAIN_MORE(null_argument)
EXPLAIN_MORE(size)
EXPLAIN_MORE(limit)
EXPLAIN_MORE(context)
EXPLAIN_MORE(offset)
EXPLAIN_MORE(argument)
#undef EXPLAIN_MORE

/* --- explain.c ------------------------------------------------------------------------------- */

/** The row of a refusal; NULL: it has none. */
const struct explain_row *explain_row_of(enum refusal refusal);

#endif
