/*
 * The arrays of layout.h in the kernel: maps that programs read, and that are
 * mapped here to be written.
 */
#ifndef SKEP_UNWIND_BPFMAPS_H
#define SKEP_UNWIND_BPFMAPS_H

#include "unwind/arrays.h"

struct skep_unwind_map_shape {
	const char *name;
	uint32_t type, key_size, value_size, max_entries, flags;
};

enum skep_unwind_map {
	SKEP_UNWIND_MAP_PROCESSES,
	SKEP_UNWIND_MAP_CODE,
	SKEP_UNWIND_MAP_HOTSPOTS,
	SKEP_UNWIND_MAP_MAPPINGS,
	SKEP_UNWIND_MAP_FILES,
	SKEP_UNWIND_MAP_PAGES,
	SKEP_UNWIND_MAP_ROWS,
	SKEP_UNWIND_MAP_RULES,
	SKEP_UNWIND_MAP_RUNTIMES,
	SKEP_UNWIND_MAP_CNT
};

struct skep_unwind_maps {
	int fds[SKEP_UNWIND_MAP_CNT]; /* owned if skep_unwind_maps_create() made them */
	bool are_owned;
	void *mapped[SKEP_UNWIND_MAP_CNT]; /* owned mappings; NULL: none, as for hashes */
	size_t mapped_bytes[SKEP_UNWIND_MAP_CNT];
	struct skep_unwind_arrays arrays; /* of these; good until skep_unwind_maps_done() */
};

/** What such a map must be like, for who creates it with the programs that read it. */
struct skep_unwind_map_shape skep_unwind_map_shape(enum skep_unwind_map map,
						   const struct skep_unwind_sizes *sizes);
/**
 * Create the maps, and map them. Where *@ret is it must stay: its arrays point to it.
 *
 * @ret    skep_unwind_maps_done(); on error too nothing is left
 * Return  0 | -EPERM not allowed | -ENOMEM | -errno
 */
int skep_unwind_maps_create(struct skep_unwind_maps *ret, const struct skep_unwind_sizes *sizes);
/** Map those of a loaded program: @fds of each, borrowed while *@ret is there. Return as above */
int skep_unwind_maps_take(struct skep_unwind_maps *ret, const int fds[SKEP_UNWIND_MAP_CNT],
			  const struct skep_unwind_sizes *sizes);
void skep_unwind_maps_done(struct skep_unwind_maps *maps);

#endif
