/* Names and numbers of helper functions, from helpers.def. */
#include <skep/isa.h>

#include <string.h>

static const char *const names[] = {
#define HELPER(id, name, ...) [id] = #name,
#include <skep/helpers.def>
#undef HELPER
};

#define N_HELPERS ((int32_t)(sizeof(names) / sizeof(names[0])))

const char *skep_helper_name(int32_t id)
{
	return id >= 0 && id < N_HELPERS ? names[id] : NULL;
}

int32_t skep_helper_id(const char *name, size_t len)
{
	if (len > 4 && !memcmp(name, "bpf_", 4)) {
		name += 4;
		len -= 4;
	}
	for (int32_t id = 0; id < N_HELPERS; id++) {
		if (strlen(names[id]) == len && !memcmp(names[id], name, len))
			return id;
	}
	return -1;
}
