/*
 * The arrays of layout.h on the heap, with a hash of processes that is a plain array; and all that
 * keeps them (struct bench), at a time that the test sets.
 */
#ifndef TESTS_UNWIND_HEAP_H
#define TESTS_UNWIND_HEAP_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/arena.h"
#include "unwind/processes.h"

/* What who is not root is told, and who has no such kernel; any other error is a fault. */
static inline bool is_refused(int err)
{
	return !err || err == -EPERM || err == -EACCES || err == -ENOSYS;
}

struct heap_process {
	uint32_t tgid; /* 0: a free place */
	struct skep_unwind_process_entry entry;
};

struct heap {
	struct skep_unwind_arrays arrays;
	struct heap_process *processes; /* owned */
	uint32_t n, n_set;
};

static inline struct heap_process *heap_find(const struct heap *heap, uint32_t tgid)
{
	for (uint32_t i = 0; i < heap->arrays.sizes.processes; i++) {
		if (heap->processes[i].tgid == tgid)
			return &heap->processes[i];
	}
	return NULL;
}

static inline int heap_set(void *ctx, uint32_t tgid, const struct skep_unwind_process_entry *entry)
{
	struct heap *heap = ctx;
	struct heap_process *at = heap_find(heap, tgid);

	if (!entry) {
		heap->n -= at != NULL;
		if (at)
			at->tgid = 0;
		return at ? 0 : -ENOENT;
	}
	heap->n += !at;
	heap->n_set++;
	if (!at)
		at = heap_find(heap, 0);
	if (!at)
		return -E2BIG;
	*at = (struct heap_process){tgid, *entry};
	return 0;
}

static inline void heap_init(struct heap *heap, const struct skep_unwind_sizes *sizes)
{
	*heap = (struct heap){0};
	skep_unwind_arrays_init(&heap->arrays, sizes);
	heap->processes = skep_xcalloc(sizes->processes, sizeof(*heap->processes));
	heap->arrays.set_process = heap_set;
	heap->arrays.ctx = heap;
}

static inline void heap_done(struct heap *heap)
{
	skep_unwind_arrays_done(&heap->arrays);
	free(heap->processes);
}

/* What is at @pc of @tgid: its `file`, and which mapping has it. */
static inline uint32_t heap_look(const struct heap *heap, uint32_t tgid, uint64_t pc,
				 struct skep_unwind_table *ret_table, uint64_t *ret_bias)
{
	const struct heap_process *process = heap_find(heap, tgid);

	return process ? skep_unwind_arrays_find(&heap->arrays, &process->entry, pc, ret_table,
						 ret_bias)
		       : SKEP_UNWIND_FILE_NONE;
}

/* The number to ask with at @pc. */
static inline uint32_t heap_number(const struct heap *heap, uint32_t tgid, uint64_t pc)
{
	const struct heap_process *process = heap_find(heap, tgid);
	uint32_t number = 0;

	for (uint32_t i = 0; process && i < process->entry.n; i++) {
		const struct skep_unwind_mapping *m =
			&heap->arrays.mappings[process->entry.first + i];
		if (m->start <= pc)
			number = m->number;
	}
	return number;
}

/* --- Processes that are kept in them ---------------------------------------------------------- */

struct bench {
	struct heap heap;
	struct skep_unwind_losses losses;
	struct skep_unwind_processes p;
};

static uint64_t bench_now_ns;

static inline uint64_t bench_clock(void)
{
	return bench_now_ns;
}

static inline void bench_begin(struct bench *b, const struct skep_unwind_sizes *sizes)
{
	*b = (struct bench){0};
	heap_init(&b->heap, sizes);
	skep_unwind_processes_init(&b->p, &b->heap.arrays, &b->losses);
	b->p.objects.now_ns = bench_clock;
	bench_now_ns = 1000000000;
}

static inline void bench_end(struct bench *b)
{
	skep_unwind_processes_done(&b->p);
	heap_done(&b->heap);
}

static inline uint32_t bench_look(const struct bench *b, uint32_t tgid, uint64_t pc)
{
	struct skep_unwind_table table;
	uint64_t bias;

	return heap_look(&b->heap, tgid, pc, &table, &bias);
}

#endif
