/*
 * Extended mode of skep prog verify: what Linux would say of a program that is safe.
 */
#include "cmd/prog/budget.h"

#include <string.h>

#define MOST_LOOKED_AT 1000 /* percent */

void prog_read_mode(const struct prog_job *job, struct skep_verify_opts *ret)
{
	const char *mode = prog_given(job, PROG_OPT_MODE);

	*ret = (struct skep_verify_opts){0};
	if (mode && !strcmp(mode, "extended"))
		ret->mode = SKEP_VERIFY_EXTENDED;
}

void prog_budget_take(const struct skep_verify_opts *opts, const struct skep_verify_report *report,
		      struct prog_budget *ret)
{
	ret->known = opts->mode == SKEP_VERIFY_EXTENDED && !report->refusal;
	ret->percent = report->linux_budget;
}

void prog_budget_text(const struct prog_budget *budget, const char *program, struct skep_buf *out)
{
	if (!budget->known || budget->percent <= 100)
		return;
	skep_buf_printf(out, "%s: safe, but Linux would refuse it: budget ", program);
	if (budget->percent == UINT32_MAX)
		skep_buf_printf(out, "more than %u%%\n", MOST_LOOKED_AT);
	else
		skep_buf_printf(out, "%u%%\n", budget->percent);
}

void prog_budget_json(const struct prog_budget *budget, struct skep_jsonw *w)
{
	if (!budget->known)
		return;
	skep_jsonw_key(w, "linux_accepts"), skep_jsonw_bool(w, budget->percent <= 100);
	skep_jsonw_key(w, "linux_budget_percent");
	if (budget->percent == UINT32_MAX)
		skep_jsonw_null(w);
	else
		skep_jsonw_u64(w, budget->percent);
}
