/*
 * The order of instructions, and loops: see flow.h.
 *
 * Facts that flow backwards (what is read again) settle fastest where each instruction is looked at
 * after those it leads to. Such an order is that in which a depth-first walk leaves instructions.
 *
 * Loops are found by Tarjan's walk: each instruction gets a number when it is first come to, and
 * `low`, the least number that can be come to from it by what is still on the stack. Where low is
 * its own number it is the first of a component, and all above it on the stack are in it.
 *
 * Both walks keep their own stack: a program may be a million instructions deep.
 *
 * Numbers of components are the kernel's: its log shows them. A call that calls back is a loop too,
 * but one that Linux 6.18 does not see: what is known too late in it is lost there. Later kernels
 * do; here such calls have numbers behind those of the log.
 */
#include "verify/flow.h"

/* --- Order ----------------------------------------------------------------------------------- */

struct ordering {
	struct verifier *v;
	uint8_t *state; /* of each instruction: COME_TO, LEFT */
	uint32_t *stack, depth, n;
};

enum { COME_TO = 1, LEFT = 2 };

static void come_to(struct ordering *o, uint32_t at)
{
	if (o->state[at])
		return;
	o->state[at] = COME_TO;
	o->stack[o->depth++] = at;
}

static void order_from(struct ordering *o, uint32_t start)
{
	come_to(o, start);
	while (o->depth) {
		uint32_t at = o->stack[o->depth - 1], next[2];
		unsigned n;

		if (o->state[at] & LEFT) {
			o->v->order[o->n++] = at;
			o->depth--;
			continue;
		}
		n = flow_successors(o->v, at, next);
		for (unsigned i = 0; i < n; i++)
			come_to(o, next[i]);
		o->state[at] |= LEFT;
	}
}

void flow_order(struct verifier *v)
{
	struct ordering o = {
		.v = v,
		.state = skep_xcalloc(v->n_insns, 1),
		.stack = skep_xcalloc(v->n_insns, sizeof(*o.stack)),
	};

	v->order = skep_arena_array(&v->arena, uint32_t, v->n_insns);
	for (uint32_t f = 0; f < v->n_funcs; f++) {
		v->funcs[f].order_start = o.n;
		order_from(&o, v->funcs[f].start);
		v->funcs[f].order_end = o.n;
	}
	free(o.state);
	free(o.stack);
}

/* --- The other way around --------------------------------------------------------------------- */

void flow_find_preds(struct flow_graph *graph, struct skep_arena *arena)
{
	uint32_t *first = skep_arena_array(arena, uint32_t, graph->n + 2), n = 0;

	/* first[to + 2]: how many lead to it; then first[to + 1]: where the next one goes */
	for (uint32_t from = 0; from < graph->n; from++)
		for (unsigned i = 0; i < FLOW_WAYS; i++)
			if (graph->next[from][i] != NOWHERE) {
				first[graph->next[from][i] + 2]++;
				n++;
			}
	for (uint32_t to = 1; to < graph->n; to++)
		first[to + 1] += first[to];
	graph->preds = skep_arena_array(arena, uint32_t, n);
	for (uint32_t from = 0; from < graph->n; from++)
		for (unsigned i = 0; i < FLOW_WAYS; i++)
			if (graph->next[from][i] != NOWHERE)
				graph->preds[first[graph->next[from][i] + 1]++] = from;
	graph->first_pred = first;
}

/* --- Loops ----------------------------------------------------------------------------------- */

#define NOT_ON_STACK UINT32_MAX

struct tarjan {
	struct verifier *v;
	uint32_t *number, *low; /* of each instruction; number 0: not come to */
	uint32_t *path;         /* the walk's own */
	uint32_t *stack;        /* those whose component is not known */
	uint32_t path_len, stack_len, last_number;
};

/* Is there something behind @at that was not come to? Then it is next. What was has told @at how
 * far back it leads. */
static bool go_on(struct tarjan *t, uint32_t at)
{
	uint32_t next[2];
	unsigned n = flow_successors(t->v, at, next);

	for (unsigned i = 0; i < n; i++) {
		if (!t->number[next[i]]) {
			t->path[t->path_len++] = next[i];
			return true;
		}
		if (t->low[next[i]] < t->low[at])
			t->low[at] = t->low[next[i]];
	}
	return false;
}

static bool is_loop(const struct tarjan *t, uint32_t at)
{
	uint32_t next[2];
	unsigned n = flow_successors(t->v, at, next);

	if (t->stack[t->stack_len - 1] != at)
		return true;
	for (unsigned i = 0; i < n; i++)
		if (next[i] == at)
			return true;
	return false;
}

static void take_component(struct tarjan *t, uint32_t first)
{
	uint32_t scc = is_loop(t, first) ? ++t->v->n_sccs : 0, at;

	do {
		at = t->stack[--t->stack_len];
		t->low[at] = NOT_ON_STACK;
		t->v->facts[at].scc = scc;
	} while (at != first);
}

static void components_from(struct tarjan *t, uint32_t start)
{
	t->path[t->path_len++] = start;
	while (t->path_len) {
		uint32_t at = t->path[t->path_len - 1];

		if (!t->number[at]) {
			t->number[at] = t->low[at] = ++t->last_number;
			t->stack[t->stack_len++] = at;
		}
		if (go_on(t, at))
			continue;
		if (t->low[at] == t->number[at])
			take_component(t, at);
		t->path_len--;
	}
}

/* What is called back is so again and again; the way around is none that jumps show. */
static void number_callers_back(struct verifier *v)
{
	v->n_logged_sccs = v->n_sccs;
	for (uint32_t at = 0; at < v->n_insns; at++)
		if (v->facts[at].calls_callback && !v->facts[at].scc)
			v->facts[at].scc = ++v->n_sccs;
}

void flow_components(struct verifier *v)
{
	uint32_t *memory = skep_xcalloc(v->n_insns, 4 * sizeof(*memory));
	struct tarjan t = {
		.v = v,
		.number = memory,
		.low = memory + v->n_insns,
		.path = memory + 2 * (size_t)v->n_insns,
		.stack = memory + 3 * (size_t)v->n_insns,
	};

	for (uint32_t at = 0; at < v->n_insns; at += is_load_imm64(&v->insns[at]) ? 2 : 1)
		if (!t.number[at])
			components_from(&t, at);
	free(memory);
	number_callers_back(v);
}

/* --- Loops by their look ---------------------------------------------------------------------- */

struct descent {
	const struct skep_insn *insns;
	uint8_t *followed; /* of each instruction: 0 not come to; 1 + how many of its ways */
	uint32_t *path, depth;
};

#define ALL_FOLLOWED 4

/* One way on from the last of the path, or back. Return whether it is to where the path came from:
 * then it goes from the last to *@ret_to */
static bool descend(struct descent *d, uint32_t *ret_to)
{
	uint32_t at = d->path[d->depth - 1], next[2];
	unsigned n = flow_ways(d->insns, at, next), way = d->followed[at] - 1u;

	if (way == n) {
		d->followed[at] = ALL_FOLLOWED;
		d->depth--;
		return false;
	}
	d->followed[at]++;
	*ret_to = next[way];
	if (d->followed[*ret_to])
		return d->followed[*ret_to] != ALL_FOLLOWED;
	d->followed[*ret_to] = 1;
	d->path[d->depth++] = *ret_to;
	return false;
}

bool flow_back_edge(const struct skep_insn *insns, uint32_t n, uint32_t start, uint32_t *ret_from,
		    uint32_t *ret_to)
{
	struct descent d = {
		.insns = insns,
		.followed = skep_xcalloc(n, 1),
		.path = skep_xcalloc(n, sizeof(*d.path)),
		.depth = 1,
	};
	bool found = false;

	d.path[0] = start;
	d.followed[start] = 1;
	while (d.depth && !found)
		found = descend(&d, ret_to);
	if (found)
		*ret_from = d.path[d.depth - 1];
	free(d.followed);
	free(d.path);
	return found;
}
