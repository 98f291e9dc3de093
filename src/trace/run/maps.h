/*
 * Reading the maps of a running script as the script means them: whatever
 * storage they have, entries come as a key and one value, per-CPU copies
 * summed; and setting them back.
 */
#ifndef SKEP_TRACE_MAPS_H
#define SKEP_TRACE_MAPS_H

#include "trace/program.h"
#include "trace/run/output.h"
#include "interp/layout.h"
#include "unwind/walk.h"

struct skep_session;

struct skep_map_reader {
	const struct skep_trace_program *program;
	struct skep_session *session; /* borrowed */
	uint8_t *globals;             /* the globals, mapped; NULL: there are none */
	size_t globals_bytes;
	/* For each map the sums that it had when it was cleared, which no reading shows; NULL: it
	 * never was, or is no map of only_sums. */
	uint64_t **cleared;
};

/** All entries of a map; one block of heap memory holds them, see skep_map_entries_done(). */
struct skep_map_entries {
	struct skep_map_entry *entries;
	size_t n;
	void *keys, *values; /* owned */
};

int skep_map_reader_init(struct skep_map_reader *reader, const struct skep_trace_program *program,
			 struct skep_session *session);
void skep_map_reader_done(struct skep_map_reader *reader);
/** @with_unset: a scalar that was never set, or cleared, is an entry too, of value zero.
 *  Return 0 | -errno; @ret is to be freed with skep_map_entries_done() in any case. */
int skep_map_read(const struct skep_map_reader *reader, const struct skep_trace_map *map,
		  bool with_unset, struct skep_map_entries *ret);
/** Read the entries and remove them: each is seen by one reading. Of a hash, an addition that is
 *  under way to an entry at the moment of its removal is lost; of a map of only_sums, nothing; of
 *  others without keys, what is set between the two.
 *  Return 0 | -errno; @with_unset and @ret as of skep_map_read() */
int skep_map_take(const struct skep_map_reader *reader, const struct skep_trace_map *map,
		  bool with_unset, struct skep_map_entries *ret);
/**
 * Read one entry of a hash and remove it: what is added until its removal is in @ret, unless an
 * addition is under way at that moment.
 *
 * @ret    map->value->size bytes, for u64 words; untouched on error
 * Return  0 | -ENOENT it is not there | -EOPNOTSUPP it is no hash | -errno
 */
int skep_map_take_key(const struct skep_map_reader *reader, const struct skep_trace_map *map,
		      const void *key, void *ret);
void skep_map_entries_done(struct skep_map_entries *entries);
/** Take one aggregate's value into another's @total, as those of several CPUs are. */
void skep_map_fold(const struct skep_type *type, void *total, const void *value);
/** Remove all entries; @keep_keys: set their values to zero instead. Sums of only_sums stay where
 *  they are, and readings leave them out from now on: nothing can be lost. */
int skep_map_clear(const struct skep_map_reader *reader, const struct skep_trace_map *map,
		   bool keep_keys);
/** The loss counter at byte @off of the globals. */
uint64_t skep_map_loss(const struct skep_map_reader *reader, uint32_t off);
/** Frames of a stack. Return how many | -errno */
int skep_map_stack(const struct skep_map_reader *reader, bool user, uint32_t stack_id,
		   uint64_t *ret, uint32_t max);
/** What is kept by numbers; the first two are as `user` elsewhere. */
enum skep_stack_kind {
	SKEP_STACK_KERNEL,
	SKEP_STACK_USER,
	SKEP_STACK_CHAIN, /* of an interpreter's frames: that of several user stacks, mostly */
	SKEP_STACK_KIND_CNT
};
/** Remove one: its number may then be given to another. Return 0 | -ENOENT | -errno */
int skep_map_stack_forget(const struct skep_map_reader *reader, enum skep_stack_kind kind,
			  uint32_t number);
/** The number behind *@number; NULL: the first. Return 0 | -ENOENT there is none */
int skep_map_stack_next(const struct skep_map_reader *reader, enum skep_stack_kind kind,
			const uint32_t *number, uint32_t *ret);
/** The number of the chain that a user stack refers to; 0: it has none, or is not there. */
uint32_t skep_map_stack_chain(const struct skep_map_reader *reader, uint32_t stack_id);
/** A user stack as the walk has kept it, whole. Return 0 | -ENOENT it is not there, or stacks are
 *  by frame pointers | -errno */
int skep_map_unwound(const struct skep_map_reader *reader, uint32_t stack_id,
		     struct skep_unwind_stack *ret);
/** Why a user stack has no more frames: SKEP_UNWIND_ROOT also where nobody knows, as frame pointers
 *  do not tell. */
enum skep_unwind_end skep_map_stack_end(const struct skep_map_reader *reader, uint32_t stack_id);
/** The frames of the interpreter that a user stack runs in.
 *  Return 0 | -ENOENT none | -ESTALE it had some, which are no longer there | -errno */
int skep_map_stack_interp(const struct skep_map_reader *reader,
			  const struct skep_unwind_stack *stack, struct skep_interp_stack *ret);

#endif
