/*
 * Arena: memory that lives as long as one compilation, freed in one call.
 *
 * Chunks are chained; an allocation never moves and is never freed on its own.
 * Memory comes back zeroed. Running out of memory ends the process (see
 * skep_oom() below): every reader of hostile bytes checks its own limits
 * before it asks, so a failed malloc() of a few kilobytes is not an error a
 * caller could handle better.
 */
#ifndef SKEP_ARENA_H
#define SKEP_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include <skep/begin.h>

struct skep_arena_chunk;

struct skep_arena {
	struct skep_arena_chunk *chunk; /* newest first; owned */
	char *at, *end;                 /* free space of the newest chunk */
	size_t used_bytes;              /* sum of what was asked for */
};

void skep_arena_init(struct skep_arena *arena);
void skep_arena_done(struct skep_arena *arena);

/** Zeroed, aligned to 16 bytes, never NULL. Cost O(size). */
void *skep_arena_alloc(struct skep_arena *arena, size_t size);
/** A copy of @size bytes of @data (plus a NUL behind them, so text may be copied too). */
void *skep_arena_dup(struct skep_arena *arena, const void *data, size_t size);
char *skep_arena_strdup(struct skep_arena *arena, const char *text);
char *skep_arena_printf(struct skep_arena *arena, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
char *skep_arena_vprintf(struct skep_arena *arena, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0), nonnull(2)));

#define skep_arena_new(arena, type)      ((type *)skep_arena_alloc((arena), sizeof(type)))
#define skep_arena_array(arena, type, n) ((type *)skep_arena_alloc((arena), sizeof(type) * (n)))

/** Say that memory ran out, and end the process with status 1. */
void skep_oom(void) __attribute__((noreturn));
/** malloc/realloc that do not return NULL (they call skep_oom()). */
void *skep_xmalloc(size_t size);
void *skep_xcalloc(size_t n, size_t size);
void *skep_xrealloc(void *ptr, size_t size);
char *skep_xstrdup(const char *text);

#include <skep/end.h>

#endif
