/* Kernel functions by name: their declarations, a row of kfuncs.def each. */
#ifndef SKEP_HELPER_KFUNCS_H
#define SKEP_HELPER_KFUNCS_H

#include "helper/helpers.h"

#define KFUNC(name, ...) skep_function skep_kfunc_##name;
#include <skep/kfuncs.def>
#undef KFUNC

#define DEFINE_KFUNC(name)                                                                         \
	uint64_t skep_kfunc_##name(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,             \
				   uint64_t r5, struct skep_run *run)

#endif
