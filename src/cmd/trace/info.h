/* skep trace --info. */
#ifndef SKEP_CMD_TRACE_INFO_H
#define SKEP_CMD_TRACE_INFO_H

void skep_trace_info(void);

#endif
