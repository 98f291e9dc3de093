/* Extended mode of skep prog verify: how much of Linux's limits an accepted program would take. */
#ifndef SKEP_CMD_PROG_BUDGET_H
#define SKEP_CMD_PROG_BUDGET_H

#include <skep/verify.h>

#include "cmd/prog/prog.h"
#include "sink/jsonw.h"

struct prog_budget {
	bool known;       /* false: it was refused, or verified as the kernel does */
	uint32_t percent; /* over 100: Linux would refuse; UINT32_MAX: more than was looked at */
};

/** How to verify, by --mode; the rest of @ret is zero. */
void prog_read_mode(const struct prog_job *job, struct skep_verify_opts *ret);
/** Collect from what a verification came to. */
void prog_budget_take(const struct skep_verify_opts *opts, const struct skep_verify_report *report,
		      struct prog_budget *ret);
/** "name: safe, but Linux would refuse it: budget 140%", where it would. */
void prog_budget_text(const struct prog_budget *budget, const char *program, struct skep_buf *out);
/** The members "linux_accepts" and "linux_budget_percent" (null: more than was looked at). */
void prog_budget_json(const struct prog_budget *budget, struct skep_jsonw *w);

#endif
