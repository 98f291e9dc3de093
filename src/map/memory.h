/*
 * Memory of maps, and the one place that knows how the system gives it: a file
 * by system. Most maps live in a reservation, which children of fork() share and
 * which counts only as far as it is used; so every map takes its worst size at
 * once and never moves. What is seen at several addresses is a file without a
 * name: ring buffers, arenas, arrays that may be mapped.
 *
 * Invariant: what was reserved stays until it is released, zeroed where it was
 * not written.
 */
#ifndef SKEP_MAP_MEMORY_H
#define SKEP_MAP_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes of a page, and @bytes rounded up to whole ones. */
size_t skep_memory_page(void);
static inline size_t skep_memory_round_page(size_t bytes)
{
	return (bytes + skep_memory_page() - 1) & ~(skep_memory_page() - 1);
}

/* --- Without a file; what is got is released with the same @bytes ---------------------------- */

/** @bytes (rounded up to pages) of zeros that children share; pages come with use. NULL: no address
 *  space. */
void *skep_memory_reserve(size_t bytes);
/** The same, of this process alone: a child has a copy. */
void *skep_memory_private(size_t bytes);
/** Addresses with nothing behind them yet: skep_memory_place() puts something there. */
void *skep_memory_addresses(size_t bytes);
/** @at NULL: nothing is done. */
void skep_memory_release(void *at, size_t bytes);

/* --- Files: where there are none, these maps cannot be made (-ENOSYS), and all else works ---- */

/** What mmap() is asked for. */
struct skep_memory_view {
	void *addr;
	size_t len;
	int prot, flags;
	uint64_t off;
};

/** A file of @bytes, all zero and taking no memory yet. Return the descriptor | -errno */
int skep_memory_file(const char *name, uint64_t bytes);
/** skep_memory_reserve() behind a file of its own, whose descriptor the caller closes. @ret_fd -1:
 *  the system maps no descriptors, and the memory has none. NULL: none. */
void *skep_memory_reserve_fd(const char *name, size_t bytes, int *ret_fd);
/** mmap() of a file, with its arguments. Return the address | -errno */
intptr_t skep_memory_show(int fd, const struct skep_memory_view *view);
/** Show the file's bytes from @off at @at, in the place of what was there; shared with children.
 */
int skep_memory_place(void *at, size_t bytes, int prot, int fd, uint64_t off);
/** Give the pages back; they read as zero again, wherever they are mapped. @at is one such place.
 */
int skep_memory_clear(int fd, uint64_t off, uint64_t bytes, void *at);
/** The first page at or after @off that someone touched; UINT64_MAX: none. */
uint64_t skep_memory_next_used(int fd, uint64_t off);

/* --- The machine ----------------------------------------------------------------------------- */

/** What nobody can guess. */
uint64_t skep_memory_seed(void);
/** Could the machine ever hold so much? What is allocated in full asks first. */
bool skep_memory_fits(uint64_t bytes);

#endif
