/* The tables of packet.def and hooks.def as data, and how they are looked things up in. */
#include "trace/packet.h"

#include <linux/bpf.h>
#include <string.h>

#define N_ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* --- Packets -------------------------------------------------------------------------------- */

static const struct skep_packet_field fields[] = {
#define LAYER(NAME, name, bytes, help)                                                             \
	{#name, SKEP_LAYER_##NAME, SKEP_LAYER_ANY, SKEP_PACKET_PRESENT, 0, 1, 0, 0, help},
#include "trace/packet.def"
#undef LAYER
#define PACKET(path, LAYER, NEEDS, KIND, off, bytes, shift, bits, help)                            \
	{                                                                                          \
		path,                                                                              \
		SKEP_LAYER_##LAYER,                                                                \
		SKEP_LAYER_##NEEDS,                                                                \
		SKEP_PACKET_##KIND,                                                                \
		off,                                                                               \
		bytes,                                                                             \
		shift,                                                                             \
		bits,                                                                              \
		help},
#include "trace/packet.def"
#undef PACKET
};

static const struct layer {
	const char *name;
	uint32_t bytes;
} layers[SKEP_LAYER_CNT] = {
#define LAYER(NAME, name, bytes, help) [SKEP_LAYER_##NAME] = {#name, bytes},
#include "trace/packet.def"
#undef LAYER
};

size_t skep_packet_fields(const struct skep_packet_field **ret)
{
	*ret = fields;
	return N_ROWS(fields);
}

const struct skep_packet_field *skep_packet_find(const char *path)
{
	for (size_t i = 0; i < N_ROWS(fields); i++) {
		if (!strcmp(fields[i].path, path))
			return &fields[i];
	}
	return NULL;
}

bool skep_packet_is_group(const char *group)
{
	size_t len = strlen(group);

	for (size_t i = 0; i < N_ROWS(fields); i++) {
		if (!strncmp(fields[i].path, group, len) && fields[i].path[len] == '.')
			return true;
	}
	return false;
}

uint32_t skep_layer_bytes(enum skep_layer layer)
{
	return layers[layer].bytes;
}

const char *skep_layer_name(enum skep_layer layer)
{
	return layers[layer].name;
}

/* --- Hooks ---------------------------------------------------------------------------------- */

static const struct skep_trace_hook hooks[SKEP_AT_CNT] = {
#define HOOK(ID, provider, name, section, prog, attach, pass, drop, link, task)                    \
	[SKEP_AT_##ID] = {SKEP_AT_##ID, #provider, name, section,          BPF_PROG_TYPE_##prog,   \
			  attach,       pass,      drop, SKEP_LINK_##link, task},
#include "trace/hooks.def"
#undef HOOK
};

#define H(ID) (1u << SKEP_AT_##ID)
static const struct skep_hook_member members[] = {
#define MEMBER(path, HOOKS, context, member, KIND, help)                                           \
	{path, HOOKS, offsetof(struct context, member), SKEP_MEMBER_##KIND, help},
#include "trace/hooks.def"
#undef MEMBER
};

const struct skep_trace_hook *skep_hook(enum skep_trace_hook_id id)
{
	return &hooks[id];
}

const struct skep_trace_hook *skep_hook_find(const char *provider, const char *name)
{
	for (size_t i = 0; i < SKEP_AT_CNT; i++) {
		if (!strcmp(hooks[i].provider, provider) && !strcmp(hooks[i].name, name))
			return &hooks[i];
	}
	return NULL;
}

size_t skep_hook_members(const struct skep_hook_member **ret)
{
	*ret = members;
	return N_ROWS(members);
}

const struct skep_hook_member *skep_hook_member_find(const struct skep_trace_hook *hook,
						     const char *path)
{
	for (size_t i = 0; hook && i < N_ROWS(members); i++) {
		if ((members[i].hooks & 1u << hook->id) && !strcmp(members[i].path, path))
			return &members[i];
	}
	return NULL;
}
