/*
 * The watcher: the scripts of sources.def at work in the kernel, read into snapshots.
 *
 *	scripts -> watcher (differences, tasks, sockets, functions) -> snapshot
 *	snapshot -> findings (findings.h), panels (panels.h) -> cmd/watch: screen, text, JSON
 */
#ifndef SKEP_WATCH_WATCHER_H
#define SKEP_WATCH_WATCHER_H

#include <skep/diag.h>

#include "watch/snapshot.h"

struct skep_watcher;

/**
 * Attach the scripts, and note where all counters stand. Scripts that this kernel cannot carry
 * are left out; each reading says why.
 *
 * @diag   empty; not touched unless nothing at all can be attached: why not the first
 * Return  0 | -errno: nothing at all could be attached
 * Cost    some 10 ms a script; the kernel's copies of the maps' values grow with its CPUs
 */
int skep_watcher_open(struct skep_watcher **ret, struct skep_diag *diag);
/** Takes the probes off. NULL is fine. */
void skep_watcher_close(struct skep_watcher *watcher);
/**
 * What happened since the last reading (or opening), into @into, which is emptied first.
 *
 * Where the machine has so many threads or connections that going over them takes more than a
 * hundredth of the time, that is done less often; @whole: but not now.
 */
void skep_watcher_read(struct skep_watcher *watcher, bool whole, struct skep_snapshot *into);
/** CLOCK_MONOTONIC. */
uint64_t skep_watcher_now(void);

#endif
