/* Attaching a script's probes. */
#ifndef SKEP_TRACE_RUN_ATTACH_H
#define SKEP_TRACE_RUN_ATTACH_H

#include <skep/load.h>

#include "trace/program.h"

/** How many places attaching @probe reaches: 0 if another one is attached for it. */
uint32_t skep_places_of(const struct skep_probe *probe);
/** Places of a script's probes. */
struct skep_attached {
	uint32_t wanted, attached;
};
/** Attach all of them; which could not be is reported where no wildcard has told what was meant. */
struct skep_attached skep_attach_all(struct skep_session *session,
				     const struct skep_trace_program *program,
				     struct skep_diag *diag);
/** Does config.missing_probes go on with that? None at all is always an error.
 *  Return 0 | -ENOENT it does not, see @diag */
int skep_attached_check(const struct skep_trace_program *program,
			const struct skep_attached *attached, struct skep_diag *diag);

#endif
