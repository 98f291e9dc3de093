/* What is in a map: see map.h. */
#include "engine/map.h"

#include <errno.h>
#include <string.h>

#include <skep/btf.h>
#include <skep/map.h>

#include "base/fd.h"
#include "engine/prog.h"
#include "engine/value.h"

#define MOST_VALUE_BYTES (64u << 20) /* of all CPUs */

int skep_map_info(int fd, struct bpf_map_info *ret)
{
	memset(ret, 0, sizeof(*ret));
	return skep_bpf_info(fd, ret, sizeof(*ret));
}

const char *skep_map_type_name(uint32_t type)
{
	static const char *const names[] = {
#define SKEP_MAP_TYPE(number, NAME, name, help) [number] = #name,
#include "skep/map_types.def"
#undef SKEP_MAP_TYPE
	};

	return type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type] : "unknown";
}

uint32_t skep_map_next_id(uint32_t id)
{
	uint32_t next = 0;

	skep_bpf_next_id(BPF_MAP_GET_NEXT_ID, id, &next);
	return next;
}

int skep_map_open_id(uint32_t id)
{
	return skep_bpf_open_id(BPF_MAP_GET_FD_BY_ID, id);
}

/* --- Opening --------------------------------------------------------------------------------- */

static bool is_per_cpu(uint32_t type)
{
	return type == SKEP_MAP_PERCPU_HASH || type == SKEP_MAP_PERCPU_ARRAY ||
	       type == SKEP_MAP_LRU_PERCPU_HASH || type == SKEP_MAP_PERCPU_CGROUP_STORAGE;
}

/* Maps that hold maps, programs or sockets give their numbers, of 4 bytes, whatever they hold. */
static uint32_t value_bytes(const struct bpf_map_info *info)
{
	return info->value_size < 8 ? 8 : info->value_size;
}

static int make_room(struct skep_view *view)
{
	view->n_cpus = is_per_cpu(view->info.type) ? skep_possible_cpus() : 1;
	view->stride = (value_bytes(&view->info) + 7) & ~7u;
	if ((uint64_t)view->stride * view->n_cpus > MOST_VALUE_BYTES)
		return -EFBIG;
	view->key = calloc(1, view->info.key_size + 8);
	view->value = calloc(view->n_cpus, view->stride);
	return view->key && view->value ? 0 : -ENOMEM;
}

/* Types as the map has them. A size that differs from the map's is a type of something else. */
static void find_types(struct skep_view *view)
{
	const struct bpf_map_info *info = &view->info;

	if (skep_engine_btf(info->btf_id, &view->btf))
		return;
	if (skep_btf_size(view->btf, info->btf_key_type_id) == info->key_size)
		view->key_type = info->btf_key_type_id;
	if (skep_btf_size(view->btf, info->btf_value_type_id) == info->value_size)
		view->value_type = info->btf_value_type_id;
}

int skep_view_open(int fd, struct skep_view *ret)
{
	struct skep_view view = {.fd = fd};
	int err = skep_map_info(fd, &view.info);

	if (!err)
		err = make_room(&view);
	if (err) {
		skep_view_done(&view);
		return err;
	}
	find_types(&view);
	*ret = view;
	return 0;
}

void skep_view_done(struct skep_view *view)
{
	skep_close(&view->fd);
	skep_btf_free(view->btf);
	free(view->key);
	free(view->value);
	*view = (struct skep_view){.fd = -1};
}

/* --- Entries --------------------------------------------------------------------------------- */

const char *skep_view_unreadable(const struct skep_view *view)
{
	static const struct {
		uint32_t type;
		const char *why;
	} none[] = {
		{SKEP_MAP_RINGBUF, "a ring buffer is read by whoever waits for its records"},
		{SKEP_MAP_USER_RINGBUF, "a ring buffer is read by the program"},
		{SKEP_MAP_PERF_EVENT_ARRAY, "perf buffers are read by whoever opened them"},
		{SKEP_MAP_QUEUE, "elements of a queue are taken, not looked at"},
		{SKEP_MAP_STACK, "elements of a stack are taken, not looked at"},
		{SKEP_MAP_BLOOM_FILTER, "a bloom filter does not know what was put in"},
		{SKEP_MAP_CGROUP_ARRAY, "its cgroups can only be set"},
		{SKEP_MAP_TASK_STORAGE, "what it keeps is found by the task only"},
		{SKEP_MAP_SK_STORAGE, "what it keeps is found by the socket only"},
		{SKEP_MAP_INODE_STORAGE, "what it keeps is found by the file only"},
		{SKEP_MAP_CGRP_STORAGE, "what it keeps is found by the cgroup only"},
		{SKEP_MAP_ARENA, "an arena is memory without entries"},
	};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		if (none[i].type == view->info.type)
			return none[i].why;
	}
	return NULL;
}

int skep_view_lookup(struct skep_view *view)
{
	return skep_bpf_map_lookup(view->fd, view->key, view->value, 0);
}

int skep_view_next(struct skep_view *view)
{
	if (skep_view_unreadable(view))
		return -ENOTSUP;
	for (;;) {
		int err = skep_bpf_map_next_key(view->fd, view->started ? view->key : NULL,
						view->key);

		if (err)
			return err == -ENOENT ? 0 : err;
		view->started = true;
		err = skep_view_lookup(view);
		if (err != -ENOENT)
			return err ? err : 1;
	}
}

int skep_view_update(struct skep_view *view)
{
	for (uint32_t cpu = 1; cpu < view->n_cpus; cpu++)
		memcpy(view->value + (size_t)cpu * view->stride, view->value, view->stride);
	return skep_bpf_map_update(view->fd, view->key, view->value, BPF_ANY);
}

int skep_view_delete(struct skep_view *view)
{
	return skep_bpf_map_delete(view->fd, view->key);
}

bool skep_view_is_variables(const struct skep_view *view)
{
	return view->btf && view->value_type &&
	       skep_btf_kind(view->btf, view->value_type) == SKEP_BTF_DATASEC;
}

bool skep_view_is_zero(const struct skep_view *view)
{
	size_t n = (size_t)view->n_cpus * view->stride;

	return !n || (!view->value[0] && !memcmp(view->value, view->value + 1, n - 1));
}

/* --- As text --------------------------------------------------------------------------------- */

void skep_view_key_text(const struct skep_view *view, bool json, struct skep_buf *out)
{
	const struct skep_value key = {view->btf, view->key_type, view->key, view->info.key_size};

	skep_value_print(&key, json, out);
}

void skep_view_value_text(const struct skep_view *view, bool json, struct skep_buf *out)
{
	struct skep_value value = {view->btf, view->value_type, view->value, view->info.value_size};

	if (view->n_cpus == 1) {
		skep_value_print(&value, json, out);
		return;
	}
	skep_buf_addc(out, '[');
	for (uint32_t cpu = 0; cpu < view->n_cpus; cpu++) {
		if (cpu)
			skep_buf_puts(out, ", ");
		value.data = view->value + (size_t)cpu * view->stride;
		skep_value_print(&value, json, out);
	}
	skep_buf_addc(out, ']');
}

int skep_view_parse_key(struct skep_view *view, const char *text, struct skep_diag *diag)
{
	const struct skep_value key = {view->btf, view->key_type, NULL, view->info.key_size};

	return skep_value_parse(&key, text, view->key, diag);
}

int skep_view_parse_value(struct skep_view *view, const char *text, struct skep_diag *diag)
{
	const struct skep_value value = {view->btf, view->value_type, NULL, view->info.value_size};

	return skep_value_parse(&value, text, view->value, diag);
}
