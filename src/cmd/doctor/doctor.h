/* skep doctor: what this kernel and these privileges allow, and what to change. */
#ifndef SKEP_CMD_DOCTOR_H
#define SKEP_CMD_DOCTOR_H

#include "cmd/options.h"

extern const struct skep_command skep_command_doctor;

/** The command. Return 0 tracing is usable | 1 its basics are not | 2 usage */
int skep_cmd_doctor(int argc, char **argv);

#endif
