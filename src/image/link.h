/*
 * What the steps of linking share. The steps run in the kernel's order, so
 * that a program with several faults is refused for the same one.
 */
#ifndef SKEP_IMAGE_LINK_H
#define SKEP_IMAGE_LINK_H

#include <skep/image.h>

#include "base/buf.h"

#define MOST_INSNS      1000000
#define MOST_FUNCS      256
#define MOST_MAPS       64
#define MOST_VAR_OFF    (1u << 29)
#define KERNEL_ENOTSUPP 524 /* the kernel's own, that no header of ours has */

struct skep_linker {
	struct skep_image *image; /* under way */
	const struct skep_link_env *env;
	struct skep_buf *log; /* or NULL */
	uint32_t *order;      /* slots as the kernel's walk first comes by; owned */
	uint32_t n_order;
};

void skep_link_log(struct skep_linker *linker, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static inline bool skep_is_local_call(const struct skep_insn *insn)
{
	return insn->code == (SKEP_JMP | SKEP_CALL) && insn->src == SKEP_CALL_LOCAL;
}

static inline bool skep_is_kfunc_call(const struct skep_insn *insn)
{
	return insn->code == (SKEP_JMP | SKEP_CALL) && insn->src == SKEP_CALL_KFUNC;
}

/* callx: no row of isa.def, as it is nothing to Linux. */
static inline bool skep_is_call_by_register(const struct skep_insn *insn)
{
	return insn->code == (SKEP_JMP | SKEP_CALL | SKEP_X) && insn->dst >= SKEP_R1 &&
	       insn->dst <= SKEP_R5 && !insn->src && !insn->off && !insn->imm;
}

static inline bool skep_is_ld64(const struct skep_insn *insn)
{
	return insn->code == (SKEP_LD | SKEP_DW | SKEP_IMM);
}

static inline bool skep_is_ld64_func(const struct skep_insn *insn)
{
	return skep_is_ld64(insn) && insn->src == SKEP_PSEUDO_FUNC;
}

/** Where a jump goes; @at is its slot. */
static inline int64_t skep_jump_target(const struct skep_insn *insn, uint32_t at)
{
	bool wide = insn->code == (SKEP_JMP32 | SKEP_JA);

	return (int64_t)at + 1 + (wide ? insn->imm : insn->off);
}

/* structure.c: functions and their extents; jumps stay inside; all is reached; no deep calls. */
int skep_link_functions(struct skep_linker *linker);
int skep_link_jumps(struct skep_linker *linker);
int skep_link_walk(struct skep_linker *linker);
int skep_link_depth(struct skep_linker *linker);

/* fields.c: each slot is known by its code; then, in the walk's order, all of its fields. */
int skep_link_codes(struct skep_linker *linker, uint32_t at);
int skep_link_fields(struct skep_linker *linker);

/* resolve.c: what 64-bit loads and calls name. */
int skep_link_load(struct skep_linker *linker, uint32_t at);
/* What the call in slot @at names, and all calls of helpers. */
int skep_link_kfunc(struct skep_linker *linker, uint32_t at);
int skep_link_calls(struct skep_linker *linker);

#endif
