/*
 * Free stretches of numbers, in the order in which the kernel's range tree
 * gives them out: the shortest that is long enough, and of equals the one that
 * was changed last.
 *
 * All of it is in the memory given, without pointers, so that processes can
 * share it. The caller locks.
 */
#ifndef SKEP_MAP_RANGES_H
#define SKEP_MAP_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skep_range {
	uint32_t start, last;
	uint64_t changed; /* when: greater is later */
};

struct skep_ranges {
	uint64_t clock;
	uint32_t n, most;
	struct skep_range ranges[]; /* ascending, never touching each other */
};

/** Bytes for stretches among @numbers numbers. */
size_t skep_ranges_bytes(uint32_t numbers);
/** All of 0 … @numbers - 1 are free. @ranges: skep_ranges_bytes() of zeros. */
void skep_ranges_init(struct skep_ranges *ranges, uint32_t numbers);
/** Where @n free numbers in a row begin: Return 0 | -ENOENT */
int skep_ranges_find(const struct skep_ranges *ranges, uint32_t n, uint32_t *ret_start);
/** Are all @n numbers from @start on free? */
bool skep_ranges_are_free(const struct skep_ranges *ranges, uint32_t start, uint32_t n);
void skep_ranges_take(struct skep_ranges *ranges, uint32_t start, uint32_t n);
void skep_ranges_give_back(struct skep_ranges *ranges, uint32_t start, uint32_t n);

#endif
