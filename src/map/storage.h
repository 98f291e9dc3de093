/* Values by owner: what the local storages and the cgroup storages have in common. */
#ifndef SKEP_MAP_STORAGE_H
#define SKEP_MAP_STORAGE_H

#include "map/chains.h"
#include "map/ops.h"

struct skep_storage {
	struct skep_map map;
	struct skep_chains owners; /* pointer → value */
	struct skep_storage *next; /* of all maps of storages */
};

/** Make the table of owners, with values of @value_bytes, and enlist the map. */
int skep_storage_init(struct skep_storage *storage, uint32_t value_bytes);
void skep_storage_done(struct skep_storage *storage);

#endif
