/* Tables in the arrays of layout.h, see store.h. */
#include "unwind/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void skep_unwind_store_init(struct skep_unwind_store *ret, const struct skep_unwind_arrays *arrays)
{
	const struct skep_unwind_sizes *sizes = &arrays->sizes;
	struct skep_unwind_stretch reserved;

	*ret = (struct skep_unwind_store){.arrays = arrays};
	skep_unwind_space_init(&ret->files, sizes->files);
	skep_unwind_space_init(&ret->pages, sizes->pages);
	skep_unwind_space_init(&ret->rows, sizes->rows);
	skep_unwind_space_init(&ret->rules, sizes->rules);
	ret->stored = skep_xcalloc(sizes->files, sizeof(*ret->stored));
	/* The indices that mean something else are never handed out. */
	skep_unwind_space_take(&ret->files, SKEP_UNWIND_FILE_FIRST, 0, &reserved);
}

void skep_unwind_store_done(struct skep_unwind_store *store)
{
	skep_unwind_space_done(&store->files);
	skep_unwind_space_done(&store->pages);
	skep_unwind_space_done(&store->rows);
	skep_unwind_space_done(&store->rules);
	free(store->stored);
	store->stored = NULL;
}

static bool is_same(const struct skep_unwind_key *a, const struct skep_unwind_key *b)
{
	return a->addr == b->addr && a->size == b->size && !memcmp(a->id, b->id, sizeof(a->id));
}

uint32_t skep_unwind_store_find(struct skep_unwind_store *store, const struct skep_unwind_key *key,
				uint64_t now_ns)
{
	for (uint32_t i = SKEP_UNWIND_FILE_FIRST; i < store->files.size; i++) {
		if (!store->stored[i].is_there || !is_same(&store->stored[i].key, key))
			continue;
		store->stored[i].used_ns = now_ns;
		return i;
	}
	return 0;
}

bool skep_unwind_store_fits(const struct skep_unwind_store *store,
			    const struct skep_unwind_table *table)
{
	return table->n_pages < store->pages.size && table->n_rows <= store->rows.size &&
	       table->n_rules <= store->rules.size;
}

static bool is_half_free(const struct skep_unwind_space *space)
{
	return space->n_free >= space->size / 2;
}

bool skep_unwind_store_is_spacious(const struct skep_unwind_store *store)
{
	return is_half_free(&store->files) && is_half_free(&store->pages) &&
	       is_half_free(&store->rows) && is_half_free(&store->rules);
}

uint32_t skep_unwind_store_n_asked(const struct skep_unwind_store *store)
{
	uint32_t n = 0;

	for (uint32_t i = SKEP_UNWIND_FILE_FIRST; i < store->files.size; i++)
		n += store->stored[i].is_there && store->stored[i].is_asked;
	return n;
}

/* As if all that is free and rests lay together: who finds that it does not, asks again. */
static bool will_have(const struct skep_unwind_space *space, uint32_t n)
{
	return space->n_free + space->n_resting >= n;
}

bool skep_unwind_store_resting(const struct skep_unwind_store *store,
			       const struct skep_unwind_table *table)
{
	return store->files.n_resting && will_have(&store->pages, table->n_pages + 1) &&
	       will_have(&store->rows, table->n_rows) && will_have(&store->rules, table->n_rules) &&
	       will_have(&store->files, 1);
}

static void undo(struct skep_unwind_store *store, const struct skep_unwind_stored *stored,
		 struct skep_unwind_stretch file)
{
	skep_unwind_space_undo(&store->pages, stored->pages);
	skep_unwind_space_undo(&store->rows, stored->rows);
	skep_unwind_space_undo(&store->rules, stored->rules);
	skep_unwind_space_undo(&store->files, file);
}

/* All four, or none. Each is asked for, so that each knows what has rested for long enough. */
static int take_room(struct skep_unwind_store *store, const struct skep_unwind_table *table,
		     uint64_t now_ns, struct skep_unwind_stretch *ret_file,
		     struct skep_unwind_stored *ret)
{
	int err = skep_unwind_space_take(&store->pages, table->n_pages + 1, now_ns, &ret->pages);

	err |= skep_unwind_space_take(&store->rows, table->n_rows, now_ns, &ret->rows);
	err |= skep_unwind_space_take(&store->rules, table->n_rules, now_ns, &ret->rules);
	err |= skep_unwind_space_take(&store->files, 1, now_ns, ret_file);
	if (!err)
		return 0;
	undo(store, ret, *ret_file);
	return -ENOSPC;
}

bool skep_unwind_store_has_room(struct skep_unwind_store *store,
				const struct skep_unwind_table *table, uint64_t now_ns)
{
	struct skep_unwind_stored stored = {0};
	struct skep_unwind_stretch file = {0};

	if (take_room(store, table, now_ns, &file, &stored))
		return false;
	undo(store, &stored, file);
	return true;
}

static void copy(const struct skep_unwind_arrays *arrays, const struct skep_unwind_table *table,
		 const struct skep_unwind_stored *to, uint32_t file)
{
	uint32_t *pages = arrays->pages + to->pages.first;

	memcpy(arrays->rows + to->rows.first, table->rows, table->n_rows * sizeof(*table->rows));
	memcpy(arrays->rules + to->rules.first, table->rules,
	       table->n_rules * sizeof(*table->rules));
	for (uint32_t i = 0; i <= table->n_pages; i++)
		pages[i] = table->pages[i] + to->rows.first;
	arrays->files[file] = (struct skep_unwind_file){
		.first_page = table->first_page,
		.n_pages = table->n_pages,
		.pages = to->pages.first,
		.rules = to->rules.first,
	};
}

int skep_unwind_store_put(struct skep_unwind_store *store, const struct skep_unwind_key *key,
			  const struct skep_unwind_table *table, uint64_t now_ns,
			  uint32_t *ret_file)
{
	struct skep_unwind_stored stored = {.key = *key, .used_ns = now_ns, .is_there = true};
	struct skep_unwind_stretch file = {0};
	int err = take_room(store, table, now_ns, &file, &stored);

	if (err)
		return err;
	copy(store->arrays, table, &stored, file.first);
	store->stored[file.first] = stored;
	*ret_file = file.first;
	return 0;
}

/* Whose turn it is to be dropped. */
enum turn { TURN_UNUSED, TURN_UNASKED, TURN_UNMAPPED, TURN_OLD, TURN_NEVER };

static enum turn turn_of(const struct skep_unwind_stored *stored, uint64_t before_ns)
{
	bool is_old = stored->used_ns < before_ns;

	if (!stored->is_there)
		return TURN_NEVER;
	if (!stored->n_live)
		return is_old || !stored->is_asked ? TURN_UNUSED : TURN_UNMAPPED;
	if (!stored->is_asked)
		return TURN_UNASKED;
	return is_old ? TURN_OLD : TURN_NEVER;
}

uint32_t skep_unwind_store_victim(const struct skep_unwind_store *store, uint64_t before_ns)
{
	enum turn best = TURN_NEVER;
	uint32_t found = 0;

	for (uint32_t i = SKEP_UNWIND_FILE_FIRST; i < store->files.size; i++) {
		const struct skep_unwind_stored *it = &store->stored[i];
		enum turn turn = turn_of(it, before_ns);
		if (turn == TURN_NEVER || turn > best ||
		    (turn == best && it->used_ns >= store->stored[found].used_ns))
			continue;
		best = turn;
		found = i;
	}
	return found;
}

void skep_unwind_store_drop(struct skep_unwind_store *store, uint32_t file, uint64_t now_ns)
{
	struct skep_unwind_stored *stored = &store->stored[file];

	skep_unwind_space_give(&store->pages, stored->pages, now_ns);
	skep_unwind_space_give(&store->rows, stored->rows, now_ns);
	skep_unwind_space_give(&store->rules, stored->rules, now_ns);
	skep_unwind_space_give(&store->files, (struct skep_unwind_stretch){file, 1}, now_ns);
	*stored = (struct skep_unwind_stored){0};
}

size_t skep_unwind_store_memory(const struct skep_unwind_store *store)
{
	return store->files.size * sizeof(*store->stored) +
	       skep_unwind_space_memory(&store->files) + skep_unwind_space_memory(&store->pages) +
	       skep_unwind_space_memory(&store->rows) + skep_unwind_space_memory(&store->rules);
}
