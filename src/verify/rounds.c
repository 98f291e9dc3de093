/*
 * Does every loop end?
 *
 * A loop ends if in each round a number moves by at least one, always the same way, and never
 * leaves what 64 bits hold: there are only so many. That the program compares it with a limit need
 * not be asked. Where it does, the walk found the number within bounds; where it does not, that the
 * number may wrap.
 *
 *	for each instruction h that a jump leads back to, the outermost first:
 *	  the loop     all that can be come to from h and leads to h again
 *	  from h on    what each register and stack slot holds: what X held at h, and so much
 *	               more; by the notes of progress.c, over all ways within the loop
 *	  back at h    on each edge: by how much has X moved?
 *	  while edges are left: is there an X that on none of them moves back, and on some moves
 *	               on? Those are taken only so often: they are done with
 *	  no edge left: h is come to only so often, and need not be looked at any more
 *
 * What goes on forever goes round forever through some h; so all of them are done with, or the
 * loop is not proven to end. A loop around a loop is one that moves its own number, whatever the
 * inner one does to others.
 *
 * Loops that end by what is outside: an iterator has only so many elements, as long as the loop
 * does not make it anew; may_goto has only so many goes.
 *
 * More rounds than MOST_ROUNDS are no end worth the name.
 *
 * Source  lexicographic ranking functions; Alias et al., Multi-dimensional Rankings (2010)
 */
#include "verify/flow.h"
#include "verify/wide.h"

#include <string.h>

#define MOST_ROUNDS   (1ull << 33)
#define MOST_MEMBERS  65536        /* instructions of a loop: 2 KiB of memory for each */
#define MOST_DISTANCE (1ull << 31) /* that a pointer can be moved, either way */
#define MOST_MOVES    4            /* joined so often at one place; then how far is given up */
#define ANY_LEAST     INT64_MIN
#define ANY_MOST      INT64_MAX
#define NO_PLACE      UINT8_MAX

/* Places: r0 to r9, then the slots fp-8, fp-16, … */
#define N_PLACES      (SKEP_R10 + MOST_SLOTS)
#define SLOT_PLACE(s) ((uint8_t)(SKEP_R10 + (s)))

/* What a place holds: what @place held at h, and from least to most more. */
struct moved {
	int64_t least, most;
	uint8_t place; /* NO_PLACE: something else */
	bool wraps_unsigned, wraps_signed;
};

struct places {
	struct moved at[N_PLACES];
	bool come_to;
	uint8_t n_joins;
};

struct loop {
	struct verifier *v;
	bool *alive;            /* [n_insns]: not done with */
	bool *in;               /* of the loop under way */
	bool *forward;          /* can be come to from its start */
	uint32_t *members;      /* of it, ascending */
	struct places **before; /* [n_insns]: before each member */
	uint32_t *stack;
	uint32_t start, n;
};

/* --- What an instruction does to places ------------------------------------------------------ */

static const struct moved moved_unknown = {ANY_LEAST, ANY_MOST, NO_PLACE, true, true};

static int64_t add_least(int64_t a, int64_t b)
{
	int64_t sum;

	return a == ANY_LEAST || b == ANY_LEAST || __builtin_add_overflow(a, b, &sum) ? ANY_LEAST
										      : sum;
}

static int64_t add_most(int64_t a, int64_t b)
{
	int64_t sum;

	return a == ANY_MOST || b == ANY_MOST || __builtin_add_overflow(a, b, &sum) ? ANY_MOST
										    : sum;
}

static void do_sum(struct moved *dst, const struct progress *p)
{
	dst->least = add_least(dst->least, p->least);
	dst->most = add_most(dst->most, p->most);
	dst->wraps_unsigned |= p->wraps_unsigned;
	dst->wraps_signed |= p->wraps_signed;
}

/* a & b is neither more than a nor than b, as unsigned numbers: it is told of the one that moved
 * down further. */
static void do_and(struct moved *dst, const struct moved *src)
{
	if (src && src->place != NO_PLACE && (dst->place == NO_PLACE || src->most < dst->most))
		*dst = *src;
	dst->least = ANY_LEAST;
	dst->wraps_signed = true;
}

static void do_alu(struct places *places, const struct skep_insn *insn, const struct progress *p)
{
	struct moved *dst = &places->at[insn->dst];
	const struct moved *src =
		insn->code & SKEP_X && insn->src < SKEP_R10 ? &places->at[insn->src] : NULL;
	bool wide = (insn->code & 7) == SKEP_ALU64;

	switch (insn->code & 0xf0) {
	case SKEP_MOV: *dst = src && !p->changes ? *src : moved_unknown; break;
	case SKEP_ADD:
	case SKEP_SUB:
	case SKEP_MUL:
	case SKEP_LSH:
	case SKEP_DIV:
	case SKEP_RSH: do_sum(dst, p); break;
	case SKEP_AND:
		if (wide)
			do_and(dst, src);
		else
			*dst = moved_unknown;
		break;
	default: *dst = moved_unknown; break;
	}
}

static void forget_slots(struct places *places, uint64_t slots)
{
	for (uint32_t s = 0; s < MOST_SLOTS; s++)
		if (slots >> s & 1)
			places->at[SLOT_PLACE(s)] = moved_unknown;
}

static bool is_own_slot(const struct skep_insn *insn, unsigned regno)
{
	uint8_t size = insn->code & 0x18;

	return regno == SKEP_R10 && insn->off < 0 && insn->off >= -SKEP_STACK_BYTES &&
	       !(insn->off % SLOT_BYTES) && (size == SKEP_DW || size == SKEP_W);
}

static struct moved *slot_of(struct places *places, const struct skep_insn *insn)
{
	return &places->at[SLOT_PLACE((-insn->off - 1) / SLOT_BYTES)];
}

static void do_load(struct places *places, const struct skep_insn *insn, const struct progress *p)
{
	bool plain = (insn->code & 0xe0) == SKEP_MEM;

	if (plain && is_own_slot(insn, insn->src) && !p->changes)
		places->at[insn->dst] = *slot_of(places, insn);
	else
		places->at[insn->dst] = moved_unknown;
}

static void do_store(struct places *places, const struct skep_insn *insn, const struct progress *p)
{
	bool atomic = (insn->code & 0xe0) == SKEP_ATOMIC;

	forget_slots(places, p->stack_writes);
	if (atomic) {
		if (insn->src < SKEP_R10)
			places->at[insn->src] = moved_unknown;
		if (insn->dst < SKEP_R10) /* a load that acquires */
			places->at[insn->dst] = moved_unknown;
		places->at[SKEP_R0] = moved_unknown;
	} else if ((insn->code & 7) == SKEP_STX && is_own_slot(insn, insn->dst) &&
		   insn->src < SKEP_R10 && !p->changes) {
		*slot_of(places, insn) = places->at[insn->src];
	}
}

static void forget_arguments(struct places *places)
{
	for (unsigned r = SKEP_R0; r <= SKEP_R5; r++)
		places->at[r] = moved_unknown;
}

/* @places before the instruction become those behind it. */
static void do_insn(const struct loop *l, uint32_t at, struct places *places)
{
	const struct skep_insn *insn = &l->v->insns[at];
	const struct progress *p = &l->v->wide->progress[at];

	switch (insn->code & 7) {
	case SKEP_ALU:
	case SKEP_ALU64: do_alu(places, insn, p); break;
	case SKEP_LDX: do_load(places, insn, p); break;
	case SKEP_ST:
	case SKEP_STX: do_store(places, insn, p); break;
	case SKEP_LD:
		if (is_load_imm64(insn))
			places->at[insn->dst] = moved_unknown;
		else
			forget_arguments(places);
		break;
	default:
		if (is_call(insn)) {
			forget_slots(places, p->stack_writes);
			forget_arguments(places);
		}
		break;
	}
}

/* --- Which instructions are the loop --------------------------------------------------------- */

static unsigned ways(const struct loop *l, uint32_t at, uint32_t ret[2])
{
	uint32_t next[2];
	unsigned n = flow_successors(l->v, at, next), kept = 0;

	for (unsigned i = 0; i < n; i++)
		if (l->alive[next[i]])
			ret[kept++] = next[i];
	return kept;
}

static void mark_forward(struct loop *l)
{
	uint32_t depth = 0;

	memset(l->forward, 0, l->v->n_insns);
	l->stack[depth++] = l->start;
	l->forward[l->start] = true;
	while (depth) {
		uint32_t next[2];
		unsigned n = ways(l, l->stack[--depth], next);

		for (unsigned i = 0; i < n; i++) {
			if (l->forward[next[i]])
				continue;
			l->forward[next[i]] = true;
			l->stack[depth++] = next[i];
		}
	}
}

static bool leads_into(const struct loop *l, uint32_t at)
{
	uint32_t next[2];
	unsigned n = ways(l, at, next);

	for (unsigned i = 0; i < n; i++)
		if (l->in[next[i]] || next[i] == l->start)
			return true;
	return false;
}

/* In the order of flow.c each comes behind those it leads to, but for loops: few rounds do. */
static void mark_members(struct loop *l)
{
	bool changed = true;

	memset(l->in, 0, l->v->n_insns);
	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < l->v->n_insns; i++) {
			uint32_t at = l->v->order[i];

			if (!l->alive[at] || !l->forward[at] || l->in[at] || !leads_into(l, at))
				continue;
			l->in[at] = changed = true;
		}
	}
	l->n = 0;
	for (uint32_t at = 0; at < l->v->n_insns; at++)
		if (l->in[at])
			l->members[l->n++] = at;
}

/* --- From the start on ----------------------------------------------------------------------- */

/* Return whether @to became less known. */
static bool join_place(struct moved *to, const struct moved *from, bool hurry)
{
	struct moved was = *to;

	if (to->place == NO_PLACE)
		return false;
	if (to->place != from->place) {
		*to = moved_unknown;
		return true;
	}
	if (from->least < to->least)
		to->least = hurry ? ANY_LEAST : from->least;
	if (from->most > to->most)
		to->most = hurry ? ANY_MOST : from->most;
	to->wraps_unsigned |= from->wraps_unsigned;
	to->wraps_signed |= from->wraps_signed;
	return was.least != to->least || was.most != to->most ||
	       was.wraps_unsigned != to->wraps_unsigned || was.wraps_signed != to->wraps_signed;
}

static bool join_places(struct places *to, const struct places *from)
{
	bool changed = false;

	if (!to->come_to) {
		*to = *from;
		to->come_to = true;
		to->n_joins = 0;
		return true;
	}
	for (unsigned i = 0; i < N_PLACES; i++)
		changed |= join_place(&to->at[i], &from->at[i], to->n_joins > MOST_MOVES);
	to->n_joins += changed && to->n_joins < UINT8_MAX;
	return changed;
}

static bool spread_from(struct loop *l, uint32_t at)
{
	struct places behind = *l->before[at];
	uint32_t next[2];
	unsigned n = ways(l, at, next);
	bool changed = false;

	do_insn(l, at, &behind);
	for (unsigned i = 0; i < n; i++)
		if (l->in[next[i]] && next[i] != l->start)
			changed |= join_places(l->before[next[i]], &behind);
	return changed;
}

static void begin_places(struct places *places)
{
	memset(places, 0, sizeof(*places));
	for (unsigned i = 0; i < N_PLACES; i++)
		places->at[i].place = (uint8_t)i;
	places->come_to = true;
}

static void spread(struct loop *l)
{
	bool changed = true;

	for (uint32_t i = 0; i < l->n; i++)
		l->before[l->members[i]] = skep_xcalloc(1, sizeof(struct places));
	begin_places(l->before[l->start]);
	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < l->n; i++)
			if (l->before[l->members[i]]->come_to)
				changed |= spread_from(l, l->members[i]);
	}
}

static void free_places(struct loop *l)
{
	for (uint32_t i = 0; i < l->n; i++) {
		free(l->before[l->members[i]]);
		l->before[l->members[i]] = NULL;
	}
}

/* --- Back at the start ----------------------------------------------------------------------- */

struct edges {
	SKEP_VEC(struct places) left; /* what is held at the end of each way back */
};

static void collect_edges(struct loop *l, struct edges *edges)
{
	for (uint32_t i = 0; i < l->n; i++) {
		uint32_t at = l->members[i], next[2];
		unsigned n = ways(l, at, next);
		struct places behind = *l->before[at];

		if (!behind.come_to)
			continue;
		do_insn(l, at, &behind);
		for (unsigned w = 0; w < n; w++)
			if (next[w] == l->start)
				skep_vec_push(&edges->left, behind);
	}
}

/* As which kind of number, and which way. */
struct direction {
	uint8_t place;
	bool is_signed, down;
};

static bool moves(const struct moved *m, const struct direction *d, int64_t by)
{
	if (m->place != d->place || (d->is_signed ? m->wraps_signed : m->wraps_unsigned))
		return false;
	return d->down ? m->most <= -by : m->least >= by;
}

static const struct reg *reg_at(const struct state *state, uint8_t place)
{
	const struct frame *frame = top_frame(state);
	uint32_t slot = place - (uint32_t)SKEP_R10;

	if (place < SKEP_R10)
		return &frame->regs[place];
	return slot < frame->n_slots && slot_is_spill(&frame->slots[slot])
		       ? &frame->slots[slot].spilled
		       : NULL;
}

/* How many numbers there are that it can be at the start; UINT64_MAX: more than are counted. */
static uint64_t numbers_of(const struct loop *l, const struct direction *d)
{
	struct skep_bounds all = {UINT64_MAX, 0, INT64_MAX, INT64_MIN};

	for (const struct state *s = l->v->wide->newest[l->start]; s; s = s->older) {
		const struct reg *reg = reg_at(s, d->place);
		const struct skep_bounds *b = reg ? &reg->value.full : NULL;

		if (!reg || reg->kind == REG_UNSET)
			return UINT64_MAX;
		if (reg->kind != REG_SCALAR)
			return MOST_DISTANCE;
		all.umin = b->umin < all.umin ? b->umin : all.umin;
		all.umax = b->umax > all.umax ? b->umax : all.umax;
		all.smin = b->smin < all.smin ? b->smin : all.smin;
		all.smax = b->smax > all.smax ? b->smax : all.smax;
	}
	return d->is_signed ? (uint64_t)all.smax - (uint64_t)all.smin : all.umax - all.umin;
}

/* Are there ways that are taken only so often, for this number moves on them? They are done with.
 */
static bool take_edges(struct loop *l, struct edges *edges, const struct direction *d)
{
	size_t kept = 0, n = edges->left.len;

	for (size_t i = 0; i < n; i++)
		if (!moves(&edges->left.data[i].at[d->place], d, 0))
			return false;
	for (size_t i = 0; i < n; i++)
		kept += !moves(&edges->left.data[i].at[d->place], d, 1);
	if (kept == n || numbers_of(l, d) > MOST_ROUNDS)
		return false;
	kept = 0;
	for (size_t i = 0; i < n; i++)
		if (!moves(&edges->left.data[i].at[d->place], d, 1))
			edges->left.data[kept++] = edges->left.data[i];
	edges->left.len = kept;
	return true;
}

static bool take_some(struct loop *l, struct edges *edges)
{
	for (unsigned i = 0; i < N_PLACES * 4; i++) {
		struct direction d = {(uint8_t)(i / 4), i & 1, i & 2};

		if (take_edges(l, edges, &d))
			return true;
	}
	return false;
}

static bool is_come_to_so_often(struct loop *l)
{
	struct edges edges = {0};
	bool done;

	spread(l);
	collect_edges(l, &edges);
	free_places(l);
	while (edges.left.len && take_some(l, &edges))
		;
	done = !edges.left.len;
	skep_vec_done(&edges.left);
	return done;
}

/* --- What is outside ------------------------------------------------------------------------- */

/* Does the loop make the iterator anew? */
static bool is_made_anew(const struct loop *l, int64_t iterator)
{
	for (uint32_t i = 0; i < l->n; i++) {
		uint32_t at = l->members[i];
		int64_t made = l->v->wide->progress[at].iterator;

		if (made == NO_ITERATOR || l->v->facts[at].iter_next)
			continue;
		if (made == iterator || made == ANY_ITERATOR || iterator == ANY_ITERATOR)
			return true;
	}
	return false;
}

/* Return whether there were any: then the loop is another, or none. */
static bool take_iterators(struct loop *l)
{
	bool found = false;

	if (l->v->wide->foreign_iterator)
		return false;
	for (uint32_t i = 0; i < l->n; i++) {
		uint32_t at = l->members[i];

		if (!l->v->facts[at].iter_next ||
		    is_made_anew(l, l->v->wide->progress[at].iterator))
			continue;
		l->alive[at] = false;
		found = true;
	}
	return found;
}

/* --- All of them ----------------------------------------------------------------------------- */

static int refuse_loop(struct verifier *v, uint32_t at)
{
	v->at = at;
	return verify_refuse(v, LOOP_WITHOUT_END, at);
}

static int check_loop(struct loop *l, uint32_t start)
{
	l->start = start;
	do {
		mark_forward(l);
		mark_members(l);
		if (!l->in[start])
			return 0;
	} while (take_iterators(l));
	if (l->n > MOST_MEMBERS || !is_come_to_so_often(l))
		return refuse_loop(l->v, start);
	l->alive[start] = false;
	return 0;
}

static void begin_loops(struct loop *l, struct verifier *v)
{
	l->v = v;
	l->alive = skep_arena_array(&v->arena, bool, v->n_insns);
	l->in = skep_arena_array(&v->arena, bool, v->n_insns);
	l->forward = skep_arena_array(&v->arena, bool, v->n_insns);
	l->members = skep_arena_array(&v->arena, uint32_t, v->n_insns);
	l->stack = skep_arena_array(&v->arena, uint32_t, v->n_insns);
	l->before = skep_arena_array(&v->arena, struct places *, v->n_insns);
	for (uint32_t at = 0; at < v->n_insns; at++)
		l->alive[at] = v->facts[at].seen && !v->facts[at].may_goto;
}

int verify_rounds(struct verifier *v)
{
	struct loop loop;
	int err = 0;

	if (!v->wide)
		return 0;
	begin_loops(&loop, v);
	for (uint32_t at = 0; at < v->n_insns && !err; at++)
		if (v->wide->loop_start[at] && loop.alive[at])
			err = check_loop(&loop, at);
	return err;
}
