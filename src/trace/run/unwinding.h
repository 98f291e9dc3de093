/*
 * What a script whose user stacks are taken by call frame information needs
 * beside it: the tables of what runs, kept in the maps that its programs walk
 * by, and answers to what they ask for.
 */
#ifndef SKEP_TRACE_UNWINDING_H
#define SKEP_TRACE_UNWINDING_H

#include "interp/names.h"
#include "trace/program.h"
#include "unwind/tracker.h"

struct skep_diag;
struct skep_session;
struct skep_unwinding;

/**
 * Begin; before the probes are attached.
 *
 * @ret    *ret is NULL where the script takes no such stacks
 * Return  0 | -EPERM, -EACCES what processes map is not ours to know | -errno; told in @diag
 */
int skep_unwinding_open(const struct skep_trace_program *program,
			const struct skep_session *session, struct skep_unwinding **ret,
			struct skep_diag *diag);
void skep_unwinding_free(struct skep_unwinding *unwinding);
/** Have what a process' stacks need, before they are taken; those of others come when they are
 *  asked for, and their first stacks end early. */
void skep_unwinding_prepare(struct skep_unwinding *unwinding, pid_t pid);
/** As of its tracker (unwind/tracker.h). NULL is fine; who listens to it hears nothing: false. */
void skep_unwinding_relax(struct skep_unwinding *unwinding);
bool skep_unwinding_listen(struct skep_unwinding *unwinding, skep_perf_record_fn fn, void *ctx);
void skep_unwinding_catch_up(struct skep_unwinding *unwinding);
/** To be polled for reading; -1: nothing to wait for. */
int skep_unwinding_fd(const struct skep_unwinding *unwinding);
/** Do what there is to do; when that is readable, or at any time. */
void skep_unwinding_step(struct skep_unwinding *unwinding);
/** Names of interpreters' frames; NULL: such are not taken. */
struct skep_interp_names *skep_unwinding_names(const struct skep_unwinding *unwinding);
/** What was lost, by its cause. */
struct skep_unwind_losses skep_unwinding_losses(const struct skep_unwinding *unwinding);

#endif
