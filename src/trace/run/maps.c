#include "trace/run/maps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skep/load.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/vec.h"
#include "linux/bpf.h"

#define BATCH         1024
#define PIDFD_THREAD_ O_EXCL /* Linux 6.9: a descriptor for one thread */
#define NONE          UINT32_MAX

int skep_map_reader_init(struct skep_map_reader *reader, const struct skep_trace_program *program,
			 struct skep_session *session)
{
	*reader = (struct skep_map_reader){.program = program, .session = session};
	if (program->globals == NONE)
		return 0;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = program->object.maps[program->globals].value_size;
	bytes = (bytes + page - 1) / page * page;
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			skep_session_map_fd(session, program->globals), 0);
	if (at == MAP_FAILED)
		return -errno;
	reader->globals = at;
	reader->globals_bytes = bytes;
	return 0;
}

void skep_map_reader_done(struct skep_map_reader *reader)
{
	if (reader->globals)
		munmap(reader->globals, reader->globals_bytes);
	reader->globals = NULL;
}

void skep_map_entries_done(struct skep_map_entries *entries)
{
	free(entries->entries);
	free(entries->keys);
	free(entries->values);
	*entries = (struct skep_map_entries){0};
}

/* --- Summing the CPUs' copies ------------------------------------------------------------ */

static bool is_better(const struct skep_type *type, uint64_t a, uint64_t b)
{
	bool less = type->is_signed ? (int64_t)a < (int64_t)b : a < b;

	return type->kind == SKEP_T_MIN ? less : a != b && !less;
}

/* Take one copy (u64 words) into the total. */
static void fold_copy(const struct skep_type *type, uint64_t *total, const uint64_t *copy)
{
	if (type->kind != SKEP_T_MIN && type->kind != SKEP_T_MAX) {
		for (uint32_t i = 0; i < type->size / 8; i++)
			total[i] += copy[i];
		return;
	}
	if (copy[1] && (!total[1] || is_better(type, copy[0], total[0]))) {
		total[0] = copy[0];
		total[1] = 1;
	}
}

static void sum_copies(const struct skep_type *type, const uint8_t *copies, size_t stride,
		       uint64_t *total)
{
	unsigned n_cpus = skep_possible_cpus();

	memset(total, 0, type->size);
	for (unsigned cpu = 0; cpu < n_cpus; cpu++)
		fold_copy(type, total, (const uint64_t *)(copies + cpu * stride));
}

/* One element of the per-CPU globals, of all CPUs one after the other; heap. */
static uint8_t *read_cpu_globals(const struct skep_map_reader *reader, uint32_t page,
				 size_t *ret_stride)
{
	const struct skep_trace_program *program = reader->program;
	size_t stride = program->object.maps[program->cpu_globals].value_size;
	uint8_t *copies = skep_xcalloc(skep_possible_cpus(), stride);

	int fd = skep_session_map_fd(reader->session, program->cpu_globals);
	skep_bpf_map_lookup(fd, &page, copies, 0);
	*ret_stride = stride;
	return copies;
}

uint64_t skep_map_loss(const struct skep_map_reader *reader, uint32_t off)
{
	return reader->globals ? *(const volatile uint64_t *)(reader->globals + off) : 0;
}

/* --- Scalars ------------------------------------------------------------------------------- */

static void one_entry(struct skep_map_entries *ret, size_t value_size)
{
	ret->entries = skep_xcalloc(1, sizeof(*ret->entries));
	ret->values = skep_xcalloc(1, value_size + 8);
	ret->entries[0].value = ret->values;
	ret->n = 1;
}

static int read_global(const struct skep_map_reader *reader, const struct skep_trace_map *map,
		       bool with_unset, struct skep_map_entries *ret)
{
	const uint8_t *at = reader->globals + map->off;

	if (!*(const volatile uint64_t *)at && !with_unset)
		return 0;
	one_entry(ret, map->value->size);
	memcpy(ret->values, at + 8, map->value->size);
	return 0;
}

static bool all_zero(const uint64_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (words[i])
			return false;
	}
	return true;
}

static int read_cpu_global(const struct skep_map_reader *reader, const struct skep_trace_map *map,
			   bool with_unset, struct skep_map_entries *ret)
{
	size_t stride;
	_cleanup_free_ uint8_t *copies = read_cpu_globals(reader, map->page, &stride);

	one_entry(ret, map->value->size);
	sum_copies(map->value, copies + map->off, stride, ret->values);
	if (!with_unset && all_zero(ret->values, map->value->size / 8))
		ret->n = 0;
	return 0;
}

/* --- Hashes ---------------------------------------------------------------------------------- */

struct hash {
	int fd;
	const struct skep_trace_map *map;
	size_t key_bytes, raw_bytes, value_bytes; /* raw: as the kernel copies a value out */
	bool per_cpu;
	struct skep_buf keys, values;
};

static void take_entry(struct hash *hash, const uint8_t *key, const uint8_t *raw)
{
	uint8_t *value;

	skep_buf_add(&hash->keys, key, hash->key_bytes);
	value = (uint8_t *)skep_buf_reserve(&hash->values, hash->value_bytes);
	if (hash->per_cpu)
		sum_copies(hash->map->value, raw, hash->raw_bytes / skep_possible_cpus(),
			   (uint64_t *)value);
	else
		memcpy(value, raw, hash->map->value->size);
	hash->values.len += hash->value_bytes;
}

/* Batches are ~50 times cheaper than one call a key; kernels have had them since 5.6. */
static int read_batches(struct hash *hash)
{
	uint32_t batch = BATCH, n;
	_cleanup_free_ uint8_t *keys = skep_xmalloc(batch * hash->key_bytes);
	_cleanup_free_ uint8_t *raws = skep_xmalloc(batch * hash->raw_bytes);
	uint32_t position = 0;
	int err;

	for (bool first = true;; first = false) {
		n = batch;
		err = skep_bpf_map_lookup_batch(hash->fd, first ? NULL : &position, &position, keys,
						raws, &n, false);
		if (err == -ENOSPC && batch < 1u << 20) { /* a bucket is larger than the batch */
			batch *= 4;
			keys = skep_xrealloc(keys, batch * hash->key_bytes);
			raws = skep_xrealloc(raws, batch * hash->raw_bytes);
			first = position == 0;
			continue;
		}
		if (err && err != -ENOENT)
			return err;
		for (uint32_t i = 0; i < n; i++)
			take_entry(hash, keys + i * hash->key_bytes, raws + i * hash->raw_bytes);
		if (err == -ENOENT)
			return 0;
	}
}

static int read_one_by_one(struct hash *hash)
{
	_cleanup_free_ uint8_t *key = skep_xmalloc(hash->key_bytes);
	_cleanup_free_ uint8_t *raw = skep_xmalloc(hash->raw_bytes);
	bool first = true;

	while (skep_bpf_map_next_key(hash->fd, first ? NULL : key, key) == 0) {
		first = false;
		if (skep_bpf_map_lookup(hash->fd, key, raw, 0) == 0)
			take_entry(hash, key, raw);
	}
	return 0;
}

static int read_hash(const struct skep_map_reader *reader, const struct skep_trace_map *map,
		     struct skep_map_entries *ret)
{
	const struct skep_object_map *bpf = &reader->program->object.maps[map->bpf_map];
	struct hash hash = {.fd = skep_session_map_fd(reader->session, map->bpf_map),
			    .map = map,
			    .key_bytes = bpf->key_size,
			    .raw_bytes = (bpf->value_size + 7) & ~7u,
			    .value_bytes = (map->value->size + 7) & ~7u,
			    .per_cpu = map->storage == SKEP_STORE_CPU_HASH};

	if (hash.per_cpu)
		hash.raw_bytes *= skep_possible_cpus();
	bool batches = skep_trace_has_best(reader->program, SKEP_FOR_MAP_READS);
	int err = batches ? read_batches(&hash) : read_one_by_one(&hash);
	ret->keys = hash.keys.data;
	ret->values = hash.values.data;
	ret->n = hash.keys.len / hash.key_bytes;
	ret->entries = skep_xcalloc(ret->n, sizeof(*ret->entries));
	for (size_t i = 0; i < ret->n; i++) {
		ret->entries[i].key = (uint8_t *)ret->keys + i * hash.key_bytes;
		ret->entries[i].value = (uint8_t *)ret->values + i * hash.value_bytes;
	}
	return err;
}

/* --- Task storage ---------------------------------------------------------------------------- */

/* The kernel offers no walk over task storage: every thread there is gets asked. */
struct tasks {
	const struct skep_trace_map *map;
	int fd;
	size_t raw_bytes;
	struct skep_buf keys, values;
};

static void ask_thread(struct tasks *tasks, long tid)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD_);
	_cleanup_free_ uint64_t *raw = NULL;
	uint64_t key = (uint64_t)tid;

	if (pidfd < 0)
		pidfd = (int)syscall(SYS_pidfd_open, tid, 0);
	if (pidfd < 0)
		return;
	raw = skep_xcalloc(1, tasks->raw_bytes);
	if (skep_bpf_map_lookup(tasks->fd, &pidfd, raw, 0) || !raw[0])
		return;
	skep_buf_add(&tasks->keys, &key, 8);
	skep_buf_add(&tasks->values, raw + 1, tasks->raw_bytes - 8);
}

static void for_each_number(const char *path, void (*fn)(void *ctx, long n), void *ctx)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *end;
		long n = strtol(entry->d_name, &end, 10);
		if (n > 0 && !*end)
			fn(ctx, n);
	}
	if (dir)
		closedir(dir);
}

static void ask_one(void *ctx, long tid)
{
	ask_thread(ctx, tid);
}

static void ask_process(void *ctx, long pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/task", pid);
	for_each_number(path, ask_one, ctx);
}

static int read_tasks(const struct skep_map_reader *reader, const struct skep_trace_map *map,
		      struct skep_map_entries *ret)
{
	struct tasks tasks = {.map = map,
			      .fd = skep_session_map_fd(reader->session, map->bpf_map),
			      .raw_bytes = reader->program->object.maps[map->bpf_map].value_size};
	size_t value_bytes = tasks.raw_bytes - 8;

	for_each_number("/proc", ask_process, &tasks);
	ret->keys = tasks.keys.data;
	ret->values = tasks.values.data;
	ret->n = tasks.keys.len / 8;
	ret->entries = skep_xcalloc(ret->n, sizeof(*ret->entries));
	for (size_t i = 0; i < ret->n; i++) {
		ret->entries[i].key = (uint8_t *)ret->keys + i * 8;
		ret->entries[i].value = (uint8_t *)ret->values + i * value_bytes;
	}
	return 0;
}

int skep_map_read(const struct skep_map_reader *reader, const struct skep_trace_map *map,
		  bool with_unset, struct skep_map_entries *ret)
{
	*ret = (struct skep_map_entries){0};
	switch (map->storage) {
	case SKEP_STORE_GLOBAL: return read_global(reader, map, with_unset, ret);
	case SKEP_STORE_CPU_GLOBAL: return read_cpu_global(reader, map, with_unset, ret);
	case SKEP_STORE_TASK: return read_tasks(reader, map, ret);
	default: return read_hash(reader, map, ret);
	}
}

/* --- Setting back ---------------------------------------------------------------------------- */

/* A CPU that is not online (-ENXIO) counts nothing now. */
static int erase_on_each_cpu(const struct skep_map_reader *reader, uint64_t index)
{
	int err = 0;

	for (unsigned cpu = 0; cpu < skep_possible_cpus() && !err; cpu++) {
		err = skep_session_run_on(reader->session, reader->program->eraser, cpu, &index,
					  sizeof(index));
		err = err == -ENXIO ? 0 : err;
	}
	return err;
}

static int erase_cpu_global(const struct skep_map_reader *reader, const struct skep_trace_map *map)
{
	uint64_t index = (uint64_t)(map - reader->program->maps);

	if (!skep_trace_has_best(reader->program, SKEP_FOR_COPIES))
		return erase_on_each_cpu(reader, index);
	return skep_session_run(reader->session, reader->program->eraser, &index, sizeof(index),
				NULL);
}

static void erase_global(const struct skep_map_reader *reader, const struct skep_trace_map *map,
			 bool keep_keys)
{
	uint8_t *at = reader->globals + map->off;

	memset(at + 8, 0, map->value->size);
	if (!keep_keys)
		*(volatile uint64_t *)at = 0;
}

static int clear_hash(const struct skep_map_reader *reader, const struct skep_trace_map *map,
		      bool keep_keys)
{
	int fd = skep_session_map_fd(reader->session, map->bpf_map);
	size_t bytes = (reader->program->object.maps[map->bpf_map].value_size + 7) & ~7u;
	struct skep_map_entries entries;
	_cleanup_free_ void *zeroes = skep_xcalloc(skep_possible_cpus(), bytes);
	int err = skep_map_read(reader, map, false, &entries);

	for (size_t i = 0; i < entries.n; i++) {
		if (keep_keys)
			skep_bpf_map_update(fd, entries.entries[i].key, zeroes, BPF_EXIST);
		else
			skep_bpf_map_delete(fd, entries.entries[i].key);
	}
	skep_map_entries_done(&entries);
	return err;
}

int skep_map_clear(const struct skep_map_reader *reader, const struct skep_trace_map *map,
		   bool keep_keys)
{
	if (map->storage == SKEP_STORE_CPU_GLOBAL)
		return erase_cpu_global(reader, map);
	if (map->storage == SKEP_STORE_GLOBAL) {
		erase_global(reader, map, keep_keys);
		return 0;
	}
	return clear_hash(reader, map, keep_keys);
}

int skep_map_stack(const struct skep_map_reader *reader, bool user, uint32_t stack_id,
		   uint64_t *ret, uint32_t max)
{
	const struct skep_trace_program *program = reader->program;
	uint32_t depth = program->stack_depth[user];
	_cleanup_free_ uint64_t *frames = NULL;
	uint32_t n = 0;

	if (program->stacks[user] == NONE)
		return -ENOENT;
	frames = skep_xcalloc(depth, 8);
	int fd = skep_session_map_fd(reader->session, program->stacks[user]);
	int err = skep_bpf_map_lookup(fd, &stack_id, frames, 0);
	if (err)
		return err;
	while (n < depth && n < max && frames[n]) {
		ret[n] = frames[n];
		n++;
	}
	return (int)n;
}
