/* What an accepted program asks of kernels, kept and shown: for skep prog verify. */
#ifndef SKEP_CMD_PROG_REQUIREMENTS_H
#define SKEP_CMD_PROG_REQUIREMENTS_H

#include <skep/requirements.h>

#include "cmd/prog/prog.h"
#include "sink/jsonw.h"

struct prog_requirements {
	bool known;      /* false: it was refused, or not asked */
	uint32_t target; /* the version it must run on; 0: any */
	struct skep_requirements all;
	const char **places; /* of each need: "prog.c:12", or NULL */
};

/** The version that --target names; 0: none. Return 0 | 2 it is no version, told in job->diag */
int prog_read_target(struct prog_job *job, uint32_t *ret);
/** Collect, while program and report are there. @arena holds what @ret points to. */
void prog_requirements_take(const struct skep_verify_program *program,
			    const struct skep_verify_report *report, struct skep_arena *arena,
			    struct prog_requirements *ret);
/** Does the target lack something of it? Needs [0, so many) are those; 0: nothing. */
uint32_t prog_requirements_lacking(const struct prog_requirements *requirements);
/** "5.17", as a table has it; "" if nothing is known. Return @text */
const char *prog_requirements_since(const struct prog_requirements *requirements, char text[16]);
/** Below the table: a line that says what decides the version, or (@whole) all needs and limits;
 *  and what the target refuses it for. */
void prog_requirements_text(const struct prog_requirements *requirements, const char *program,
			    bool whole, struct skep_buf *out);
/** The members "requirements" and, where it is lacking, "refused_by", of the object at hand. */
void prog_requirements_json(const struct prog_requirements *requirements, struct skep_jsonw *w);

#endif
