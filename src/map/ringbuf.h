/*
 * What the two kinds of ring buffer share: the memory, laid out as the
 * kernel's, so that libbpf reads and writes it.
 *
 *	           in the file   as mapped here
 *	head       2 + n         0      lock, mask, map: ours alone
 *	consumer   0             1      consumer position
 *	producer   1             2      producer position, pending position
 *	data       2 … 2+n       3 …    records
 *	data                     3+n …  the same pages again: no record is ever cut in two
 *
 * All numbers are pages. A record is a header of 8 bytes, its bytes, and what
 * fills up to 8; the header's second word is its distance from the head in
 * pages, by which a record alone leads back to its ring.
 *
 *	 31   30      29 … 0        63 … 32
 *	+----+-------+-------------+---------------+
 *	|busy|discard| length      | pages to head |
 *	+----+-------+-------------+---------------+
 */
#ifndef SKEP_MAP_RINGBUF_H
#define SKEP_MAP_RINGBUF_H

#include "map/lock.h"

#include <skep/map.h>

enum {
	SKEP_RB_HEADER_BYTES = 8,
	SKEP_RB_FIRST_PAGES = 3, /* before the data */
};
#define SKEP_RB_BUSY    0x80000000u
#define SKEP_RB_DISCARD 0x40000000u

/* flags of output, submit, discard, drain; see BPF_RB_* */
#define SKEP_RB_NO_WAKEUP    1u
#define SKEP_RB_FORCE_WAKEUP 2u

/* At the start of the head's page. */
struct skep_ring_head {
	uint32_t lock; /* kernel-side producers */
	uint32_t busy; /* user_ringbuf: someone drains */
	uint64_t mask;
	struct skep_map *map;
};

/* At the start of the producer's page. */
struct skep_ring_producer {
	uint64_t pos;
	uint64_t pending; /* up to here everything is committed, as far as is known */
};

struct skep_ring {
	struct skep_map map;
	struct skep_ring_head *head;
	uint64_t *consumer;
	struct skep_ring_producer *producer;
	uint8_t *data;
	uint64_t mask;
};

int skep_ring_check(const struct skep_map_attr *attr);
int skep_ring_create(const struct skep_map_attr *attr, struct skep_map **ret);
void skep_ring_free(struct skep_map *map);
/** mmap() once the rights are settled. */
intptr_t skep_ring_map_pages(struct skep_map *map, void *addr, size_t len, int prot, int flags,
			     uint64_t off);
void skep_ring_wake(struct skep_map *map, bool force);

/* Element operations: there are none. */
void *skep_ring_lookup(struct skep_map *map, const void *key);
int skep_ring_update(struct skep_map *map, const void *key, const void *value, uint64_t flags);
int skep_ring_delete(struct skep_map *map, const void *key);
int skep_ring_sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags);
int skep_ring_next_key(struct skep_map *map, const void *key, void *next_key);

static inline uint64_t skep_ring_up8(uint64_t bytes)
{
	return (bytes + 7) & ~UINT64_C(7);
}

/** What both kinds of ring do alike. */
#define SKEP_RING_OPS                                                                              \
	.check = skep_ring_check, .create = skep_ring_create, .free = skep_ring_free,              \
	.lookup = skep_ring_lookup, .update = skep_ring_update, .delete = skep_ring_delete,        \
	.sys_lookup = skep_ring_sys_lookup, .next_key = skep_ring_next_key

#endif
