#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES (32 * 1024)
#define ALIGN_BYTES 16

struct skep_arena_chunk {
	struct skep_arena_chunk *next;
	_Alignas(ALIGN_BYTES) char data[];
};

_Noreturn void skep_oom(void)
{
	static const char msg[] = "skep: out of memory\n";
	(void)!write(STDERR_FILENO, msg, sizeof(msg) - 1);
	_exit(1);
}

void *skep_xmalloc(size_t size)
{
	void *ptr = malloc(size ? size : 1);
	return ptr ? ptr : (skep_oom(), NULL);
}

void *skep_xcalloc(size_t n, size_t size)
{
	void *ptr = calloc(n ? n : 1, size ? size : 1);
	return ptr ? ptr : (skep_oom(), NULL);
}

void *skep_xrealloc(void *ptr, size_t size)
{
	void *grown = realloc(ptr, size ? size : 1);
	return grown ? grown : (skep_oom(), NULL);
}

char *skep_xstrdup(const char *text)
{
	char *copy = strdup(text);
	return copy ? copy : (skep_oom(), NULL);
}

void skep_arena_init(struct skep_arena *arena)
{
	*arena = (struct skep_arena){0};
}

void skep_arena_done(struct skep_arena *arena)
{
	struct skep_arena_chunk *chunk = arena->chunk;

	while (chunk) {
		struct skep_arena_chunk *next = chunk->next;
		free(chunk);
		chunk = next;
	}
	skep_arena_init(arena);
}

/* calloc(): fresh pages from the kernel are zero already, so large chunks cost nothing here. */
static void add_chunk(struct skep_arena *arena, size_t size)
{
	size_t bytes = size > CHUNK_BYTES / 4 ? size : CHUNK_BYTES;
	struct skep_arena_chunk *chunk = skep_xcalloc(1, sizeof(*chunk) + bytes);

	chunk->next = arena->chunk;
	arena->chunk = chunk;
	arena->at = chunk->data;
	arena->end = chunk->data + bytes;
}

void *skep_arena_alloc(struct skep_arena *arena, size_t size)
{
	if (size > SIZE_MAX / 2)
		skep_oom();
	arena->used_bytes += size;
	size = (size + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);
	if (!arena->at || size > (size_t)(arena->end - arena->at))
		add_chunk(arena, size);
	char *ptr = arena->at;
	arena->at += size;
	return ptr;
}

void *skep_arena_dup(struct skep_arena *arena, const void *data, size_t size)
{
	char *copy = skep_arena_alloc(arena, size + 1);

	if (size)
		memcpy(copy, data, size);
	return copy;
}

char *skep_arena_strdup(struct skep_arena *arena, const char *text)
{
	return skep_arena_dup(arena, text, strlen(text));
}

char *skep_arena_vprintf(struct skep_arena *arena, const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);
	int len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (len <= 0) /* a format that cannot be, or nothing to say */
		return skep_arena_alloc(arena, 1);
	char *text = skep_arena_alloc(arena, (size_t)len + 1);
	vsnprintf(text, (size_t)len + 1, fmt, ap);
	return text;
}

char *skep_arena_printf(struct skep_arena *arena, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *text = skep_arena_vprintf(arena, fmt, ap);
	va_end(ap);
	return text;
}
