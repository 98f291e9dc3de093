/*
 * Which stacks may leave the kernel's memory. A stack has its number for as long as it is there, so
 * samples of an interval whose stack came before need it still. What one interval has seen and the
 * next has not is nobody's: unless it comes in the moment between the reading of samples and its
 * removal. Now and then all that there are count as seen, so that those go, too, whose sample was
 * lost. What an interpreter runs is a stack of its own, to which several refer: it is seen with
 * each of these.
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
		skep_vec_push(&seen->now.of[SKEP_STACK_KERNEL], kernel->stack_id);
	if (user->stack_id != UINT32_MAX)
		skep_vec_push(&seen->now.of[SKEP_STACK_USER], user->stack_id);
}

/* Each number once. */
static void sort(struct skep_stack_ids *ids, enum skep_stack_kind kind)
{
	uint32_t *data = ids->of[kind].data;
	size_t n = ids->of[kind].len, n_left = 0;

	if (!n)
		return;
	qsort(data, n, sizeof(*data), by_number);
	for (size_t i = 0; i < n; i++) {
		if (!n_left || data[n_left - 1] != data[i])
			data[n_left++] = data[i];
	}
	ids->of[kind].len = n_left;
}

static bool has(const struct skep_stack_ids *ids, enum skep_stack_kind kind, uint32_t id)
{
	return ids->of[kind].len &&
	       bsearch(&id, ids->of[kind].data, ids->of[kind].len, sizeof(uint32_t), by_number);
}

static void see_all(struct skep_stack_ids *ids, enum skep_stack_kind kind,
		    const struct skep_map_reader *maps)
{
	uint32_t id, next;

	if (skep_map_stack_next(maps, kind, NULL, &next))
		return;
	do {
		id = next;
		skep_vec_push(&ids->of[kind], id);
	} while (!skep_map_stack_next(maps, kind, &id, &next));
}

/* Of the user stacks that are seen, which are sorted: each is read for that, if there are any. */
static void see_chains(struct skep_stack_ids *ids, const struct skep_map_reader *maps)
{
	uint32_t some;

	if (skep_map_stack_next(maps, SKEP_STACK_CHAIN, NULL, &some))
		return;
	skep_vec_foreach (uint32_t, id, &ids->of[SKEP_STACK_USER]) {
		uint32_t chain = skep_map_stack_chain(maps, *id);
		if (chain)
			skep_vec_push(&ids->of[SKEP_STACK_CHAIN], chain);
	}
}

static void forget_unseen(const struct skep_stacks_seen *seen, enum skep_stack_kind kind,
			  const struct skep_map_reader *maps)
{
	skep_vec_foreach (uint32_t, id, &seen->before.of[kind]) {
		if (!has(&seen->now, kind, *id))
			skep_map_stack_forget(maps, kind, *id);
	}
}

static void ids_done(struct skep_stack_ids *ids)
{
	for (int kind = 0; kind < SKEP_STACK_KIND_CNT; kind++)
		skep_vec_done(&ids->of[kind]);
}

/* Chains last: user stacks say which there are. */
void skep_stacks_forget(struct skep_stacks_seen *seen, const struct skep_map_reader *maps)
{
	bool looks_at_all = seen->intervals++ % LOOK_AT_ALL_EACH == LOOK_AT_ALL_EACH - 1;

	for (int kind = 0; kind < SKEP_STACK_KIND_CNT; kind++) {
		if (kind == SKEP_STACK_CHAIN)
			see_chains(&seen->now, maps);
		sort(&seen->now, kind);
		forget_unseen(seen, kind, maps);
		if (looks_at_all)
			see_all(&seen->now, kind, maps);
		sort(&seen->now, kind);
	}
	ids_done(&seen->before);
	seen->before = seen->now;
	seen->now = (struct skep_stack_ids){0};
}

void skep_stacks_seen_done(struct skep_stacks_seen *seen)
{
	ids_done(&seen->before);
	ids_done(&seen->now);
}
