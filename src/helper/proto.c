/*
 * The rows of helpers.def as prototypes and functions: what the verifier, the
 * checked interpreter and the linker ask for by number.
 *
 * A result or an argument is written as one word in the table; words.h has
 * what each stands for.
 */
#include "helper/helpers.h"
#include <skep/helper_words.h>

#include <string.h>

static const struct skep_proto protos[] = {
#define HELPER(id, name, ret, a1, a2, a3, a4, a5, flags, family)                                   \
	[id] = PROTO(ret, a1, a2, a3, a4, a5, flags),
#include <skep/helpers.def>
#undef HELPER
};

/* Where the function is: a family has it, or there is none. */
#define FAMILY_none(name)       NULL
#define FAMILY_maps(name)       skep_helper_##name
#define FAMILY_calls(name)      skep_helper_##name
#define FAMILY_ringbuf(name)    skep_helper_##name
#define FAMILY_print(name)      skep_helper_##name
#define FAMILY_strings(name)    skep_helper_##name
#define FAMILY_host(name)       skep_helper_##name
#define FAMILY_task(name)       skep_helper_##name
#define FAMILY_probe(name)      skep_helper_##name
#define FAMILY_csum(name)       skep_helper_##name
#define FAMILY_skb(name)        skep_helper_##name
#define FAMILY_skb_adjust(name) skep_helper_##name
#define FAMILY_vlan(name)       skep_helper_##name
#define FAMILY_redirect(name)   skep_helper_##name
#define FAMILY_xdp(name)        skep_helper_##name
#define FAMILY_perf(name)       skep_helper_##name
#define FAMILY_timer(name)      skep_helper_##name
#define FAMILY_lock(name)       skep_helper_##name
#define FAMILY_kptr(name)       skep_helper_##name
#define FAMILY_dynptr(name)     skep_helper_##name
#define FAMILY_storage(name)    skep_helper_##name
#define FAMILY_sockets(name)    skep_helper_##name
#define FAMILY_trace(name)      skep_helper_##name

static const struct skep_callable helpers[] = {
#define HELPER(id, name, ret, a1, a2, a3, a4, a5, flags, family)                                   \
	[id] = {#name, FAMILY_##family(name), &protos[id]},
#include <skep/helpers.def>
#undef HELPER
};

const struct skep_callable *skep_helper(int32_t id)
{
	if (id <= 0 || (size_t)id >= sizeof(helpers) / sizeof(helpers[0]))
		return NULL;
	return &helpers[id];
}
