/* The arrays of layout.h in the kernel, see bpfmaps.h. */
#include "unwind/bpfmaps.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "interp/hotspot_layout.h"
#include "linux/bpf.h"

#define HOTSPOT_SHARE  128
#define HOTSPOTS_LEAST 64

/* An array is the only value of its map: so a program reads it without a call, and elements of four
 * bytes take four, not eight. */
static struct skep_unwind_map_shape array(const char *name, uint32_t n, size_t entry_bytes)
{
	return (struct skep_unwind_map_shape){.name = name,
					      .type = BPF_MAP_TYPE_ARRAY,
					      .key_size = sizeof(uint32_t),
					      .value_size = n * (uint32_t)entry_bytes,
					      .max_entries = 1,
					      .flags = BPF_F_MMAPABLE};
}

static struct skep_unwind_map_shape hash(const char *name, uint32_t n, size_t key_bytes,
					 size_t value_bytes)
{
	return (struct skep_unwind_map_shape){.name = name,
					      .type = BPF_MAP_TYPE_HASH,
					      .key_size = (uint32_t)key_bytes,
					      .value_size = (uint32_t)value_bytes,
					      .max_entries = n};
}

/* Few processes make code as they run, and what was forgotten is asked for again. */
static struct skep_unwind_map_shape hotspots(uint32_t n_processes)
{
	uint32_t n = n_processes / HOTSPOT_SHARE;
	struct skep_unwind_map_shape shape =
		hash("uw_hotspots", n > HOTSPOTS_LEAST ? n : HOTSPOTS_LEAST, sizeof(uint32_t),
		     sizeof(struct skep_hotspot));

	shape.type = BPF_MAP_TYPE_LRU_HASH;
	return shape;
}

struct skep_unwind_map_shape skep_unwind_map_shape(enum skep_unwind_map map,
						   const struct skep_unwind_sizes *sizes)
{
	switch (map) {
	case SKEP_UNWIND_MAP_MAPPINGS:
		return array("uw_mappings", sizes->mappings, sizeof(struct skep_unwind_mapping));
	case SKEP_UNWIND_MAP_FILES:
		return array("uw_files", sizes->files, sizeof(struct skep_unwind_file));
	case SKEP_UNWIND_MAP_PAGES: return array("uw_pages", sizes->pages, sizeof(uint32_t));
	case SKEP_UNWIND_MAP_ROWS:
		return array("uw_rows", sizes->rows, sizeof(struct skep_unwind_row));
	case SKEP_UNWIND_MAP_RULES:
		return array("uw_rules", sizes->rules, sizeof(struct skep_unwind_rule));
	case SKEP_UNWIND_MAP_RUNTIMES:
		return array("uw_runtimes", sizes->files, sizeof(struct skep_interp_runtime));
	case SKEP_UNWIND_MAP_CODE:
		return hash("uw_code", sizes->files, sizeof(struct skep_unwind_code_key),
			    sizeof(struct skep_unwind_code));
	case SKEP_UNWIND_MAP_HOTSPOTS: return hotspots(sizes->processes);
	default:
		return hash("uw_processes", sizes->processes, sizeof(uint32_t),
			    sizeof(struct skep_unwind_process_entry));
	}
}

static int create(const struct skep_unwind_map_shape *shape)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = shape->type;
	attr.key_size = shape->key_size;
	attr.value_size = shape->value_size;
	attr.max_entries = shape->max_entries;
	attr.map_flags = shape->flags;
	memcpy(attr.map_name, shape->name, strlen(shape->name));
	return skep_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

static int set_process(void *ctx, uint32_t tgid, const struct skep_unwind_process_entry *entry)
{
	const struct skep_unwind_maps *maps = ctx;
	int fd = maps->fds[SKEP_UNWIND_MAP_PROCESSES];

	if (entry)
		return skep_bpf_map_update(fd, &tgid, entry, BPF_ANY);
	skep_bpf_map_delete(maps->fds[SKEP_UNWIND_MAP_HOTSPOTS], &tgid);
	return skep_bpf_map_delete(fd, &tgid);
}

static void set_code(void *ctx, const struct skep_unwind_code_key *key,
		     const struct skep_unwind_code *code)
{
	const struct skep_unwind_maps *maps = ctx;
	int fd = maps->fds[SKEP_UNWIND_MAP_CODE];

	if (code)
		skep_bpf_map_update(fd, key, code, BPF_ANY);
	else
		skep_bpf_map_delete(fd, key);
}

static int map_array(struct skep_unwind_maps *maps, enum skep_unwind_map map,
		     const struct skep_unwind_sizes *sizes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = (skep_unwind_map_shape(map, sizes).value_size + page - 1) & ~(page - 1);
	void *at = skep_bpf_mmap(bytes, PROT_READ | PROT_WRITE, maps->fds[map], 0);

	if (at == MAP_FAILED)
		return -errno;
	maps->mapped[map] = at;
	maps->mapped_bytes[map] = bytes;
	return 0;
}

static int map_all(struct skep_unwind_maps *maps, const struct skep_unwind_sizes *sizes)
{
	int err = 0;

	for (int i = SKEP_UNWIND_MAP_MAPPINGS; i < SKEP_UNWIND_MAP_CNT && !err; i++)
		err = map_array(maps, i, sizes);
	if (err)
		return err;
	maps->arrays = (struct skep_unwind_arrays){
		.sizes = *sizes,
		.mappings = maps->mapped[SKEP_UNWIND_MAP_MAPPINGS],
		.files = maps->mapped[SKEP_UNWIND_MAP_FILES],
		.pages = maps->mapped[SKEP_UNWIND_MAP_PAGES],
		.rows = maps->mapped[SKEP_UNWIND_MAP_ROWS],
		.rules = maps->mapped[SKEP_UNWIND_MAP_RULES],
		.runtimes = maps->mapped[SKEP_UNWIND_MAP_RUNTIMES],
		.set_process = set_process,
		.set_code = set_code,
		.ctx = maps,
	};
	return 0;
}

static int create_all(struct skep_unwind_maps *maps, const struct skep_unwind_sizes *sizes)
{
	for (int i = 0; i < SKEP_UNWIND_MAP_CNT; i++) {
		struct skep_unwind_map_shape shape = skep_unwind_map_shape(i, sizes);
		maps->fds[i] = create(&shape);
		if (maps->fds[i] < 0)
			return maps->fds[i];
	}
	return 0;
}

int skep_unwind_maps_create(struct skep_unwind_maps *ret, const struct skep_unwind_sizes *sizes)
{
	*ret = (struct skep_unwind_maps){.are_owned = true};
	memset(ret->fds, -1, sizeof(ret->fds));
	int err = create_all(ret, sizes);
	if (!err)
		err = map_all(ret, sizes);
	if (err)
		skep_unwind_maps_done(ret);
	return err;
}

int skep_unwind_maps_take(struct skep_unwind_maps *ret, const int fds[SKEP_UNWIND_MAP_CNT],
			  const struct skep_unwind_sizes *sizes)
{
	*ret = (struct skep_unwind_maps){.are_owned = false};
	memcpy(ret->fds, fds, sizeof(ret->fds));
	int err = map_all(ret, sizes);
	if (err)
		skep_unwind_maps_done(ret);
	return err;
}

void skep_unwind_maps_done(struct skep_unwind_maps *maps)
{
	for (int i = 0; i < SKEP_UNWIND_MAP_CNT; i++) {
		if (maps->mapped[i])
			munmap(maps->mapped[i], maps->mapped_bytes[i]);
		maps->mapped[i] = NULL;
		if (maps->are_owned && maps->fds[i] >= 0)
			close(maps->fds[i]);
		maps->fds[i] = -1;
	}
	maps->arrays = (struct skep_unwind_arrays){0};
}
