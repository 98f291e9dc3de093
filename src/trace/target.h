/* What the running kernel takes of the code a script becomes. */
#ifndef SKEP_TRACE_TARGET_H
#define SKEP_TRACE_TARGET_H

#include <skep/ir.h>

/** Asks the kernel for features, each once a process. */
struct skep_ir_target skep_trace_target(void);

#endif
