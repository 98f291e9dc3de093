/*
 * The files that processes have mapped code of: which file it is by the numbers
 * that mappings have (device, inode), how many mappings refer to it, and what a
 * program in the kernel finds at them: the index of its table, or that it has
 * to ask.
 *
 * A file's table is built when somebody asks for it. A file that nobody maps any
 * more is remembered for a while, for the next one who does: a program that is
 * started a thousand times a minute is asked for once.
 */
#ifndef SKEP_UNWIND_OBJECTS_H
#define SKEP_UNWIND_OBJECTS_H

#include "unwind/image.h"
#include "unwind/losses.h"
#include "unwind/store.h"

#define SKEP_UNWIND_OBJECTS_MOST 32768
#define SKEP_UNWIND_RETIRED_MOST 1024 /* of those, that nobody maps any more */
#define SKEP_UNWIND_BUCKETS      4096 /* a power of two */
/** How long a table that is needed stays before it may have to make room for another. */
#define SKEP_UNWIND_SETTLE_NS (10 * 1000 * 1000 * 1000ull)

struct skep_unwind_object {
	uint64_t inode;
	uint32_t dev;
	uint32_t generation;                /* of the inode; 0: not known */
	uint32_t number;                    /* in struct skep_unwind_objects' `numbers` */
	char *path;                         /* owned; as whoever mapped it first has it */
	uint32_t n_users;                   /* mappings; 0: retired */
	uint32_t file;                      /* as in struct skep_unwind_mapping */
	bool is_waiting;                    /* for room, as much as `needed` says */
	bool is_awaited;                    /* it was asked for meanwhile, which is counted */
	uint32_t n_missed;                  /* how often it could not be found, in a row */
	struct skep_unwind_table needed;    /* its numbers only */
	uint64_t retired;                   /* a count that rises: when */
	struct skep_unwind_version version; /* of what `file` was made from */
	struct skep_unwind_segment segments[SKEP_UNWIND_SEGMENTS_MOST];
	uint32_t n_segments;
	struct skep_unwind_object *next; /* in its bucket */
};

struct skep_unwind_objects {
	struct skep_unwind_store store;
	struct skep_unwind_losses *losses;                       /* borrowed */
	struct skep_unwind_object *buckets[SKEP_UNWIND_BUCKETS]; /* owned chains */
	SKEP_VEC(struct skep_unwind_object *) numbers;           /* NULL: a free number */
	SKEP_VEC(uint32_t) wanted; /* see skep_unwind_objects_want() */
	uint32_t n, n_retired;
	/** CLOCK_MONOTONIC's, but for tests. It is asked for whenever something rests from then
	 *  on, as reading a file takes long. */
	uint64_t (*now_ns)(void);
	uint64_t clock;  /* counts what retires */
	bool is_changed; /* some object's `file` is not yet in all the mappings */
	uint64_t n_built, n_rows_built;
};

void skep_unwind_objects_init(struct skep_unwind_objects *ret,
			      const struct skep_unwind_arrays *arrays,
			      struct skep_unwind_losses *losses);
void skep_unwind_objects_done(struct skep_unwind_objects *objects);
/** The file at @place, which is mapped once more. NULL: there is no room to remember it. */
struct skep_unwind_object *skep_unwind_objects_use(struct skep_unwind_objects *objects,
						   const struct skep_unwind_place *place);
/** One more mapping of a file that somebody maps already. */
void skep_unwind_objects_use_again(struct skep_unwind_objects *objects,
				   struct skep_unwind_object *object);
/** One mapping less. */
void skep_unwind_objects_unuse(struct skep_unwind_objects *objects,
			       struct skep_unwind_object *object);
/** By its number; NULL: there is none of it. */
struct skep_unwind_object *skep_unwind_objects_get(const struct skep_unwind_objects *objects,
						   uint32_t number);
/**
 * See to the table of an object that is asked for. Its `file`, and that of others whose tables made
 * room for it, may have changed then: their mappings are to be written again.
 *
 * @is_asked  a stack needs it: others make room
 * Return  0 | -EAGAIN there is no room now | -ENOENT it cannot be opened at @place; after some
 *         times it is given up: 0
 */
int skep_unwind_objects_load(struct skep_unwind_objects *objects, struct skep_unwind_object *object,
			     const struct skep_unwind_place *place, bool is_asked);
/** A stack needed the table of the object of this number, if there is one. */
void skep_unwind_objects_note_asked(struct skep_unwind_objects *objects, uint32_t number);
/** Note it in `wanted`, if it has no table: nobody who maps it is there for as long as it takes to
 *  ask for it. */
void skep_unwind_objects_want(struct skep_unwind_objects *objects,
			      const struct skep_unwind_object *object);
/** The same, by its path alone: whoever mapped it may have ended. What cannot be found is left as
 *  it is, for who asks for it; and so is all where half of the room is taken, so that nobody who
 *  asks has to wait for what nobody has asked for. */
void skep_unwind_objects_load_left(struct skep_unwind_objects *objects,
				   struct skep_unwind_object *object);
/** What to take from addresses of @mapping to look them up in the object's table. */
uint64_t skep_unwind_object_bias(const struct skep_unwind_object *object,
				 const struct skep_mapping *mapping);
size_t skep_unwind_objects_memory(const struct skep_unwind_objects *objects);

#endif
