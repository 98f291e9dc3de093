/* skep trace. */
#ifndef SKEP_CMD_TRACE_H
#define SKEP_CMD_TRACE_H

int skep_cmd_trace(int argc, char **argv);

#endif
