/*
 * A reference interpreter of the IR as built, before any pass: one instruction
 * after the other, on the host's memory. Slow and obvious.
 */
#ifndef TESTS_IR_INTERP_H
#define TESTS_IR_INTERP_H

#include "ir/ir.h"

#define INTERP_MAPS 8

struct interp {
	void *maps[INTERP_MAPS]; /* values of array maps; borrowed */
	uint32_t value_size[INTERP_MAPS];
	uint32_t n_entries[INTERP_MAPS];
	uint64_t n_steps;
};

uint64_t interp_run(struct interp *in, const struct skep_ir_func *f, const uint64_t *args);

#endif
