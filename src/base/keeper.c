/* See keeper.h. */
#include "base/keeper.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

#define NS_IN_MS   1000000u
#define ANSWERS    4   /* as long as so many answers may take, all may wait at first */
#define SHARE      100 /* and later one part of so many of the time */
#define QUICK_PART 50  /* of the time that an answer may take: costs nothing */

static uint64_t answer_ns(const struct skep_keeper *keeper)
{
	return (uint64_t)keeper->job.answer_ms * NS_IN_MS;
}

void skep_keeper_init(struct skep_keeper *ret, const struct skep_worker_job *job)
{
	*ret = (struct skep_keeper){.job = *job};
	ret->budget_ns = ANSWERS * answer_ns(ret);
	ret->filled_ns = skep_clock_ns();
}

/* How many of those that were stopped are still there. */
static uint32_t count_left(struct skep_keeper *keeper)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < SKEP_KEEPER_LEFT_MOST; i++)
		n += !skep_worker_is_over(&keeper->left[i]);
	return n;
}

static void stop(struct skep_keeper *keeper)
{
	if (skep_worker_stop(&keeper->worker, NULL))
		return;
	for (uint32_t i = 0; i < SKEP_KEEPER_LEFT_MOST; i++) {
		if (keeper->left[i])
			continue;
		keeper->left[i] = keeper->worker;
		keeper->worker = NULL;
		return;
	}
}

void skep_keeper_done(struct skep_keeper *keeper)
{
	skep_worker_free(keeper->worker);
	for (uint32_t i = 0; i < SKEP_KEEPER_LEFT_MOST; i++)
		skep_worker_free(keeper->left[i]);
	*keeper = (struct skep_keeper){0};
}

/* --- Time ------------------------------------------------------------------------------------ */

static void fill(struct skep_keeper *keeper, uint64_t now)
{
	uint64_t more = (now - keeper->filled_ns) / SHARE, most = ANSWERS * answer_ns(keeper);

	keeper->filled_ns += more * SHARE;
	keeper->budget_ns += more;
	if (keeper->budget_ns > most)
		keeper->budget_ns = most;
}

static struct skep_keeper_slow *find_slow(struct skep_keeper *keeper, uint64_t who)
{
	for (uint32_t i = 0; i < keeper->n_slow && i < SKEP_KEEPER_SLOW_MOST; i++) {
		if (keeper->slow[i].who == who)
			return &keeper->slow[i];
	}
	return NULL;
}

static uint64_t spent_at(const struct skep_keeper_slow *slow, uint64_t now)
{
	uint64_t less = (now - slow->at_ns) / SHARE;

	return slow->spent_ns > less ? slow->spent_ns - less : 0;
}

static void charge(struct skep_keeper *keeper, uint64_t spent_ns, uint64_t now, bool is_over)
{
	struct skep_keeper_slow *slow = find_slow(keeper, keeper->who);

	keeper->budget_ns -= spent_ns < keeper->budget_ns ? spent_ns : keeper->budget_ns;
	if (!slow) {
		slow = &keeper->slow[keeper->n_slow++ % SKEP_KEEPER_SLOW_MOST];
		*slow = (struct skep_keeper_slow){.who = keeper->who, .at_ns = now};
	}
	slow->spent_ns = spent_at(slow, now) + spent_ns;
	slow->at_ns = now;
	slow->is_over |= is_over;
}

static bool has_time(struct skep_keeper *keeper, uint64_t who)
{
	const struct skep_keeper_slow *slow = find_slow(keeper, who);
	uint64_t now = skep_clock_ns(), most = answer_ns(keeper);

	fill(keeper, now);
	return keeper->budget_ns >= most &&
	       (!slow || (!slow->is_over && spent_at(slow, now) < most));
}

/* --- Asking ---------------------------------------------------------------------------------- */

static int begin(struct skep_keeper *keeper)
{
	if (keeper->worker)
		return 0;
	if (count_left(keeper) == SKEP_KEEPER_LEFT_MOST)
		return -EBUSY;
	return skep_worker_start(&keeper->job, &keeper->worker);
}

int skep_keeper_ask(struct skep_keeper *keeper, uint64_t who, const void *question, size_t len)
{
	keeper->asked_ns = 0;
	if (!has_time(keeper, who))
		return -EBUSY;
	int err = begin(keeper);
	if (err)
		return err;
	keeper->who = who;
	keeper->asked_ns = skep_clock_ns();
	return skep_worker_ask(keeper->worker, question, len);
}

int skep_keeper_receive(struct skep_keeper *keeper, void *to, size_t len)
{
	return skep_worker_receive(keeper->worker, to, len);
}

/* To begin another one takes time, too: it costs as much as being late. */
int skep_keeper_end(struct skep_keeper *keeper, int err)
{
	if (!keeper->asked_ns) /* it was not asked */
		return err;
	uint64_t now = skep_clock_ns(), cost = now - keeper->asked_ns, most = answer_ns(keeper);
	if (cost < most / QUICK_PART)
		cost = 0;
	else if (keeper->worker)
		cost = skep_worker_waited_ns(keeper->worker);
	bool is_its_doing = err && (err != -ETIMEDOUT || cost >= most / 2);
	if (err)
		stop(keeper);
	if (err && cost < most)
		cost = most;
	if (cost)
		charge(keeper, cost, now, is_its_doing);
	return err;
}
