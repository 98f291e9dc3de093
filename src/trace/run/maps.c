/*
 * Reading a script's maps, and setting them back, however the compiler has placed them (see
 * enum skep_storage): among the globals, by CPU, in hashes, with threads, or numbered where all
 * keys are known. Copies by CPU are folded into one value, and keys are those of the script.
 *
 * Sums that programs only add to (only_sums) are never written from here, as an addition under way
 * would be lost: what they were when they were cleared is kept in the reader, and left out of what
 * is read from then on. All else is removed, or set to zero by a program in the kernel.
 */
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
	reader->cleared = skep_xcalloc(program->n_maps + 1, sizeof(*reader->cleared));
	if (program->globals == NONE)
		return 0;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = program->object.maps[program->globals].value_size;
	bytes = (bytes + page - 1) / page * page;
	void *at = skep_bpf_mmap(bytes, PROT_READ | PROT_WRITE,
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
	for (uint32_t i = 0; reader->cleared && i < reader->program->n_maps; i++)
		free(reader->cleared[i]);
	free(reader->cleared);
	reader->cleared = NULL;
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

void skep_map_fold(const struct skep_type *type, void *total, const void *value)
{
	fold_copy(type, total, value);
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

static uint64_t **cleared_of(const struct skep_map_reader *reader, const struct skep_trace_map *map)
{
	return &reader->cleared[map - reader->program->maps];
}

static int read_cpu_global(const struct skep_map_reader *reader, const struct skep_trace_map *map,
			   bool with_unset, struct skep_map_entries *ret)
{
	size_t stride;
	_cleanup_free_ uint8_t *copies = read_cpu_globals(reader, map->page, &stride);

	one_entry(ret, map->value->size);
	sum_copies(map->value, copies + map->off, stride, ret->values);
	const uint64_t *cleared = *cleared_of(reader, map);
	for (uint32_t i = 0; cleared && i < map->value->size / 8; i++)
		((uint64_t *)ret->values)[i] -= cleared[i];
	if (!with_unset && all_zero(ret->values, map->value->size / 8))
		ret->n = 0;
	return 0;
}

/* --- Hashes -------------------------------------------------------------------------------- */

struct hash {
	int fd;
	const struct skep_trace_map *map;
	size_t key_bytes, raw_bytes, value_bytes; /* raw: as the kernel copies a value out */
	bool per_cpu;
	bool removes; /* what is read leaves the map */
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
						raws, &n, hash->removes);
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

/* The next key first: there is none behind one that is gone. */
static int read_one_by_one(struct hash *hash)
{
	_cleanup_free_ uint8_t *keys = skep_xmalloc(2 * hash->key_bytes);
	_cleanup_free_ uint8_t *raw = skep_xmalloc(hash->raw_bytes);
	uint8_t *key = keys, *next = keys + hash->key_bytes;
	bool more = skep_bpf_map_next_key(hash->fd, NULL, key) == 0;

	while (more) {
		more = skep_bpf_map_next_key(hash->fd, key, next) == 0;
		if (skep_bpf_map_lookup(hash->fd, key, raw, 0) == 0) {
			take_entry(hash, key, raw);
			if (hash->removes)
				skep_bpf_map_delete(hash->fd, key);
		}
		uint8_t *done = key;
		key = next;
		next = done;
	}
	return 0;
}

static int read_hash(const struct skep_map_reader *reader, const struct skep_trace_map *map,
		     bool removes, struct skep_map_entries *ret)
{
	const struct skep_object_map *bpf = &reader->program->object.maps[map->bpf_map];
	struct hash hash = {.fd = skep_session_map_fd(reader->session, map->bpf_map),
			    .map = map,
			    .key_bytes = bpf->key_size,
			    .raw_bytes = (bpf->value_size + 7) & ~7u,
			    .value_bytes = (map->value->size + 7) & ~7u,
			    .per_cpu = map->storage == SKEP_STORE_CPU_HASH,
			    .removes = removes};

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

int skep_map_take_key(const struct skep_map_reader *reader, const struct skep_trace_map *map,
		      const void *key, void *ret)
{
	bool per_cpu = map->storage == SKEP_STORE_CPU_HASH;
	size_t bytes;

	if (!per_cpu && map->storage != SKEP_STORE_HASH)
		return -EOPNOTSUPP;
	bytes = (reader->program->object.maps[map->bpf_map].value_size + 7) & ~7u;
	_cleanup_free_ uint8_t *raw = skep_xcalloc(per_cpu ? skep_possible_cpus() : 1, bytes);
	int err = skep_bpf_map_take(skep_session_map_fd(reader->session, map->bpf_map), key, raw);
	if (!err && per_cpu)
		sum_copies(map->value, raw, bytes, ret);
	else if (!err)
		memcpy(ret, raw, map->value->size);
	return err;
}

/* --- Keys that are known beforehand ---------------------------------------------------------- */

/* Add what the CPUs have for key @i to @ret, whose entries are those of the keys before. */
static void take_choice(const struct skep_trace_map *map, uint32_t i, const uint8_t *copies,
			size_t stride, struct skep_map_entries *ret)
{
	size_t step = skep_choice_stride(map->value), key_size = map->key->size, n = 0;
	const uint8_t *key = map->choices + i * key_size;
	bool is_set = false;

	copies += map->off + i * step;
	for (unsigned cpu = 0; cpu < skep_possible_cpus(); cpu++)
		is_set |= *(const uint64_t *)(copies + cpu * stride) != 0;
	if (!is_set)
		return;
	while (n < ret->n && memcmp(ret->entries[n].key, key, key_size) != 0)
		n++;
	uint8_t *total = (uint8_t *)ret->values + n * step;
	if (n == ret->n) {
		ret->n++;
		memset(total, 0, step);
		memcpy((uint8_t *)ret->keys + n * key_size, key, key_size);
		ret->entries[n].key = (uint8_t *)ret->keys + n * key_size;
		ret->entries[n].value = total;
	}
	for (unsigned cpu = 0; cpu < skep_possible_cpus(); cpu++) {
		const uint8_t *copy = copies + cpu * stride;
		if (*(const uint64_t *)copy)
			fold_copy(map->value, (uint64_t *)total, (const uint64_t *)(copy + 8));
	}
}

static uint32_t choice_number(const struct skep_trace_map *map, const void *key)
{
	uint32_t i = 0;

	while (i < map->n_choices && memcmp(map->choices + i * map->key->size, key, map->key->size))
		i++;
	return i;
}

/* Without what was cleared. An entry that was, and to which nothing was added since, is none. */
static void leave_cleared_out(const struct skep_map_reader *reader,
			      const struct skep_trace_map *map, struct skep_map_entries *ret)
{
	const uint64_t *cleared = *cleared_of(reader, map);
	uint32_t n = 0, words = map->value->size / 8;

	for (uint32_t i = 0; cleared && i < ret->n; i++) {
		const uint64_t *was = cleared + choice_number(map, ret->entries[i].key) * words;
		uint64_t *value = (uint64_t *)ret->entries[i].value;
		for (uint32_t word = 0; word < words; word++)
			value[word] -= was[word];
		if (!all_zero(value, words) || all_zero(was, words))
			ret->entries[n++] = ret->entries[i];
	}
	ret->n = cleared ? n : ret->n;
}

static int read_choices(const struct skep_map_reader *reader, const struct skep_trace_map *map,
			struct skep_map_entries *ret)
{
	size_t stride;
	_cleanup_free_ uint8_t *copies = read_cpu_globals(reader, map->page, &stride);

	ret->keys = skep_xcalloc(map->n_choices, map->key->size);
	ret->values = skep_xcalloc(map->n_choices, skep_choice_stride(map->value));
	ret->entries = skep_xcalloc(map->n_choices, sizeof(*ret->entries));
	for (uint32_t i = 0; i < map->n_choices; i++)
		take_choice(map, i, copies, stride, ret);
	leave_cleared_out(reader, map, ret);
	return 0;
}

/* --- By CPU -------------------------------------------------------------------------------- */

static int read_cpus(const struct skep_map_reader *reader, const struct skep_trace_map *map,
		     struct skep_map_entries *ret)
{
	unsigned n_cpus = skep_possible_cpus();
	size_t stride, bytes = (map->value->size + 7) & ~7u;
	_cleanup_free_ uint8_t *copies = read_cpu_globals(reader, map->page, &stride);
	uint64_t *keys = skep_xcalloc(n_cpus, sizeof(*keys));

	ret->keys = keys;
	ret->values = skep_xcalloc(n_cpus, bytes);
	ret->entries = skep_xcalloc(n_cpus, sizeof(*ret->entries));
	for (unsigned cpu = 0; cpu < n_cpus; cpu++) {
		const uint8_t *at = copies + cpu * stride + map->off;
		uint8_t *value = (uint8_t *)ret->values + ret->n * bytes;
		if (!*(const uint64_t *)at)
			continue;
		keys[ret->n] = cpu;
		memcpy(value, at + 8, map->value->size);
		ret->entries[ret->n].key = &keys[ret->n];
		ret->entries[ret->n++].value = value;
	}
	return 0;
}

/* --- Task storage -------------------------------------------------------------------------- */

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
	case SKEP_STORE_CHOICE: return read_choices(reader, map, ret);
	case SKEP_STORE_CPU: return read_cpus(reader, map, ret);
	default: return read_hash(reader, map, false, ret);
	}
}

/* --- Setting back ---------------------------------------------------------------------------- */

/* What has been read is left out from now on. */
static void leave_out(const struct skep_map_reader *reader, const struct skep_trace_map *map,
		      const struct skep_map_entries *entries)
{
	uint64_t **cleared = cleared_of(reader, map);
	uint32_t words = map->value->size / 8;

	if (!*cleared)
		*cleared = skep_xcalloc(map->n_choices ? map->n_choices : 1, map->value->size);
	for (size_t i = 0; i < entries->n; i++) {
		const struct skep_map_entry *entry = &entries->entries[i];
		uint32_t number = map->key ? choice_number(map, entry->key) : 0;
		for (uint32_t word = 0; word < words; word++)
			(*cleared)[number * words + word] += ((const uint64_t *)entry->value)[word];
	}
}

static int clear_sums(const struct skep_map_reader *reader, const struct skep_trace_map *map)
{
	struct skep_map_entries entries;
	int err = skep_map_read(reader, map, false, &entries);

	if (!err)
		leave_out(reader, map, &entries);
	skep_map_entries_done(&entries);
	return err;
}

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
	if (map->only_sums)
		return clear_sums(reader, map);
	if (map->storage == SKEP_STORE_CPU_GLOBAL || map->storage == SKEP_STORE_CHOICE)
		return erase_cpu_global(reader, map);
	if (map->storage == SKEP_STORE_GLOBAL) {
		erase_global(reader, map, keep_keys);
		return 0;
	}
	return clear_hash(reader, map, keep_keys);
}

int skep_map_take(const struct skep_map_reader *reader, const struct skep_trace_map *map,
		  bool with_unset, struct skep_map_entries *ret)
{
	*ret = (struct skep_map_entries){0};
	if (map->storage == SKEP_STORE_HASH || map->storage == SKEP_STORE_CPU_HASH)
		return read_hash(reader, map, true, ret);
	int err = skep_map_read(reader, map, with_unset, ret);
	if (!err && map->only_sums)
		leave_out(reader, map, ret);
	else if (!err)
		err = skep_map_clear(reader, map, false);
	return err;
}

/* --- Stacks ----------------------------------------------------------------------------------- */

int skep_map_unwound(const struct skep_map_reader *reader, uint32_t stack_id,
		     struct skep_unwind_stack *ret)
{
	const struct skep_trace_program *program = reader->program;

	if (!program->unwinds)
		return -ENOENT;
	return skep_bpf_map_lookup(skep_session_map_fd(reader->session, program->unwind.stacks),
				   &stack_id, ret, 0);
}

static int unwound_stack(const struct skep_map_reader *reader, uint32_t stack_id, uint64_t *ret,
			 uint32_t max)
{
	struct skep_unwind_stack stack;
	int err = skep_map_unwound(reader, stack_id, &stack);

	if (err)
		return err;
	uint32_t n = stack.n < max ? stack.n : max;
	memcpy(ret, stack.pcs, n * sizeof(*ret));
	return (int)n;
}

enum skep_unwind_end skep_map_stack_end(const struct skep_map_reader *reader, uint32_t stack_id)
{
	struct skep_unwind_stack stack;

	return skep_map_unwound(reader, stack_id, &stack) ? SKEP_UNWIND_ROOT : stack.end;
}

int skep_map_stack_interp(const struct skep_map_reader *reader,
			  const struct skep_unwind_stack *stack, struct skep_interp_stack *ret)
{
	const struct skep_interp_maps *maps = &reader->program->unwind.interp;

	if (!stack->interp || !maps->thread_pointer_off)
		return -ENOENT;
	int err = skep_bpf_map_lookup(skep_session_map_fd(reader->session, maps->stacks),
				      &stack->interp, ret, 0);
	return err == -ENOENT ? -ESTALE : err;
}

uint32_t skep_map_stack_chain(const struct skep_map_reader *reader, uint32_t stack_id)
{
	struct skep_unwind_stack stack;

	if (!reader->program->unwind.interp.thread_pointer_off ||
	    skep_map_unwound(reader, stack_id, &stack))
		return 0;
	return stack.interp;
}

static bool are_walked(const struct skep_trace_program *program, enum skep_stack_kind kind)
{
	return kind == SKEP_STACK_CHAIN || (kind == SKEP_STACK_USER && program->unwinds);
}

static uint32_t map_of_kind(const struct skep_trace_program *program, enum skep_stack_kind kind,
			    bool more)
{
	const struct skep_interp_maps *interp = &program->unwind.interp;

	if (kind == SKEP_STACK_CHAIN)
		return program->unwinds && interp->thread_pointer_off ? interp->stacks : NONE;
	if (are_walked(program, kind))
		return program->unwind.stacks;
	return more ? program->more_stacks[kind] : program->stacks[kind];
}

/* The map that number *@number is in, which becomes that in the map. -1: there are none of that
 * kind. */
static int stacks_fd(const struct skep_map_reader *reader, enum skep_stack_kind kind,
		     uint32_t *number)
{
	const struct skep_trace_program *program = reader->program;
	bool more = !are_walked(program, kind) && *number & SKEP_STACK_MORE;
	uint32_t map = map_of_kind(program, kind, more);

	if (more)
		*number &= ~SKEP_STACK_MORE;
	return map == NONE ? -1 : skep_session_map_fd(reader->session, map);
}

int skep_map_stack(const struct skep_map_reader *reader, bool user, uint32_t stack_id,
		   uint64_t *ret, uint32_t max)
{
	const struct skep_trace_program *program = reader->program;
	uint32_t depth = program->stack_depth[user];
	_cleanup_free_ uint64_t *frames = NULL;
	uint32_t n = 0;

	if (user && program->unwinds)
		return unwound_stack(reader, stack_id, ret, max);
	int fd = stacks_fd(reader, user, &stack_id);
	if (fd < 0)
		return -ENOENT;
	frames = skep_xcalloc(depth, 8);
	int err = skep_bpf_map_lookup(fd, &stack_id, frames, 0);
	if (err)
		return err;
	while (n < depth && n < max && frames[n]) {
		ret[n] = frames[n];
		n++;
	}
	return (int)n;
}

int skep_map_stack_forget(const struct skep_map_reader *reader, enum skep_stack_kind kind,
			  uint32_t number)
{
	int fd = stacks_fd(reader, kind, &number);

	return fd < 0 ? -ENOENT : skep_bpf_map_delete(fd, &number);
}

/* Behind those of the first map come those of the second. */
int skep_map_stack_next(const struct skep_map_reader *reader, enum skep_stack_kind kind,
			const uint32_t *number, uint32_t *ret)
{
	bool is_walked = are_walked(reader->program, kind);
	uint32_t at = number ? *number : 0, more = is_walked ? 0 : at & SKEP_STACK_MORE;
	int fd = stacks_fd(reader, kind, &at);
	int err = fd < 0 ? -ENOENT : skep_bpf_map_next_key(fd, number ? &at : NULL, ret);

	if (err == -ENOENT && !more && !is_walked) {
		more = SKEP_STACK_MORE;
		at = more;
		fd = stacks_fd(reader, kind, &at);
		err = fd < 0 ? -ENOENT : skep_bpf_map_next_key(fd, NULL, ret);
	}
	if (!err)
		*ret |= more;
	return err;
}
