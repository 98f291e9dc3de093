/*
 * The arrays of layout.h, wherever their memory is: in the kernel, as maps that
 * are mapped here (bpfmaps.h), or on the heap. Who writes them is store.h (files,
 * pages, rows, rules, runtimes) and processes.h (mappings, and the hash of processes).
 */
#ifndef SKEP_UNWIND_ARRAYS_H
#define SKEP_UNWIND_ARRAYS_H

#include <stddef.h>

#include "interp/layout.h"
#include "unwind/layout.h"

struct skep_unwind_arrays {
	struct skep_unwind_sizes sizes;
	struct skep_unwind_mapping *mappings;
	struct skep_unwind_file *files;
	uint32_t *pages;
	struct skep_unwind_row *rows;
	struct skep_unwind_rule *rules;
	struct skep_interp_runtime *runtimes; /* as many as files */
	/** Say where the mappings of @tgid are; @entry NULL: it is no more.
	 *  Return 0 | -E2BIG there is no room for a further process | -errno */
	int (*set_process)(void *ctx, uint32_t tgid, const struct skep_unwind_process_entry *entry);
	/** Say what is known of a file's code; @code NULL: nothing any more. What there is no
	 *  room for is not said: who maps it waits for user space then. NULL: nobody asks. */
	void (*set_code)(void *ctx, const struct skep_unwind_code_key *key,
			 const struct skep_unwind_code *code);
	void *ctx; /* borrowed: of both */
};

/** What a machine with some thousand processes has room in: 23 MB. */
extern const struct skep_unwind_sizes skep_unwind_default_sizes;
/** Room for what this machine runs now, a quarter of those at least: for who stays for days.
 *  Cost some 0.1 ms a process */
void skep_unwind_sizes_here(struct skep_unwind_sizes *ret);

/** The arrays on the heap, zeroed; their processes are nobody's until set_process is. */
void skep_unwind_arrays_init(struct skep_unwind_arrays *ret, const struct skep_unwind_sizes *sizes);
/** Of those from skep_unwind_arrays_init() only. */
void skep_unwind_arrays_done(struct skep_unwind_arrays *arrays);
/** Bytes of all the arrays, of `processes` those of keys and values. */
size_t skep_unwind_sizes_bytes(const struct skep_unwind_sizes *sizes);

/**
 * What a program in the kernel looks up: the table at @pc in a process's block.
 *
 * @ret_table  a view of the arrays: not to be freed; of its numbers of rows and rules nothing is
 *             said. Filled only where an index of `files` is returned
 * @ret_bias   what to take from @pc to look it up there
 * Return      the mapping's `file`
 */
uint32_t skep_unwind_arrays_find(const struct skep_unwind_arrays *arrays,
				 const struct skep_unwind_process_entry *entry, uint64_t pc,
				 struct skep_unwind_table *ret_table, uint64_t *ret_bias);

#endif
