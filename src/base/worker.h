/*
 * A process of our own for work that could take its process with it, or keep it for ever: reading
 * what is hostile. It is a child of ours without another program, has no descriptors but its own
 * and those it is given, and ends with us. It is asked, and each answer has a deadline.
 *
 *	0, 1, 2  /dev/null
 *	3        the socket to who asks
 *	4...     what the job gives it
 *
 * What it answers is to be believed no more than what it reads: it may have become anything by it.
 *
 * Who asks:   skep_worker_start(), then skep_worker_ask() and skep_worker_receive() for each part
 *             of the answer, time and again. After an error there are no more answers:
 *             skep_worker_stop() tells how it ended.
 * Who works:  job.run() reads questions by skep_work_take(), answers by skep_work_give(), and ends
 *             when either is false.
 */
#ifndef SKEP_BASE_WORKER_H
#define SKEP_BASE_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKEP_WORKER_FD_FIRST 4
#define SKEP_WORKER_FDS_MOST 4

#define SKEP_WORKER_EXIT_SETUP                                                                     \
	126 /* it ended so as it could not begin, mostly for want of
				    * descriptors */

struct skep_worker;

struct skep_worker_job {
	void (*run)(void *ctx);        /* in the child, which ends when it returns */
	void *ctx;                     /* as it is when the child begins */
	int fds[SKEP_WORKER_FDS_MOST]; /* -1: none; borrowed for the start */
	uint32_t n_fds;
	int ending_fd;        /* when it is readable nobody waits for answers; -1: none; borrowed */
	uint32_t answer_ms;   /* for an answer, whole, from the question on; */
	uint32_t busy_ms;     /* as much more as worker and asker were busy, or had no processor */
	uint32_t cpu_seconds; /* for all of them, then SIGXCPU; 0: not bounded */
};

/**
 * Start one.
 *
 * @ret    owned by the caller: skep_worker_stop(), skep_worker_free()
 * Return  0 | -errno of socketpair(), fork()
 * Cost    a millisecond
 */
int skep_worker_start(const struct skep_worker_job *job, struct skep_worker **ret);
/** Ask: the deadline of the answer begins. Return as skep_worker_receive(). */
int skep_worker_ask(struct skep_worker *worker, const void *question, size_t len);
/**
 * All of @len bytes of the answer.
 *
 * Return  0 | -EPIPE it has ended | -ETIMEDOUT it is late | -ECANCELED we are to end
 */
int skep_worker_receive(struct skep_worker *worker, void *to, size_t len);
/**
 * For how long since the last question neither it nor we had anything to do, but wait: nanoseconds.
 * Where the kernel does not tell, how long it is since then. So what a busy machine does is not
 * taken for the worker's doing.
 */
uint64_t skep_worker_waited_ns(const struct skep_worker *worker);
/**
 * Kill it, and wait for its end. One that is in the midst of a call to the kernel that nothing can
 * break, as the reading of a file system that does not answer, ends when that does.
 *
 * @worker      NULL, or NULL within: there is none; freed and made NULL when it has ended
 * @ret_status  of waitpid(); may be NULL; only set when it has ended. One that had ended before it
 *              was killed tells how
 * Return       true: it is gone | false: not yet; call again, later
 */
bool skep_worker_stop(struct skep_worker **worker, int *ret_status);
/** The same of one that was stopped, without waiting: is it gone by now? */
bool skep_worker_is_over(struct skep_worker **worker);
/** Stop it, and free it in any case: one that is not gone will be when we are. NULL is fine. */
void skep_worker_free(struct skep_worker *worker);

/* --- In the child ---------------------------------------------------------------------------- */

/** Read a question of @len bytes. False: there are no more. */
bool skep_work_take(void *to, size_t len);
/** A part of the answer. False: nobody wants it any more. */
bool skep_work_give(const void *data, size_t len);
/** From here on only @bytes more than it has. Ends the process if that cannot be. Before
 *  skep_work_seal(). */
void skep_work_bound_memory(uint64_t bytes);
/**
 * From here on the process has no capabilities and can get none, and makes no calls to the kernel
 * but those that read and write what it has open, get memory, and end it: any other one ends it by
 * SIGSYS. To be said before it reads what is hostile.
 */
void skep_work_seal(void);

#endif
