/*
 * Keeping a stack, of whatever kind, in a hash map by a number that is a hash of it: so equal ones
 * are kept once, and a number is all that has to be said of one.
 */
#ifndef SKEP_INTERP_KEEP_H
#define SKEP_INTERP_KEEP_H

#include <skep/ir.h>

/** What is kept: a value whose second word of 32 bits tells those of one number apart. */
struct skep_keeping {
	struct skep_ir_func *f;
	uint32_t map;        /* of the object: hash, u32 -> value */
	uint32_t key, value; /* registers: addresses of four bytes of room, and of the value */
	uint32_t lost_map, lost_off; /* a 64-bit counter of those that found no place */
};

/**
 * Written at the current block: keep the value, whose hash is in register @hash. Where it could not
 * be kept it is counted, and the function returns 0.
 *
 * @ret_is_fresh  register: it was not there before
 * Return         register: its number, in 1…2^31
 */
uint32_t skep_keep(const struct skep_keeping *keeping, uint32_t hash, uint32_t *ret_is_fresh);

#endif
