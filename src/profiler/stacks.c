/*
 * Which stacks may leave the kernel's memory. A stack has its number for as long as it is there, so
 * samples of an interval whose stack came before need it still. What one interval has seen and the
 * next has not is nobody's: unless it comes in the moment between the reading of samples and its
 * removal. Now and then all that there are count as seen, so that those go, too, whose sample was
 * lost.
 */
#include "profiler/impl.h"

#define LOOK_AT_ALL_EACH 64 /* intervals */

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void skep_stacks_see(struct skep_stacks_seen *seen, const struct skep_stack_key *kernel,
		     const struct skep_stack_key *user)
{
	if (kernel->stack_id != UINT32_MAX)
		skep_vec_push(&seen->now.of[false], kernel->stack_id);
	if (user->stack_id != UINT32_MAX)
		skep_vec_push(&seen->now.of[true], user->stack_id);
}

static void sort(struct skep_stack_ids *ids, bool user)
{
	if (ids->of[user].len)
		qsort(ids->of[user].data, ids->of[user].len, sizeof(uint32_t), by_number);
}

static bool has(const struct skep_stack_ids *ids, bool user, uint32_t id)
{
	return ids->of[user].len &&
	       bsearch(&id, ids->of[user].data, ids->of[user].len, sizeof(uint32_t), by_number);
}

static void see_all(struct skep_stack_ids *ids, bool user, const struct skep_map_reader *maps)
{
	uint32_t id, next;

	if (skep_map_stack_next(maps, user, NULL, &next))
		return;
	do {
		id = next;
		skep_vec_push(&ids->of[user], id);
	} while (!skep_map_stack_next(maps, user, &id, &next));
}

void skep_stacks_forget(struct skep_stacks_seen *seen, const struct skep_map_reader *maps)
{
	bool looks_at_all = seen->intervals++ % LOOK_AT_ALL_EACH == LOOK_AT_ALL_EACH - 1;

	for (int user = 0; user < 2; user++) {
		sort(&seen->now, user);
		skep_vec_foreach (uint32_t, id, &seen->before.of[user]) {
			if (!has(&seen->now, user, *id))
				skep_map_stack_forget(maps, user, *id);
		}
		skep_vec_done(&seen->before.of[user]);
		if (looks_at_all)
			see_all(&seen->now, user, maps);
	}
	seen->before = seen->now;
	seen->now = (struct skep_stack_ids){0};
}

void skep_stacks_seen_done(struct skep_stacks_seen *seen)
{
	for (int user = 0; user < 2; user++) {
		skep_vec_done(&seen->before.of[user]);
		skep_vec_done(&seen->now.of[user]);
	}
}
