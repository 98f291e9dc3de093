/* The rows of kfuncs.def as prototypes and functions, found by name. */
#include "helper/kfuncs.h"

#include <string.h>

#include <skep/helper_words.h>

static const struct skep_proto protos[] = {
#define KFUNC(name, ret, a1, a2, a3, a4, a5, flags, family) PROTO(ret, a1, a2, a3, a4, a5, flags),
#include <skep/kfuncs.def>
#undef KFUNC
};

enum {
#define KFUNC(name, ...) ROW_##name,
#include <skep/kfuncs.def>
#undef KFUNC
	N_ROWS
};

static const struct skep_callable rows[N_ROWS] = {
#define KFUNC(name, ...) {"bpf_" #name, skep_kfunc_##name, &protos[ROW_##name]},
#include <skep/kfuncs.def>
#undef KFUNC
};

const struct skep_callable *skep_kfunc(const char *name)
{
	for (uint32_t i = 0; i < N_ROWS; i++) {
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	}
	return NULL;
}
