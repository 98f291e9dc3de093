/*
 * Scripts with gaps: a tool whose probes the command line names says in its script, once, what is
 * to be done for each. Lines between "%each GRAMMAR" and "%end" are there for each argument, with
 * the gaps filled:
 *
 *	%each pattern
 *	$(probe)
 *	/selected()/
 *	{
 *		@calls[$(name)] = count();
 *	}
 *	%end
 *
 * GRAMMAR is pattern, message or values (spec.h). The gaps are the rows of template.def.
 */
#ifndef SKEP_TOOL_TEMPLATE_H
#define SKEP_TOOL_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

#include <skep/diag.h>

#include "base/arena.h"
#include "base/buf.h"

/** Has the script gaps to be filled? */
bool skep_tool_has_gaps(const struct skep_source *source);

/**
 * The script of @source for these arguments.
 *
 * Lines stay where they are, as far as they stand before the first gap.
 * Return  0 | -EINVAL an argument is no such specification, or the script is wrong (see @diag)
 */
int skep_tool_fill(struct skep_arena *arena, const struct skep_source *source,
		   const char *const *args, uint32_t n_args, struct skep_buf *ret,
		   struct skep_diag *diag);

#endif
