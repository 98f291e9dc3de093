/*
 * Which stack slots are read again before they are overwritten: live. Of the others a state need
 * not be told apart from another.
 *
 * Unlike registers, slots are reached through pointers, also by functions that are called; which
 * ones an instruction touches only the walk finds out. So the walk notes, at each instruction,
 *
 *	may_read     slots that it read at least once
 *	must_write   slots that it overwrote wholly, each time that it was come to
 *
 * and of these follows, until nothing changes, for the instructions s that i leads to
 *
 *	live(i)     = (union of live(s) without must_write(i)) with may_read(i)
 *	written(i)  = (intersection of written(s)) with must_write(i)
 *
 * A function is another one for each chain of calls that leads to it: what it touches of its
 * callers' stacks depends on what they gave it. Such an instance has four masks for each frame of
 * the chain and each of its instructions that count (live_graph.h). What an instance begins with is
 * what the call of it does: there live(first) is read, and written(first) is overwritten.
 *
 * Masks settle at each end of a path and each return. They only come to say more is live, so that
 * what was concluded of states all of whose paths have ended (who else is asked about?) holds.
 *
 * What was not noted is not read: whoever looks at a slot must say so, in verify_note_stack_read().
 *
 * Source  behaviour of Linux 6.18, kernel/bpf/liveness.c
 */
#include "verify/live_graph.h"

#include <stdlib.h>
#include <string.h>

struct masks {
	uint64_t may_read, must_write, written, live;
};

/* How a function was come to: its calls, outermost first, and where it begins itself. */
struct chain {
	uint32_t n_frames;
	uint32_t at[SKEP_MOST_FRAMES];
	uint32_t func; /* on top */
};

struct instance {
	struct instance *next; /* of the same bucket */
	struct chain chain;
	bool changed, write_dropped;
	uint64_t *visited;      /* bits */
	struct masks *frames[]; /* by frame of the chain, of each node; NULL: nothing noted; behind
				 * the masks a bit a node: what follows of it may change */
};

#define WORD_BITS     64
#define FIRST_BUCKETS 256 /* a power of 2, as are all */

struct live_stack {
	struct live_graph graph;
	struct instance **buckets; /* [n_buckets]; no fewer than instances */
	uint32_t n_buckets, n_instances;
	struct instance *current; /* of the path under way; NULL: to be looked for */
	uint64_t writes[SKEP_MOST_FRAMES];
	bool has_writes;
	uint32_t at; /* whose writes they are */
	/* asked last */
	struct chain asked;
	struct instance *answers[SKEP_MOST_FRAMES];
};

/* --- Bits ------------------------------------------------------------------------------------ */

static size_t bit_words(uint32_t n)
{
	return (n + WORD_BITS - 1) / WORD_BITS;
}

static bool has_bit(const uint64_t *words, uint32_t i)
{
	return words[i / WORD_BITS] >> i % WORD_BITS & 1;
}

static void set_bit(uint64_t *words, uint32_t i)
{
	words[i / WORD_BITS] |= 1ull << i % WORD_BITS;
}

/* Take out the first at @from or behind it. Return which; @n: there is none */
static uint32_t take_bit(uint64_t *words, uint32_t from, uint32_t n)
{
	uint32_t w = from / WORD_BITS;
	uint64_t word = from < n ? words[w] & UINT64_MAX << from % WORD_BITS : 0;

	while (!word && ++w < bit_words(n))
		word = words[w];
	if (!word)
		return n;
	words[w] &= ~(word & -word);
	return w * WORD_BITS + (uint32_t)__builtin_ctzll(word);
}

/* --- Instances ------------------------------------------------------------------------------- */

static struct chain chain_of(const struct verifier *v, const struct state *state, uint32_t frame)
{
	struct chain chain = {.n_frames = frame + 1, .func = state->frames[frame]->func};

	for (uint32_t f = 0; f < frame; f++)
		chain.at[f] = state->frames[f + 1]->call_at;
	chain.at[frame] = v->funcs[chain.func].start;
	return chain;
}

static bool same_chain(const struct chain *a, const struct chain *b)
{
	return a->n_frames == b->n_frames && !memcmp(a->at, b->at, a->n_frames * sizeof(*a->at));
}

static struct instance **bucket_of(const struct live_stack *live, const struct chain *chain)
{
	uint64_t hash = 0;

	for (uint32_t f = 0; f < chain->n_frames; f++)
		hash = (hash ^ chain->at[f]) * 0x9e3779b97f4a7c15;
	return &live->buckets[hash >> 32 & (live->n_buckets - 1)];
}

/* A function that is called from many places has an instance for each. */
static void add_buckets(struct verifier *v)
{
	struct live_stack *live = v->live_stack;
	struct instance **old = live->buckets;
	uint32_t n = live->n_buckets;

	live->n_buckets = n ? n * 2 : FIRST_BUCKETS;
	live->buckets = skep_arena_array(&v->arena, struct instance *, live->n_buckets);
	for (uint32_t b = 0; b < n; b++) {
		for (struct instance *instance = old[b], *next; instance; instance = next) {
			struct instance **bucket = bucket_of(live, &instance->chain);

			next = instance->next;
			instance->next = *bucket;
			*bucket = instance;
		}
	}
}

static uint32_t nodes_of(const struct verifier *v, const struct instance *instance)
{
	const uint32_t *first = &v->live_stack->graph.first[instance->chain.func];

	return first[1] - first[0];
}

/* Of its nodes, the one that @at is, or leads to as if it were not there. */
static uint32_t node_of(const struct verifier *v, const struct instance *instance, uint32_t at)
{
	const struct live_graph *graph = &v->live_stack->graph;

	return graph->node_of[at] - graph->first[instance->chain.func];
}

static struct instance *instance_of(struct verifier *v, const struct chain *chain)
{
	struct instance **bucket = bucket_of(v->live_stack, chain), *instance;

	for (instance = *bucket; instance; instance = instance->next)
		if (same_chain(&instance->chain, chain))
			return instance;
	if (++v->live_stack->n_instances > v->live_stack->n_buckets) {
		add_buckets(v);
		bucket = bucket_of(v->live_stack, chain);
	}
	instance = skep_arena_alloc(&v->arena, sizeof(*instance) +
						       chain->n_frames * sizeof(*instance->frames));
	instance->chain = *chain;
	instance->visited = skep_arena_array(&v->arena, uint64_t, bit_words(nodes_of(v, instance)));
	instance->next = *bucket;
	*bucket = instance;
	return instance;
}

static struct instance *instance_at(struct verifier *v, const struct state *state, uint32_t frame)
{
	struct chain chain = chain_of(v, state, frame);

	return instance_of(v, &chain);
}

/* A call makes another instance the current one. */
static struct instance *current(struct verifier *v)
{
	struct live_stack *live = v->live_stack;
	uint32_t n_frames = v->state->n_frames;

	if (!live->current || live->current->chain.n_frames != n_frames)
		live->current = instance_at(v, v->state, n_frames - 1);
	return live->current;
}

static uint32_t start_of(const struct verifier *v, const struct instance *instance)
{
	return v->funcs[instance->chain.func].start;
}

/* NULL: nothing was noted of that frame */
static struct masks *masks_at(const struct verifier *v, const struct instance *instance,
			      uint32_t frame, uint32_t at)
{
	struct masks *masks = instance->frames[frame];

	return masks ? &masks[node_of(v, instance, at)] : NULL;
}

static struct masks *make_masks(struct verifier *v, struct instance *instance, uint32_t frame,
				uint32_t at)
{
	uint32_t n = nodes_of(v, instance);

	if (!instance->frames[frame])
		instance->frames[frame] = skep_arena_alloc(
			&v->arena, n * sizeof(struct masks) + bit_words(n) * sizeof(uint64_t));
	return masks_at(v, instance, frame, at);
}

static uint64_t *unsettled_of(const struct verifier *v, struct instance *instance, uint32_t frame)
{
	return (uint64_t *)(instance->frames[frame] + nodes_of(v, instance));
}

/* What was noted at @at changes what follows of it. */
static void unsettle(struct verifier *v, struct instance *instance, uint32_t frame, uint32_t at)
{
	instance->changed = true;
	set_bit(unsettled_of(v, instance, frame), node_of(v, instance, at));
}

/* --- Notes ----------------------------------------------------------------------------------- */

static void note_read(struct verifier *v, struct instance *instance, uint32_t frame, uint32_t at,
		      uint64_t mask)
{
	struct masks *masks = make_masks(v, instance, frame, at);

	if (mask & ~masks->may_read & ~masks->live)
		unsettle(v, instance, frame, at);
	masks->may_read |= mask;
}

void verify_note_stack_read(struct verifier *v, uint32_t frame, uint64_t mask)
{
	note_read(v, current(v), frame, v->at, mask);
}

void verify_note_stack_write(struct verifier *v, uint32_t frame, uint64_t mask)
{
	v->live_stack->writes[frame] |= mask;
	v->live_stack->has_writes = true;
}

/* @at was come to, and overwrote @mask of @frame: that, and what it did each time before. */
static void note_write(struct verifier *v, struct instance *instance, uint32_t frame, uint32_t at,
		       uint64_t mask)
{
	bool visited = has_bit(instance->visited, node_of(v, instance, at));
	struct masks *masks;

	if (!mask && (!visited || !instance->frames[frame]))
		return;
	masks = make_masks(v, instance, frame, at);
	if (visited)
		mask &= masks->must_write;
	if (masks->must_write != mask)
		unsettle(v, instance, frame, at);
	instance->write_dropped |= (masks->must_write & ~mask) != 0;
	masks->must_write = mask;
}

void verify_live_stack_begin(struct verifier *v)
{
	struct live_stack *live = v->live_stack;

	live->at = v->at;
	if (!live_graph_has(&live->graph, v->at))
		return;
	current(v);
	if (live->has_writes)
		memset(live->writes, 0, sizeof(live->writes));
	live->has_writes = false;
}

/* Of a call of one of the program's functions, the function itself tells what it writes. */
void verify_live_stack_end(struct verifier *v)
{
	struct live_stack *live = v->live_stack;
	struct instance *instance = live->current;

	if (!instance || instance->chain.n_frames != v->state->n_frames ||
	    !live_graph_has(&live->graph, live->at))
		return;
	for (uint32_t f = 0; f < instance->chain.n_frames; f++)
		note_write(v, instance, f, live->at, live->writes[f]);
	set_bit(instance->visited, node_of(v, instance, live->at));
}

/* --- In the log ------------------------------------------------------------------------------ */

static bool is_logged(const struct verifier *v)
{
	return v->log && v->level & 2;
}

static void log_chain(struct verifier *v, const struct chain *chain)
{
	for (uint32_t f = 0; f < chain->n_frames; f++)
		verify_log(v, "%s%u", f ? "," : "(", chain->at[f]);
	verify_log(v, ")");
}

static void log_slots(struct verifier *v, char sign, const char *what, uint64_t slots)
{
	const char *separator = "";

	verify_log(v, "%c%s ", sign, what);
	for (int s = 0; s < MOST_SLOTS; s++) {
		if (!(slots >> s & 1))
			continue;
		verify_log(v, "%s%d", separator, -SLOT_BYTES * (s + 1));
		separator = ",";
	}
}

struct place {
	struct instance *instance;
	uint32_t frame, node; /* of the instance's nodes */
};

static uint32_t place_insn(const struct verifier *v, const struct place *place)
{
	const struct live_graph *graph = &v->live_stack->graph;

	return graph->at[graph->first[place->instance->chain.func] + place->node];
}

static void log_change(struct verifier *v, const struct place *place, const char *what,
		       uint64_t before, uint64_t now)
{
	if (before == now)
		return;
	log_chain(v, &place->instance->chain);
	verify_log(v, " frame %u insn %u ", place->frame, place_insn(v, place));
	if (now & ~before) {
		log_slots(v, '+', what, now & ~before);
		verify_log(v, " ");
	}
	if (before & ~now)
		log_slots(v, '-', what, before & ~now);
	verify_log(v, "\n");
}

static void log_masks(struct verifier *v, const struct place *place, const struct masks *before,
		      const struct masks *now)
{
	uint32_t at = place_insn(v, place);

	if (!now->may_read && !now->must_write && at != start_of(v, place->instance) &&
	    !v->facts[at].prune_point)
		return;
	log_change(v, place, "live", before->live, now->live);
	log_change(v, place, "written", before->written, now->written);
}

/* --- What follows ---------------------------------------------------------------------------- */

/* What is overwritten of its own frame nobody asks a function for, but who reads the log. */
static bool tells_written(const struct verifier *v, const struct instance *instance, uint32_t frame)
{
	return frame + 1 < instance->chain.n_frames || is_logged(v);
}

static bool update(struct verifier *v, const struct place *place)
{
	const struct live_graph *graph = &v->live_stack->graph;
	uint32_t first = graph->first[place->instance->chain.func];
	const uint32_t *next = graph->flow.next[first + place->node];
	struct masks *all = place->instance->frames[place->frame], *masks = &all[place->node];
	struct masks before = *masks;
	uint64_t live = 0, written = UINT64_MAX;

	if (next[0] == NOWHERE)
		return false;
	for (unsigned i = 0; i < FLOW_WAYS && next[i] != NOWHERE; i++) {
		live |= all[next[i] - first].live;
		written &= all[next[i] - first].written;
	}
	masks->live = (live & ~masks->must_write) | masks->may_read;
	if (tells_written(v, place->instance, place->frame))
		masks->written = written | masks->must_write;
	if (is_logged(v))
		log_masks(v, place, &before, masks);
	return masks->live != before.live || masks->written != before.written;
}

/* What leads to it is to be looked at again. */
static void unsettle_preds(struct verifier *v, const struct place *place)
{
	const struct live_graph *graph = &v->live_stack->graph;
	uint32_t first = graph->first[place->instance->chain.func], node = first + place->node;
	uint64_t *unsettled = unsettled_of(v, place->instance, place->frame);

	for (uint32_t i = graph->flow.first_pred[node]; i < graph->flow.first_pred[node + 1]; i++)
		set_bit(unsettled, graph->flow.preds[i] - first);
}

/* Where less is overwritten than was thought, what follows must be found anew. */
static void forget_written(struct verifier *v, struct instance *instance)
{
	for (uint32_t f = 0; f < instance->chain.n_frames; f++) {
		if (!instance->frames[f] || !tells_written(v, instance, f))
			continue;
		for (uint32_t i = 0; i < nodes_of(v, instance); i++) {
			instance->frames[f][i].written = 0;
			set_bit(unsettled_of(v, instance, f), i);
		}
	}
}

/* Return whether something changed: then there is another round, for what was passed already. The
 * kernel looks at all instructions in each; how many rounds it takes, which the log tells, is the
 * same. */
static bool one_round(struct verifier *v, struct instance *instance, uint32_t f)
{
	uint32_t n = nodes_of(v, instance);
	uint64_t *unsettled = unsettled_of(v, instance, f);
	bool changed = false;

	for (uint32_t i = take_bit(unsettled, 0, n); i < n; i = take_bit(unsettled, i + 1, n)) {
		const struct place place = {instance, f, i};

		if (!update(v, &place))
			continue;
		changed = true;
		unsettle_preds(v, &place);
	}
	return changed;
}

static bool all_frames(struct verifier *v, struct instance *instance)
{
	bool changed = false;

	for (uint32_t f = 0; f < instance->chain.n_frames; f++)
		if (instance->frames[f])
			changed |= one_round(v, instance, f);
	return changed;
}

static void settle(struct verifier *v, struct instance *instance)
{
	unsigned rounds = 1;

	if (instance->write_dropped)
		forget_written(v, instance);
	while (all_frames(v, instance))
		rounds++;
	if (is_logged(v)) {
		log_chain(v, &instance->chain);
		verify_log(v, " live stack update done in %u iterations\n", rounds);
	}
}

/* What it does to its callers' frames, its call does. */
static void tell_caller(struct verifier *v, struct instance *instance, struct instance *outer)
{
	uint32_t first = start_of(v, instance),
		 call = instance->chain.at[outer->chain.n_frames - 1];

	for (uint32_t f = 0; f < outer->chain.n_frames; f++) {
		const struct masks *masks = masks_at(v, instance, f, first);

		if (masks)
			note_read(v, outer, f, call, masks->live);
		note_write(v, outer, f, call, masks ? masks->written : 0);
	}
	set_bit(outer->visited, node_of(v, outer, call));
}

void verify_live_stack_update(struct verifier *v)
{
	v->live_stack->current = NULL;
	for (uint32_t f = v->state->n_frames; f-- > 0;) {
		struct instance *instance = instance_at(v, v->state, f);

		if (!instance->changed)
			continue;
		settle(v, instance);
		if (f)
			tell_caller(v, instance, instance_at(v, v->state, f - 1));
		instance->changed = instance->write_dropped = false;
	}
}

/* --- Questions ------------------------------------------------------------------------------- */

static void ask(struct verifier *v, const struct state *state)
{
	struct live_stack *live = v->live_stack;
	struct chain chain = chain_of(v, state, state->n_frames - 1);

	if (same_chain(&live->asked, &chain))
		return;
	live->asked = chain;
	for (uint32_t f = 0; f < state->n_frames; f++)
		live->answers[f] = instance_at(v, state, f);
}

static uint64_t live_at(const struct verifier *v, const struct instance *instance, uint32_t at,
			uint32_t frame)
{
	const struct masks *masks = masks_at(v, instance, frame, at);

	return masks ? masks->live : 0;
}

/* Behind the calls that lead here the frame's owner, and those between, go on; a call that calls
 * back is come to once more. */
uint64_t verify_live_slots(struct verifier *v, const struct state *state, uint32_t frame)
{
	const struct live_stack *live = v->live_stack;
	uint32_t top = state->n_frames - 1;
	uint64_t slots;

	ask(v, state);
	slots = live_at(v, live->answers[top], state->at, frame);
	for (uint32_t f = frame; f < top; f++) {
		uint32_t call = live->asked.at[f];

		slots |= live_at(v, live->answers[f],
				 v->facts[call].calls_callback ? call : call + 1, frame);
	}
	return slots;
}

int verify_live_stack(struct verifier *v)
{
	v->live_stack = skep_arena_new(&v->arena, struct live_stack);
	verify_live_graph(v, &v->live_stack->graph);
	add_buckets(v);
	return 0;
}
