/*
 * What kind of program is verified: its type, where it attaches, and what follows from them.
 *
 *	program_types.def   a row for each type
 *	program_types.c     results, packets, helpers by type
 *	helper_sets.def     which helpers a type may call
 *	contexts.def        fields of contexts
 *	context.c           accesses to fields
 *	context_btf.c       accesses to the arguments of a kernel function, by its types
 */
#ifndef SKEP_VERIFY_PROGRAM_H
#define SKEP_VERIFY_PROGRAM_H

#include "verify/verifier.h"

enum program_type {
#define PROGRAM(number, NAME, context, helpers, packet) PROGRAM_##NAME = (number),
#include "verify/program_types.def"
#undef PROGRAM
	PROGRAM_TYPE_CNT
};

enum program_attach {
#define ATTACH(number, NAME) AT_##NAME = (number),
#include "verify/attach_types.def"
#undef ATTACH
};

#define PROGRAM_SLEEPS (1u << 4) /* of program->flags: BPF_F_SLEEPABLE */

/** The type whose rules count: for an EXT program its target's. */
static inline enum program_type program_type_of(const struct verifier *v)
{
	uint32_t type = v->image->type == PROGRAM_EXT ? v->program->target_type : v->image->type;

	return type < PROGRAM_TYPE_CNT ? (enum program_type)type : PROGRAM_UNSPEC;
}

/** An access to the arguments of what the program attaches to, by their BTF. Words may be logged,
 *  those of the refusal are the caller's. Return 0 | -EACCES. Source: btf_ctx_access() */
int verify_btf_ctx_access(struct verifier *v, int32_t off, uint32_t bytes, enum access kind,
			  struct ctx_field *ret);

#endif
