/*
 * A pool: pieces that are given back are kept in a list for each size, and the next of that size is
 * the one given back last, which is likely to be in the cache still.
 *
 *	chunk  [piece][piece][piece]…        64 KiB, then each twice the last, up to 8 MiB
 *	spare[2] ─► piece ─► piece           128 bytes each
 *
 * Sizes are rounded up to 64 bytes. A piece does not know its size, who gives it back does. Chunks
 * go in the end, all at once. Large ones are asked of Linux in huge pages: a state is mostly
 * written once, and what it costs then is the page fault.
 *
 * Where the address sanitizer looks on, pieces are malloc()'s, so that it sees each.
 */
#include "verify/pool.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#define FIRST_CHUNK_BYTES (64u << 10)
#define MOST_CHUNK_BYTES  (8u << 20)
#define HUGE_PAGE_BYTES   (2u << 20)

#if defined(__SANITIZE_ADDRESS__)
#define EACH_BY_ITSELF 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EACH_BY_ITSELF 1
#endif
#endif
#ifndef EACH_BY_ITSELF
#define EACH_BY_ITSELF 0
#endif

struct pool_piece {
	struct pool_piece *next;
};

struct pool_chunk {
	struct pool_chunk *next;
	size_t bytes;
	_Alignas(16) char pieces[]; /* as malloc() aligns */
};

static size_t units_of(size_t bytes)
{
	return (bytes + POOL_UNIT_BYTES - 1) / POOL_UNIT_BYTES;
}

static bool is_large(size_t bytes)
{
	return EACH_BY_ITSELF || bytes > POOL_MOST_BYTES;
}

size_t pool_bytes(size_t bytes)
{
	return units_of(bytes) * POOL_UNIT_BYTES;
}

/* Advice: that it is not taken does not matter. */
static void want_huge_pages(struct pool_chunk *chunk)
{
#ifdef __linux__
	uintptr_t from = ((uintptr_t)chunk + HUGE_PAGE_BYTES - 1) & -(uintptr_t)HUGE_PAGE_BYTES;
	uintptr_t to = ((uintptr_t)chunk + chunk->bytes) & -(uintptr_t)HUGE_PAGE_BYTES;

	if (from < to)
		madvise((void *)from, to - from, MADV_HUGEPAGE);
#else
	(void)chunk;
#endif
}

static bool add_chunk(struct pool *pool)
{
	size_t bytes = pool->chunks ? pool->chunks->bytes * 2 : FIRST_CHUNK_BYTES;
	struct pool_chunk *chunk;

	if (bytes > MOST_CHUNK_BYTES)
		bytes = MOST_CHUNK_BYTES;
	chunk = malloc(bytes);
	if (!chunk)
		return false;
	chunk->next = pool->chunks;
	chunk->bytes = bytes;
	want_huge_pages(chunk);
	pool->chunks = chunk;
	pool->at = chunk->pieces;
	pool->end = (char *)chunk + bytes;
	return true;
}

void *pool_get(struct pool *pool, size_t bytes)
{
	size_t units = units_of(bytes);
	struct pool_piece *piece;

	if (is_large(bytes))
		return malloc(bytes);
	piece = pool->spare[units];
	if (piece) {
		pool->spare[units] = piece->next;
		return piece;
	}
	if ((size_t)(pool->end - pool->at) < units * POOL_UNIT_BYTES && !add_chunk(pool))
		return NULL;
	piece = (void *)pool->at;
	pool->at += units * POOL_UNIT_BYTES;
	return piece;
}

void pool_put(struct pool *pool, void *piece, size_t bytes)
{
	struct pool_piece *spare = piece;

	if (!spare || is_large(bytes)) {
		free(spare);
		return;
	}
	spare->next = pool->spare[units_of(bytes)];
	pool->spare[units_of(bytes)] = spare;
}

void pool_done(struct pool *pool)
{
	while (pool->chunks) {
		struct pool_chunk *chunk = pool->chunks;

		pool->chunks = chunk->next;
		free(chunk);
	}
	*pool = (struct pool){0};
}
