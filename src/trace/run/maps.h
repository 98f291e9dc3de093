/*
 * Reading the maps of a running script as the script means them: whatever
 * storage they have, entries come as a key and one value, per-CPU copies
 * summed; and setting them back.
 */
#ifndef SKEP_TRACE_MAPS_H
#define SKEP_TRACE_MAPS_H

#include "trace/program.h"
#include "trace/run/output.h"

struct skep_session;

struct skep_map_reader {
	const struct skep_trace_program *program;
	struct skep_session *session; /* borrowed */
	uint8_t *globals;             /* the globals, mapped; NULL: there are none */
	size_t globals_bytes;
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
void skep_map_entries_done(struct skep_map_entries *entries);
/** Remove all entries; @keep_keys: set their values to zero instead. */
int skep_map_clear(const struct skep_map_reader *reader, const struct skep_trace_map *map,
		   bool keep_keys);
/** The loss counter at byte @off of the globals. */
uint64_t skep_map_loss(const struct skep_map_reader *reader, uint32_t off);
/** Frames of a stack. Return how many | -errno */
int skep_map_stack(const struct skep_map_reader *reader, bool user, uint32_t stack_id,
		   uint64_t *ret, uint32_t max);

#endif
