/*
 * The tables that lie in the arrays of layout.h, each file's once, however many
 * mapped files have the same content, and in the order of their use.
 *
 * A table whose n_live is 0 is kept as long as nobody else needs its room.
 */
#ifndef SKEP_UNWIND_STORE_H
#define SKEP_UNWIND_STORE_H

#include <stdbool.h>

#include "unwind/arrays.h"
#include "unwind/space.h"

#define SKEP_UNWIND_ID_BYTES 32

/** What makes two files' tables the same one. */
struct skep_unwind_key {
	uint64_t addr, size; /* of .eh_frame */
	uint8_t id
		[SKEP_UNWIND_ID_BYTES]; /* build-id, or of what anybody may write: which file it is */
};

struct skep_unwind_stored {
	struct skep_unwind_key key;
	struct skep_unwind_stretch pages, rows, rules;
	uint32_t n_live;  /* mapped files that need it */
	uint64_t used_ns; /* last found, or put, or mapped by somebody */
	bool is_asked;    /* a stack needed it; else it is there because one might */
	bool is_there;
};

struct skep_unwind_store {
	const struct skep_unwind_arrays *arrays; /* borrowed */
	struct skep_unwind_space files, pages, rows, rules;
	struct skep_unwind_stored *stored; /* owned; at the index in `files` */
};

void skep_unwind_store_init(struct skep_unwind_store *ret, const struct skep_unwind_arrays *arrays);
void skep_unwind_store_done(struct skep_unwind_store *store);
/** The index in `files` of the table with @key, which is used at @now_ns; 0: there is none.
 *  Cost O(tables) */
uint32_t skep_unwind_store_find(struct skep_unwind_store *store, const struct skep_unwind_key *key,
				uint64_t now_ns);
/** Would @table fit if nothing else were there? */
bool skep_unwind_store_fits(const struct skep_unwind_store *store,
			    const struct skep_unwind_table *table);
/**
 * Copy a table into the arrays.
 *
 * @ret_file  its index in `files`; n_live is 0
 * Return     0 | -ENOSPC there is no room now
 */
int skep_unwind_store_put(struct skep_unwind_store *store, const struct skep_unwind_key *key,
			  const struct skep_unwind_table *table, uint64_t now_ns,
			  uint32_t *ret_file);
/** Is there room for @table now? */
bool skep_unwind_store_has_room(struct skep_unwind_store *store,
				const struct skep_unwind_table *table, uint64_t now_ns);
/** Is half of all room free? */
bool skep_unwind_store_is_spacious(const struct skep_unwind_store *store);
/** How many tables there are that a stack needed. Cost O(tables) */
uint32_t skep_unwind_store_n_asked(const struct skep_unwind_store *store);
/** Are there tables that rest, and will there be room for @table, as far as one can say, when they
 *  have rested? */
bool skep_unwind_store_resting(const struct skep_unwind_store *store,
			       const struct skep_unwind_table *table);
/** The table to drop for others; 0: there is none. By turns, and of each the least recently used:
 *  those that nobody maps, unless they were asked for and used since @before_ns; those that nobody
 *  has asked for, as who does will get it again; those that nobody maps; what was last used before
 *  @before_ns. */
uint32_t skep_unwind_store_victim(const struct skep_unwind_store *store, uint64_t before_ns);
/** No mapping may have it any more. */
void skep_unwind_store_drop(struct skep_unwind_store *store, uint32_t file, uint64_t now_ns);
size_t skep_unwind_store_memory(const struct skep_unwind_store *store);

#endif
