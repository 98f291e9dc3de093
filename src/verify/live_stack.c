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
 * callers' stacks depends on what they gave it. Such an instance has four masks for each of its
 * instructions and each frame of the chain. What an instance begins with is what the call of it
 * does: there live(first) is read, and written(first) is overwritten.
 *
 * Masks settle at each end of a path and each return. They only come to say more is live, so that
 * what was concluded of states all of whose paths have ended (who else is asked about?) holds.
 *
 * What was not noted is not read: whoever looks at a slot must say so, in verify_note_stack_read().
 *
 * Source  behaviour of Linux 6.18, kernel/bpf/liveness.c
 */
#include "verify/flow.h"

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
	/* in v->order: masks before it are settled; UINT32_MAX: all are */
	uint32_t unsettled[SKEP_MOST_FRAMES];
	struct masks *frames[SKEP_MOST_FRAMES]; /* of each instruction; NULL: nothing noted */
	bool *visited;                          /* of each instruction */
};

#define FIRST_BUCKETS 256 /* a power of 2, as are all */

struct live_stack {
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

static uint32_t insns_of(const struct verifier *v, const struct instance *instance)
{
	const struct func_facts *func = &v->funcs[instance->chain.func];

	return func->end - func->start;
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
	instance = skep_arena_new(&v->arena, struct instance);
	instance->chain = *chain;
	memset(instance->unsettled, 0xff, sizeof(instance->unsettled));
	instance->visited = skep_arena_array(&v->arena, bool, insns_of(v, instance));
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

	return masks ? &masks[at - start_of(v, instance)] : NULL;
}

static struct masks *make_masks(struct verifier *v, struct instance *instance, uint32_t frame,
				uint32_t at)
{
	if (!instance->frames[frame])
		instance->frames[frame] =
			skep_arena_array(&v->arena, struct masks, insns_of(v, instance));
	return masks_at(v, instance, frame, at);
}

/* What was noted at @at changes what follows of it. */
static void unsettle(struct verifier *v, struct instance *instance, uint32_t frame, uint32_t at)
{
	instance->changed = true;
	if (v->order_of[at] < instance->unsettled[frame])
		instance->unsettled[frame] = v->order_of[at];
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
	bool visited = instance->visited[at - start_of(v, instance)];
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

	if (!instance || instance->chain.n_frames != v->state->n_frames)
		return;
	for (uint32_t f = 0; f < instance->chain.n_frames; f++)
		note_write(v, instance, f, live->at, live->writes[f]);
	instance->visited[live->at - start_of(v, instance)] = true;
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
	uint32_t frame, at;
};

static void log_change(struct verifier *v, const struct place *place, const char *what,
		       uint64_t before, uint64_t now)
{
	if (before == now)
		return;
	log_chain(v, &place->instance->chain);
	verify_log(v, " frame %u insn %u ", place->frame, place->at);
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
	if (!now->may_read && !now->must_write && place->at != start_of(v, place->instance) &&
	    !v->facts[place->at].prune_point)
		return;
	log_change(v, place, "live", before->live, now->live);
	log_change(v, place, "written", before->written, now->written);
}

/* --- What follows ---------------------------------------------------------------------------- */

static bool update(struct verifier *v, const struct place *place)
{
	struct masks *masks = masks_at(v, place->instance, place->frame, place->at);
	struct masks before = *masks;
	uint64_t live = 0, written = UINT64_MAX;
	uint32_t next[2];
	unsigned n = flow_successors(v, place->at, next);

	if (!n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		const struct masks *s = masks_at(v, place->instance, place->frame, next[i]);

		live |= s->live;
		written &= s->written;
	}
	masks->live = (live & ~masks->must_write) | masks->may_read;
	masks->written = written | masks->must_write;
	if (is_logged(v))
		log_masks(v, place, &before, masks);
	return masks->live != before.live || masks->written != before.written;
}

/* Where less is overwritten than was thought, what follows must be found anew. */
static void forget_written(struct verifier *v, struct instance *instance)
{
	for (uint32_t f = 0; f < instance->chain.n_frames; f++) {
		if (!instance->frames[f])
			continue;
		for (uint32_t i = 0; i < insns_of(v, instance); i++)
			instance->frames[f][i].written = 0;
		instance->unsettled[f] = v->funcs[instance->chain.func].order_start;
	}
}

/*
 * All instructions are looked at, round by round, until one changes nothing. Those that cannot be
 * told anything new are left out:
 *
 *	in the first round   those before the first of which something was noted
 *	in others            as long as nothing changed, those that are behind all they lead to
 */
static bool one_round(struct verifier *v, struct instance *instance, uint32_t f, bool is_first)
{
	uint32_t end = v->funcs[instance->chain.func].order_end;
	bool changed = false;

	for (uint32_t i = instance->unsettled[f]; i < end; i++) {
		if (!is_first && !changed)
			i = v->next_early[i];
		if (i < end)
			changed |= update(v, &(struct place){instance, f, v->order[i]});
	}
	instance->unsettled[f] = changed ? v->funcs[instance->chain.func].order_start : UINT32_MAX;
	return changed;
}

static bool all_frames(struct verifier *v, struct instance *instance, bool is_first)
{
	bool changed = false;

	for (uint32_t f = 0; f < instance->chain.n_frames; f++)
		changed |= one_round(v, instance, f, is_first);
	return changed;
}

static void settle(struct verifier *v, struct instance *instance)
{
	unsigned rounds = 1;

	if (instance->write_dropped)
		forget_written(v, instance);
	for (; all_frames(v, instance, rounds == 1); rounds++)
		;
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
	outer->visited[call - start_of(v, outer)] = true;
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
	add_buckets(v);
	return 0;
}
