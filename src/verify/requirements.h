/*
 * What a program asks of a kernel, as it is being collected.
 *
 *	versions.def               since when there is what
 *	versions.c                 the table, looked up
 *	requirements.c             all of it: collect, sort, compare with limits
 *	requirements_insns.c       what instructions ask for: operations, helpers, loops, calls
 *	requirements_objects.c     what is around them: type, flags, maps, functions' types
 */
#ifndef SKEP_VERIFY_REQUIREMENTS_H
#define SKEP_VERIFY_REQUIREMENTS_H

#include <skep/isa.h>
#include <skep/requirements.h>

#include "base/vec.h"

/* --- versions.c: 0 is "not known" everywhere ------------------------------------------------- */

/** Something that versions.def has a row of. */
struct version_row {
	const char *kind, *name;
	uint32_t since;
};

enum version_feature {
#define FEATURE_SINCE(ID, kind, name, major, minor) FEATURE_##ID,
#include "verify/versions.def"
	VERSION_FEATURE_CNT
};

/** The row of a helper in programs of type @program; NULL: no such helper. */
const struct version_row *version_of_helper(uint32_t id, uint32_t program);
/** The row of a kernel function; NULL: there is none by that name. Cost O(log rows) */
const struct version_row *version_of_kfunc(const char *name);
/** The row of an instruction; NULL: it has been there from the start. */
const struct version_row *version_of_insn(enum skep_op op);
const struct version_row *version_of_feature(enum version_feature feature);
/** These are NULL where there is no such type, flag or mark. */
const struct version_row *version_of_map(uint32_t type);
const struct version_row *version_of_map_flag(uint32_t bit);
const struct version_row *version_of_field(uint32_t kind);
const struct version_row *version_of_program(uint32_t type);
const struct version_row *version_of_program_flag(uint32_t bit);
/** @ret_optional  the program can be attached without naming the type */
const struct version_row *version_of_attach(uint32_t type, bool *ret_optional);
const struct version_row *version_of_tag(const char *tag);
/** The row of a field by its row in contexts.def; NULL: it is as old as its context. */
const struct version_row *version_of_context_field(uint32_t row);

enum version_limit { LIMIT_INSNS, LIMIT_PROCESSED, LIMIT_BRANCHES };

/** The first version that lets so much of it be used; NULL: all do. */
const struct version_row *version_of_limit(enum version_limit limit, uint64_t used);

/* --- requirements.c -------------------------------------------------------------------------- */

struct asking {
	const struct skep_verify_program *program;
	const struct skep_verify_report *report;
	struct skep_arena *arena;
	SKEP_VEC(struct skep_requirement) needs;
};

/** The program needs @row for the instruction at @slot; nothing if @row is NULL, or known by now.
 */
void requirements_add(struct asking *asking, const struct version_row *row, uint32_t slot);

/** requirements_insns.c */
void requirements_of_insns(struct asking *asking);
/** requirements_objects.c */
void requirements_of_objects(struct asking *asking);

#endif
