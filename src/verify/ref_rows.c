/*
 * Rows of references as memory. A state's copies have the same rows as it does, so they share them:
 *
 *	state ─┐ n_refs 2
 *	copy ──┴─► rows: 1 2 3      the copy has acquired one more; the state does not see it
 *	  n_refs 3
 *
 * A row is added in place where nobody else has added one there; what is in rows that others use is
 * changed in a copy of one's own. So a state that holds much is not copied for each that it holds.
 */
#include "verify/verifier.h"

#include <string.h>

#define SPARE_ROWS 2 /* and a quarter more than there are */

struct ref_rows {
	uint32_t n_users; /* states */
	uint32_t n, cap;  /* n: of the state that has most of them */
	struct ref rows[];
};

static struct ref_rows *rows_of(const struct state *state)
{
	return state->refs ? (void *)((char *)state->refs - offsetof(struct ref_rows, rows)) : NULL;
}

static size_t bytes_of(uint32_t cap)
{
	return sizeof(struct ref_rows) + cap * sizeof(struct ref);
}

void verify_refs_share(struct state *copy)
{
	struct ref_rows *rows = rows_of(copy);

	if (rows)
		rows->n_users++;
}

void verify_refs_leave(struct verifier *v, struct state *state)
{
	struct ref_rows *rows = rows_of(state);

	if (rows && !--rows->n_users)
		verify_give_back(v, rows, bytes_of(rows->cap));
	state->refs = NULL;
}

/* The state's own rows from now on, with room for more. */
static struct ref_rows *move(struct verifier *v, struct state *state)
{
	uint32_t cap = state->n_refs + state->n_refs / 4 + SPARE_ROWS;
	struct ref_rows *rows = verify_take(v, bytes_of(cap));

	if (!rows)
		skep_oom();
	rows->n_users = 1;
	rows->n = state->n_refs;
	rows->cap = cap;
	if (rows->n)
		memcpy(rows->rows, state->refs, rows->n * sizeof(*rows->rows));
	verify_refs_leave(v, state);
	state->refs = rows->rows;
	return rows;
}

struct ref *verify_refs_own(struct verifier *v, struct state *state)
{
	struct ref_rows *rows = rows_of(state);

	if (!rows || rows->n_users > 1)
		rows = move(v, state);
	return rows->rows;
}

void verify_refs_add(struct verifier *v, struct ref ref)
{
	struct state *state = v->state;
	struct ref_rows *rows = rows_of(state);

	if (rows && rows->n_users == 1)
		rows->n = state->n_refs;
	if (!rows || rows->n != state->n_refs || rows->n == rows->cap)
		rows = move(v, state);
	rows->rows[rows->n++] = ref;
	state->n_refs = rows->n;
}

void verify_refs_remove(struct verifier *v, uint32_t i)
{
	struct state *state = v->state;
	uint32_t behind = state->n_refs - i - 1;

	/* the last stays where it is: it may be another's still */
	if (behind) {
		struct ref *rows = verify_refs_own(v, state);

		memmove(&rows[i], &rows[i + 1], behind * sizeof(*rows));
	}
	state->n_refs--;
}
