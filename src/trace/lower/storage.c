/*
 * How maps are kept. Decided once for each map of the script, from all its
 * uses:
 *
 *	@x = 5, @x++          one array map for all scalars, loaded and stored directly
 *	@x = count()          one per-CPU array for all scalar aggregates, mostly of one element
 *	@x[k] = v             a hash
 *	@x[k] = count()       a per-CPU hash, added to in place
 *	@x[tid] = v           task storage, if every key is tid, or another thread that a
 *	                      program knows (thread.c), and nothing walks the map; a hash
 *	                      where the kernel has none
 *	@x["a"] = count()     with the scalar aggregates, if all keys are known (choice.c)
 *	@x[cpu] = v           with the scalar aggregates, under the same conditions
 *
 * A scalar, a thread's value and a CPU's carry a word before them that says whether
 * they are set. Shared maps (globals, per-CPU globals, rings, stacks) are made when
 * the first code that needs them is lowered.
 */
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include <skep/btf.h>

#include "linux/bpf.h"
#include "trace/lower/lower.h"
#include "trace/lower/regs.h"

#define STACK_ENTRIES      16384
#define STACKS_A_CPU       1024
#define CONTROL_RING_BYTES 65536
#define RING_PAGES_MOST    1024 /* of the ring for data, unless the script says otherwise */
#define RING_PAGES_CPU     128
#define RING_PAGES_FEW     64
#define MOST_CPU_BYTES     32768        /* of a per-CPU value: the kernel's PCPU_MIN_UNIT_SIZE */
#define MOST_AHEAD_BYTES   (512 * 1024) /* of a map whose memory is taken beforehand */
#define NONE               UINT32_MAX

/* Kernel names allow letters, digits, '_' and '.'. */
static void name_map(char ret[16], const char *name)
{
	const char *text = name[1] ? name : "@anonymous";

	snprintf(ret, 16, "%s", text + 1);
	for (char *c = ret; *c; c++) {
		bool fine = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			    (*c >= '0' && *c <= '9') || *c == '_';
		*c = fine ? *c : '_';
	}
}

static struct skep_btf_writer *btf_of(struct skep_object *object)
{
	if (!object->btf)
		object->btf = skep_btf_writer_new();
	return object->btf;
}

/* Task storage must be described by BTF; its value is opaque bytes. */
static void describe_task_map(struct skep_object *object, struct skep_object_map *map)
{
	struct skep_btf_writer *btf = btf_of(object);
	uint32_t s32 = skep_btf_add_int(btf, "int", 4, true);
	uint32_t u64 = skep_btf_add_int(btf, "unsigned long long", 8, false);

	map->btf_key = s32;
	map->btf_value = skep_btf_add_array(btf, u64, map->value_size / 8);
}

static bool has_kind(const struct skep_map *map, const char *kind)
{
	return map->decl_kind && !strcmp(map->decl_kind, kind);
}

static uint32_t hash_type(const struct skep_map *map, bool per_cpu)
{
	bool lru = has_kind(map, "lruhash") || has_kind(map, "percpulruhash");

	if (lru)
		return per_cpu ? BPF_MAP_TYPE_LRU_PERCPU_HASH : BPF_MAP_TYPE_LRU_HASH;
	return per_cpu ? BPF_MAP_TYPE_PERCPU_HASH : BPF_MAP_TYPE_HASH;
}

/*
 * Entries that come and go cost less where their memory is there already, which to take is a
 * matter of microseconds while it is little. What was declared has it in any case: who watches
 * kernel memory must take none.
 */
static bool takes_memory_later(const struct skep_map *map, const struct skep_object_map *bpf)
{
	uint64_t entry = 48 + bpf->key_size + bpf->value_size;
	bool comes_and_goes = map->is_deleted && bpf->type == BPF_MAP_TYPE_HASH;
	bool is_hash = bpf->type == BPF_MAP_TYPE_HASH || bpf->type == BPF_MAP_TYPE_PERCPU_HASH;

	return is_hash && !map->decl_kind &&
	       !(comes_and_goes && entry * bpf->max_entries <= MOST_AHEAD_BYTES);
}

static void make_hash(struct skep_lower *l, const struct skep_map *map, struct skep_trace_map *ret)
{
	bool per_cpu = skep_type_is_agg(map->value);
	struct skep_object_map bpf = {
		.type = hash_type(map, per_cpu),
		.key_size = skep_lower_key_bytes(map->key),
		.value_size = (map->value->size + 7) & ~7u,
		.max_entries = ret->max_keys,
	};

	name_map(bpf.name, map->name);
	bpf.prefer_no_prealloc = takes_memory_later(map, &bpf);
	skep_lower_best(l, SKEP_FOR_MAP_READS); /* noted: for the run time */
	ret->storage = per_cpu ? SKEP_STORE_CPU_HASH : SKEP_STORE_HASH;
	ret->bpf_map = skep_object_add_map(l->object, &bpf);
}

static void make_task(struct skep_lower *l, const struct skep_map *map, struct skep_trace_map *ret)
{
	struct skep_object_map bpf = {
		.type = BPF_MAP_TYPE_TASK_STORAGE,
		.key_size = 4,
		.value_size = 8 + ((map->value->size + 7) & ~7u),
		.flags = BPF_F_NO_PREALLOC,
	};

	name_map(bpf.name, map->name);
	describe_task_map(l->object, &bpf);
	ret->storage = SKEP_STORE_TASK;
	ret->bpf_map = skep_object_add_map(l->object, &bpf);
}

/* Programs on packets and sockets may not look into what a task keeps. */
static bool has_hooks(const struct skep_trace_program *program)
{
	for (uint32_t i = 0; i < program->n_probes; i++) {
		if (program->probes[i]->hook)
			return true;
	}
	return false;
}

/* What is kept with a thread or a CPU cannot be walked, nor all of it be removed. */
static bool is_small_memory(const struct skep_map *map)
{
	return !map->is_iterated && !map->is_cleared && !map->decl_kind &&
	       !skep_type_is_agg(map->value) && skep_type_is_scalar(map->key) &&
	       map->value->size <= 256;
}

static bool fits_task(struct skep_lower *l, const struct skep_map *map)
{
	bool only_threads =
		map->only_tid_keys || (map->is_deleted && !l->has_other_keys[map->index]);

	return only_threads && !has_hooks(l->program) && is_small_memory(map) &&
	       skep_lower_best(l, SKEP_FOR_THREAD_VALUES);
}

static uint32_t take(uint32_t *bytes, uint32_t size)
{
	uint32_t off = *bytes;

	*bytes += (size + 7) & ~7u;
	return off;
}

/* A per-CPU value has a limit: what does not fit goes to the next element. */
static void place_on_page(struct skep_lower *l, uint32_t bytes, struct skep_trace_map *ret)
{
	if (!l->n_pages || l->page_bytes + bytes > MOST_CPU_BYTES) {
		l->page_bytes = 0;
		l->n_pages++;
	}
	ret->page = l->n_pages - 1;
	ret->off = take(&l->page_bytes, bytes);
	if (l->longest_page < l->page_bytes)
		l->longest_page = l->page_bytes;
}

static bool is_on_page(const struct skep_trace_map *map)
{
	return map->storage == SKEP_STORE_CPU_GLOBAL || map->storage == SKEP_STORE_CHOICE ||
	       map->storage == SKEP_STORE_CPU;
}

static uint32_t max_keys(const struct skep_lower *l, const struct skep_map *map)
{
	if (!map->is_live)
		return 1;
	return map->max_keys ? map->max_keys : (uint32_t)l->program->config.max_map_keys;
}

/* Sums that programs add to and never look at can be cleared by leaving out what they were. */
static bool only_sums(const struct skep_map *map)
{
	return !map->is_used && map->value->kind != SKEP_T_MIN && map->value->kind != SKEP_T_MAX;
}

static bool place_choice(struct skep_lower *l, const struct skep_map *map,
			 struct skep_trace_map *ret)
{
	uint32_t n = skep_lower_choices(l, map);

	if (!n || n > ret->max_keys)
		return false;
	ret->storage = SKEP_STORE_CHOICE;
	ret->n_choices = n;
	ret->only_sums = only_sums(map);
	ret->choices = skep_lower_choice_keys(l, map, n);
	place_on_page(l, n * skep_choice_stride(map->value), ret);
	return true;
}

static void place_map(struct skep_lower *l, const struct skep_map *map, struct skep_trace_map *ret)
{
	*ret = (struct skep_trace_map){
		.name = map->name,
		.key = map->key,
		.value = map->value,
		.bpf_map = NONE,
		.max_keys = max_keys(l, map),
		.is_off = !map->is_live,
	};
	if (!map->value) {
		ret->value = &skep_type_u64; /* only cleared or deleted, never given a value */
		ret->storage = SKEP_STORE_GLOBAL;
		ret->off = take(&l->globals_bytes, 16);
	} else if (!map->key && skep_type_is_agg(map->value)) {
		ret->storage = SKEP_STORE_CPU_GLOBAL;
		ret->only_sums = only_sums(map);
		place_on_page(l, map->value->size, ret);
	} else if (!map->key) {
		ret->storage = SKEP_STORE_GLOBAL;
		ret->off = take(&l->globals_bytes, 8 + map->value->size);
	} else if (fits_task(l, map)) {
		make_task(l, map, ret);
	} else if (map->only_cpu_keys && is_small_memory(map)) {
		ret->storage = SKEP_STORE_CPU;
		place_on_page(l, 8 + map->value->size, ret);
	} else if (!place_choice(l, map, ret)) {
		make_hash(l, map, ret);
	}
}

void skep_lower_storage(struct skep_lower *l)
{
	struct skep_trace_program *program = l->program;
	const struct skep_map *map = program->script->maps;

	program->ring = program->ring_control = program->globals = program->cpu_globals = NONE;
	program->stacks[0] = program->stacks[1] = l->zeroes = NONE;
	program->more_stacks[0] = program->more_stacks[1] = NONE;
	program->elapsed_off = take(&l->globals_bytes, 8);
	program->n_maps = program->script->n_maps;
	program->maps = skep_arena_array(l->arena, struct skep_trace_map, program->n_maps);
	skep_lower_find_choices(l);
	skep_lower_find_threads(l);
	for (uint32_t i = 0; map; map = map->next, i++)
		place_map(l, map, &program->maps[map->index]);
	program->loss_off = take(&l->globals_bytes, 8 * (SKEP_LOSS_CNT + program->n_maps));
	for (uint32_t i = 0; i < program->n_maps; i++) {
		struct skep_trace_map *at = &program->maps[i];
		if (at->storage == SKEP_STORE_GLOBAL)
			at->bpf_map = skep_lower_globals(l);
		else if (is_on_page(at))
			at->bpf_map = skep_lower_cpu_globals(l);
	}
}

static uint32_t make_shared(struct skep_lower *l, uint32_t *index, const char *name, uint32_t type,
			    uint32_t value_size)
{
	if (*index != NONE)
		return *index;
	struct skep_object_map map = {
		.type = type, .key_size = 4, .value_size = value_size, .max_entries = 1};
	snprintf(map.name, sizeof(map.name), "%s", name);
	return *index = skep_object_add_map(l->object, &map);
}

uint32_t skep_lower_globals(struct skep_lower *l)
{
	uint32_t index = make_shared(l, &l->program->globals, "skep.globals", BPF_MAP_TYPE_ARRAY,
				     l->globals_bytes);

	/* Mapped by the run time, which can then set one global without touching the others. */
	l->object->maps[index].flags = BPF_F_MMAPABLE;
	return index;
}

uint32_t skep_lower_cpu_globals(struct skep_lower *l)
{
	uint32_t index = make_shared(l, &l->program->cpu_globals, "skep.percpu",
				     BPF_MAP_TYPE_PERCPU_ARRAY, l->longest_page);

	l->object->maps[index].max_entries = l->n_pages;
	return index;
}

/* A read-only stretch of zeroes, for first values that are too large for the stack. */
uint32_t skep_lower_zeroes(struct skep_lower *l, uint32_t bytes)
{
	uint32_t map = make_shared(l, &l->zeroes, "skep.zero", BPF_MAP_TYPE_ARRAY, bytes);

	if (l->object->maps[map].value_size < bytes)
		l->object->maps[map].value_size = bytes;
	return map;
}

/* Everything of a program is sent the same way; asked at the first event. */
bool skep_lower_has_ringbuf(struct skep_lower *l)
{
	return skep_lower_best(l, SKEP_FOR_EVENTS);
}

static uint32_t make_ring(struct skep_lower *l, uint32_t *index, const char *name, uint32_t bytes)
{
	struct skep_object_map map = {.type = BPF_MAP_TYPE_RINGBUF, .max_entries = bytes};

	if (*index != NONE)
		return *index;
	if (!skep_lower_has_ringbuf(l))
		map = (struct skep_object_map){.type = BPF_MAP_TYPE_PERF_EVENT_ARRAY,
					       .key_size = 4,
					       .value_size = 4,
					       .max_entries = skep_possible_cpus()};
	snprintf(map.name, sizeof(map.name), "%s", name);
	return *index = skep_object_add_map(l->object, &map);
}

static uint32_t grow_ring(struct skep_lower *l, uint32_t bytes)
{
	struct skep_trace_program *program = l->program;
	uint32_t index = make_ring(l, &program->ring, "skep.events", bytes);

	if (bytes > program->ring_bytes) {
		program->ring_bytes = bytes;
		if (skep_lower_has_ringbuf(l))
			l->object->maps[index].max_entries = bytes;
	}
	return index;
}

/* As small as it may be, until something is sent that there may be much of: the kernel fills all
 * of it with zeroes before the script runs. */
uint32_t skep_lower_ring(struct skep_lower *l)
{
	return grow_ring(l, CONTROL_RING_BYTES);
}

/* A loop, or an iterator, sends all it has before anybody can take it. Elsewhere there are as many
 * records in a moment as CPUs make: few, where one does so now and then. */
static uint64_t data_pages(const struct skep_lower *l)
{
	const struct skep_probe *probe = l->probe;
	bool is_timer = probe->attach.type == SKEP_ATTACH_PERF && probe->attach.perf.one_cpu;
	uint64_t pages = RING_PAGES_CPU * skep_possible_cpus();

	if (l->program->config.perf_rb_pages)
		return l->program->config.perf_rb_pages;
	if (l->loop || l->in_callback || probe->provider->ctx == SKEP_CTX_ITER)
		return RING_PAGES_MOST;
	if (probe->special != SKEP_PROBE_ATTACHED || is_timer)
		return RING_PAGES_FEW;
	pages = pages > 2 * RING_PAGES_CPU ? pages : 2 * RING_PAGES_CPU;
	return pages < RING_PAGES_MOST ? pages : RING_PAGES_MOST;
}

void skep_lower_ring_for_data(struct skep_lower *l)
{
	uint32_t bytes = CONTROL_RING_BYTES;
	uint64_t pages = data_pages(l);

	while (bytes < pages * 4096 && bytes < 1u << 30)
		bytes *= 2;
	grow_ring(l, bytes);
}

uint32_t skep_lower_control_ring(struct skep_lower *l)
{
	l->program->ring_control_bytes = CONTROL_RING_BYTES;
	return make_ring(l, &l->program->ring_control, "skep.control", CONTROL_RING_BYTES);
}

static uint32_t add_stack_map(struct skep_lower *l, const char *name, uint32_t entries)
{
	struct skep_object_map map = {
		.type = BPF_MAP_TYPE_STACK_TRACE, .key_size = 4, .max_entries = entries};

	snprintf(map.name, sizeof(map.name), "%s", name);
	return skep_object_add_map(l->object, &map);
}

/*
 * Stack maps for kernel and for user stacks, as deep as the deepest asked for. Two stacks may be of
 * one place in such a map, whose number is part of their hash: a second one has those that come
 * later. It is as good as empty, so hardly any two of them meet there.
 *
 * Their memory is taken at once, a kilobyte for each place. Who goes on for days has few stacks at
 * a time: there a quarter of the places will do.
 */
static void add_stack_maps(struct skep_lower *l, bool user)
{
	struct skep_trace_program *program = l->program;
	uint32_t entries = l->opts->is_frugal ? STACK_ENTRIES / 4 : STACK_ENTRIES;

	while (entries < STACKS_A_CPU * skep_possible_cpus() && entries < STACK_ENTRIES)
		entries *= 2;
	program->stacks[user] = add_stack_map(l, user ? "skep.ustack" : "skep.kstack", entries);
	program->more_stacks[user] =
		add_stack_map(l, user ? "skep.ustack2" : "skep.kstack2", entries / 4);
}

uint32_t skep_lower_stack_map(struct skep_lower *l, bool user, uint32_t depth)
{
	struct skep_trace_program *program = l->program;

	if (program->stacks[user] == NONE)
		add_stack_maps(l, user);
	if (depth > program->stack_depth[user])
		program->stack_depth[user] = depth;
	const uint32_t bytes = 8 * program->stack_depth[user];
	l->object->maps[program->stacks[user]].value_size = bytes;
	l->object->maps[program->more_stacks[user]].value_size = bytes;
	return program->stacks[user];
}

/* --- Setting back ---------------------------------------------------------------------------- */

/* Zero the map's bytes in the copy at @copy, if there is one, and go to @next. */
static void erase_copy(struct skep_lower *l, const struct skep_trace_map *map, uint32_t copy,
		       uint32_t next)
{
	uint32_t found = skep_ir_block(l->f);

	skep_ir_branch(l->f, SKEP_IR_NE, R(copy), I(0), found, next);
	skep_ir_at(l->f, found);
	uint32_t bytes =
		map->n_choices ? map->n_choices * skep_choice_stride(map->value) : map->value->size;
	skep_lower_zero(l, R(copy), (int32_t)map->off, bytes);
	skep_ir_jump(l->f, next);
}

static void erase_all_copies(struct skep_lower *l, const struct skep_trace_map *map, uint32_t done)
{
	struct skep_ir_func *f = l->f;
	struct skep_opnd key = skep_lower_key(l, map, NULL);
	uint32_t cpu = skep_ir_var(f), globals = skep_lower_cpu_globals(l);
	uint32_t each = skep_ir_block(f), look = skep_ir_block(f), next = skep_ir_block(f);

	skep_ir_set(f, cpu, skep_lower_blur(l, I(0)));
	skep_ir_jump(f, each);
	skep_ir_at(f, each);
	skep_ir_loop_guard(f, done);
	skep_ir_branch(f, SKEP_IR_ULT, R(cpu), I(skep_possible_cpus()), look, done);
	skep_ir_at(f, look);
	uint32_t copy = skep_ir_calln(f, BPF_FUNC_map_lookup_percpu_elem,
				      R(skep_ir_map(f, globals)), key, R(cpu));
	erase_copy(l, map, copy, next);
	skep_ir_at(f, next);
	skep_ir_set(f, cpu, R(skep_ir_alu(f, SKEP_IR_ADD, R(cpu), I(1))));
	skep_ir_jump(f, each);
}

static void erase_own_copy(struct skep_lower *l, const struct skep_trace_map *map, uint32_t done)
{
	struct skep_opnd key = skep_lower_key(l, map, NULL);
	uint32_t globals = skep_lower_cpu_globals(l);

	erase_copy(
		l, map,
		skep_ir_calln(l->f, BPF_FUNC_map_lookup_elem, R(skep_ir_map(l->f, globals)), key),
		done);
}

/* If the map is the one that is asked for, set it back. */
static void erase_if(struct skep_lower *l, uint32_t asked, const struct skep_trace_map *map)
{
	uint32_t yes = skep_ir_block(l->f), done = skep_ir_block(l->f);

	skep_ir_branch(l->f, SKEP_IR_EQ, R(asked), I(map - l->program->maps), yes, done);
	skep_ir_at(l->f, yes);
	if (skep_lower_best(l, SKEP_FOR_COPIES))
		erase_all_copies(l, map, done);
	else
		erase_own_copy(l, map, done);
	skep_ir_at(l->f, done);
}

static bool is_erased(const struct skep_lower *l, const struct skep_map *map)
{
	const struct skep_trace_map *placed = &l->program->maps[map->index];
	bool is_copied =
		placed->storage == SKEP_STORE_CPU_GLOBAL || placed->storage == SKEP_STORE_CHOICE;

	return (map->is_cleared || map->is_deleted) && is_copied && !placed->only_sums;
}

/* Returns the register that holds the index of the map asked for. */
static uint32_t begin_eraser(struct skep_lower *l)
{
	bool is_raw = skep_lower_run_type(l) == BPF_PROG_TYPE_RAW_TRACEPOINT;
	struct skep_ir_prog_desc desc = {.name = "skep_erase",
					 .type = skep_lower_run_type(l),
					 .section = is_raw ? "raw_tracepoint" : "uprobe"};

	l->f = skep_ir_prog(l->ir, &desc);
	l->program->eraser = l->n_programs++;
	return skep_ir_load(l->f, 8, R(skep_ir_param(l->f, 0)), is_raw ? 0 : skep_regs_arg(0));
}

/*
 * The run time could only write the whole value of the per-CPU globals back, with what was counted
 * in it meanwhile lost; so it runs this, with a map's index, instead.
 */
void skep_lower_eraser(struct skep_lower *l)
{
	uint32_t asked = NONE;

	for (const struct skep_map *map = l->program->script->maps; map; map = map->next) {
		if (!is_erased(l, map))
			continue;
		if (asked == NONE)
			asked = begin_eraser(l);
		erase_if(l, asked, &l->program->maps[map->index]);
	}
	if (asked != NONE)
		skep_ir_exit(l->f, I(0));
}
