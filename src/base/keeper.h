/*
 * A worker (worker.h) that is asked about many, of whom some may be hostile: one that is late or
 * breaks is stopped, and another begun when it is needed.
 *
 * Bounded is the time that all the waiting takes. Whom a question is about has as much as one
 * answer may take; all together have four times that; and both a hundredth of the time that goes
 * by. Who has no more is asked about nothing for a while; who was late, or broke the worker, not as
 * long as it is remembered. What comes within a fiftieth of the time that an answer may take costs
 * nothing, and neither does what the worker has no processor for.
 */
#ifndef SKEP_BASE_KEEPER_H
#define SKEP_BASE_KEEPER_H

#include "base/worker.h"

#define SKEP_KEEPER_SLOW_MOST 64 /* that are remembered to have been slow */
#define SKEP_KEEPER_LEFT_MOST 8

struct skep_keeper {
	struct skep_worker_job job;
	struct skep_worker *worker;                      /* owned; NULL: none is begun */
	struct skep_worker *left[SKEP_KEEPER_LEFT_MOST]; /* owned: stopped, but not gone */
	uint64_t budget_ns, filled_ns, asked_ns;
	uint64_t who; /* of the last question */
	struct skep_keeper_slow {
		uint64_t who, spent_ns, at_ns; /* what it had spent then, which gets less */
		bool is_over;
	} slow[SKEP_KEEPER_SLOW_MOST];
	uint32_t n_slow;
};

/** Nothing is begun yet. What the job refers to is borrowed until skep_keeper_done(). */
void skep_keeper_init(struct skep_keeper *ret, const struct skep_worker_job *job);
void skep_keeper_done(struct skep_keeper *keeper);
/**
 * Ask about @who; then skep_keeper_receive() each part of the answer, and skep_keeper_end() in any
 * case, with what came of it.
 *
 * Return  0 | -EBUSY there is no more time for it | as skep_worker_start(), skep_worker_ask()
 */
int skep_keeper_ask(struct skep_keeper *keeper, uint64_t who, const void *question, size_t len);
int skep_keeper_receive(struct skep_keeper *keeper, void *to, size_t len);
/** An error, by the worker or in its answer, stops it. Return @err */
int skep_keeper_end(struct skep_keeper *keeper, int err);

#endif
