/*
 * What ring buffers and arenas ask of the system's memory: files without a
 * name whose pages can be seen at several addresses. The only file of theirs
 * that knows mmap(); where there is none (or no memfd_create()), these two
 * kinds of map cannot be made and everything else works.
 */
#ifndef SKEP_MAP_PAGES_H
#define SKEP_MAP_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

size_t skep_pages_bytes(void); /* of one page */
static inline uint64_t skep_pages_up(uint64_t bytes)
{
	return (bytes + skep_pages_bytes() - 1) & ~(uint64_t)(skep_pages_bytes() - 1);
}

/** Private zeroed memory that costs nothing until it is used; NULL: none. */
void *skep_pages_zeroed(size_t bytes);
/** Addresses with nothing behind them yet. */
void *skep_pages_reserve(size_t bytes);
void skep_pages_release(void *at, size_t bytes);

/** A file of @bytes, all zero and taking no memory yet. Return the descriptor | -errno */
int skep_pages_file(const char *name, uint64_t bytes);
/** Show the file's bytes from @off at @at, in the place of what was there; shared with children.
 */
int skep_pages_place(void *at, size_t bytes, int prot, int fd, uint64_t off);
/** Give the pages back; they read as zero again, wherever they are mapped. @at is one such place.
 */
int skep_pages_clear(int fd, uint64_t off, uint64_t bytes, void *at);
/** The first page at or after @off that someone touched; UINT64_MAX: none. */
uint64_t skep_pages_next_used(int fd, uint64_t off);

#endif
