/* One record of the kernel taken in; for watch.c, its tests and fuzzer. Private to src/symbol. */
#ifndef SKEP_SYMBOL_WATCH_H
#define SKEP_SYMBOL_WATCH_H

#include <sys/types.h>

struct skep_perf_record;
struct skep_usyms;

/** @only: records of other processes are left out; 0: none are. */
void skep_watch_record(struct skep_usyms *syms, pid_t only, const struct skep_perf_record *record);

#endif
