/*
 * Memory of states: pieces of few sizes, which come and go by the hundred thousand.
 */
#ifndef SKEP_VERIFY_POOL_H
#define SKEP_VERIFY_POOL_H

#include <stddef.h>

#define POOL_UNIT_BYTES 64
#define POOL_MOST_BYTES 16384 /* what is larger comes from malloc() */
#define POOL_CLASSES    (POOL_MOST_BYTES / POOL_UNIT_BYTES + 1)

struct pool_piece;
struct pool_chunk;

struct pool {
	struct pool_chunk *chunks;              /* owned; newest first */
	char *at, *end;                         /* free space of the newest */
	struct pool_piece *spare[POOL_CLASSES]; /* given back, by size in units */
};

/** What a piece of @bytes takes. */
size_t pool_bytes(size_t bytes);
/** Not zeroed, aligned to 16 bytes; NULL: no memory. */
void *pool_get(struct pool *pool, size_t bytes);
/** @bytes as it was asked for; NULL: nothing. */
void pool_put(struct pool *pool, void *piece, size_t bytes);
/** All pieces are gone then, but those that are larger than POOL_MOST_BYTES. */
void pool_done(struct pool *pool);

#endif
