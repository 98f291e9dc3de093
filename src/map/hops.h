/*
 * Where packets go next: a number (a device's, a queue's size) and a program
 * that runs there. What devmap, devmap_hash and cpumap have in common.
 *
 * A value comes in with a program's descriptor and goes out with its id. It is
 * one word, read and written whole; programs may read it, and only read it.
 */
#ifndef SKEP_MAP_HOPS_H
#define SKEP_MAP_HOPS_H

#include "map/objects.h"

/** struct bpf_devmap_val and struct bpf_cpumap_val; the second half may be missing. */
struct skep_hop_value {
	uint32_t number; /* ifindex or qsize; 0: no hop */
	uint32_t prog;   /* descriptor or id */
};

struct skep_hop {
	uint64_t value; /* a struct skep_hop_value; atomic; 0: empty */
	void *prog;     /* atomic; NULL: none */
};

/** A table of max_entries hops. */
struct skep_hops {
	struct skep_map map;
	uint32_t lock;   /* of writers */
	uint32_t n_used; /* 1 + the highest index ever set */
	struct skep_hop *hops;
};

int skep_hops_create(const struct skep_map_attr *attr, struct skep_map **ret);
void skep_hops_free(struct skep_map *map);
/** Put @hop (or an empty one) at @index; the former's program is put. */
void skep_hops_replace(struct skep_map *map, uint32_t index, struct skep_hop hop);
/** NULL: no such index, or empty. */
struct skep_hop *skep_hops_at(struct skep_map *map, uint32_t index);

struct skep_hop_value skep_hop_value_in(const struct skep_map *map, const void *value);
/** The hop of @value with its program's reference. Return 0 | -errno of the program's descriptor.
 */
int skep_hop_get(struct skep_map *map, struct skep_hop_value value, struct skep_hop *ret);
/** Overwrite @at; returns the program that was there, to be put. */
void *skep_hop_set(struct skep_hop *at, struct skep_hop hop);
int skep_hop_copy(const struct skep_map *map, const struct skep_hop *hop, void *value);

/* Operations of the tables. */
void *skep_hops_lookup(struct skep_map *map, const void *key);
void *skep_hops_object(struct skep_map *map, const void *key);
int skep_hops_sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags);
/** As delete() of the kernel's: an empty hop is no error. */
int skep_hops_delete(struct skep_map *map, const void *key);

#endif
