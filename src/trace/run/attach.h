/* Attaching a script's probes. */
#ifndef SKEP_TRACE_RUN_ATTACH_H
#define SKEP_TRACE_RUN_ATTACH_H

#include <skep/load.h>

#include "trace/probe.h"

/** How many places attaching @probe reaches: 0 if another one is attached for it. */
uint32_t skep_places_of(const struct skep_probe *probe);
/** Attach @probe, and what is attached by it. Return at how many places that went well; the
 *  others are reported, where there was no wildcard to tell what was meant. */
uint32_t skep_attach_places(struct skep_session *session, const struct skep_probe *probe,
			    struct skep_diag *diag);

#endif
