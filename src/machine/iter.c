/*
 * Iterators: a program that is called for each object of a kind, and prints.
 *
 *	LINK_CREATE   which objects (bpf_iter_link_info)      machine_iter_attach()
 *	ITER_CREATE   the walk; what it printed can be read   machine_cmd_iter_create()
 *
 * The kernel runs the program as its descriptor is read. A descriptor of ours is a file in memory,
 * so the whole walk is done when it is made, and the file has the text. As there, one object prints
 * less than 32 KiB; a result other than 0 drops what it printed, and it is shown once more; after
 * the last object the program is called once with none. Where read(2) would fail with nothing read
 * so far, ITER_CREATE does.
 *
 * Programs see maps, programs and links as memory in the layout of the kernel's structures, with
 * the members filled that say what they are.
 *
 * Source  behaviour of Linux 6.18, kernel/bpf/bpf_iter.c, map_iter.c, prog_iter.c, link_iter.c
 */
#include "machine/iter.h"

#include <string.h>

#include "machine/map.h"
#include "machine/run.h"

#define PREFIX       "bpf_iter_"
#define OBJECT_BYTES (8 * 4096)   /* of text, of one object */
#define MOST_TEXT    (128u << 20) /* of all */
#define TRIES        2
#define BLOCK_BYTES  16384
#define NAME_BYTES   64

/* --- What programs are shown ------------------------------------------------------------------ */

/* struct bpf_iter_meta */
struct meta {
	uint64_t seq, session_id, seq_num;
};

/* The beginning of struct bpf_iter__<target>: key and value are bpf_map_elem's. */
struct shown {
	uint64_t meta, object, key, value;
};

/* What programs may touch beside. */
struct seen {
	struct meta meta;
	/* Objects in the kernel's layout, and keys. */
	uint8_t block[BLOCK_BYTES];
};

struct walk {
	struct skep_machine *machine;
	struct prog_object *prog;
	struct map_object *map;
	struct seen seen;
	size_t block_used;
	struct shown shown;
	struct skep_world world;
	struct entry entry;
	struct skep_buf text;
	size_t start; /* where this object's text begins */
	bool overflowed;
	int err; /* why it ended before the last object; 0: it did not */
	uint32_t n_shown;
	uint8_t *copies; /* of a per-CPU value */
};

static int write_text(void *at, const void *data, size_t len)
{
	struct walk *walk = at;

	if (walk->text.len - walk->start + len >= OBJECT_BYTES || walk->text.len > MOST_TEXT) {
		walk->overflowed = true;
		return -EOVERFLOW;
	}
	skep_buf_add(&walk->text, data, len);
	return 0;
}

static uint32_t run_once(struct walk *walk)
{
	walk->text.len = walk->start;
	walk->overflowed = false;
	return machine_run_once(walk->prog, &walk->entry);
}

/* Return whether to go on. */
static bool show(struct walk *walk)
{
	bool dropped = true;

	walk->seen.meta.seq_num = walk->n_shown++;
	walk->start = walk->text.len;
	for (int i = 0; i < TRIES && dropped; i++) {
		dropped = run_once(walk) != 0;
		if (!walk->overflowed)
			continue;
		walk->err = -E2BIG;
		break;
	}
	if (dropped && !walk->err)
		walk->err = -EAGAIN;
	if (walk->err)
		walk->text.len = walk->start;
	return !walk->err;
}

/* The call after the last one. */
static void show_end(struct walk *walk)
{
	walk->shown.object = walk->shown.key = walk->shown.value = 0;
	walk->start = walk->text.len;
	run_once(walk);
	if (walk->overflowed)
		walk->text.len = walk->start;
}

/* --- Objects in the kernel's layout ----------------------------------------------------------- */

struct model {
	const struct skep_btf *btf;
	uint32_t id;
	uint8_t *at;
};

/* Zeroed; NULL at: the kernel has no such structure, or it is too large. */
static struct model new_model(struct walk *walk, const char *name)
{
	struct skep_btf *btf = walk->machine->kernel_btf;
	uint32_t id = skep_btf_find(btf, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_STRUCT));
	int64_t bytes = id ? skep_btf_size(btf, id) : 0;
	struct model model = {btf, id, NULL};

	bytes = (bytes + 7) & ~7;
	if (bytes <= 0 || (size_t)bytes > BLOCK_BYTES - walk->block_used)
		return model;
	model.at = walk->seen.block + walk->block_used;
	memset(model.at, 0, (size_t)bytes);
	walk->block_used += (size_t)bytes;
	return model;
}

static void put_bytes(const struct model *model, const char *name, const void *data, size_t n)
{
	struct skep_btf_member member;
	int64_t room;

	if (!model->at ||
	    skep_btf_find_member(model->btf, model->id, name, strlen(name), &member) ||
	    member.bit_off % 8)
		return;
	room = skep_btf_size(model->btf, member.type);
	if (room > 0)
		memcpy(model->at + member.bit_off / 8, data, n < (size_t)room ? n : (size_t)room);
}

/* Low bytes first: as many as the member has. */
static void put_number(const struct model *model, const char *name, uint64_t number)
{
	put_bytes(model, name, &number, sizeof(number));
}

static uint64_t model_map(struct walk *walk, const struct map_object *object)
{
	struct model model = new_model(walk, "bpf_map");
	const struct skep_map *map = object->map;

	put_number(&model, "map_type", map->type);
	put_number(&model, "key_size", map->key_size);
	put_number(&model, "value_size", map->value_size);
	put_number(&model, "max_entries", map->max_entries);
	put_number(&model, "map_flags", map->flags);
	put_number(&model, "map_extra", map->extra);
	put_number(&model, "numa_node", map->numa_node);
	put_number(&model, "id", object->object.id);
	put_number(&model, "btf_key_type_id", object->btf_key_type_id);
	put_number(&model, "btf_value_type_id", object->btf_value_type_id);
	put_number(&model, "refcnt", object->object.refs);
	put_number(&model, "usercnt", object->object.user_refs);
	put_bytes(&model, "name", map->name, sizeof(map->name));
	return (uintptr_t)model.at;
}

static uint64_t model_prog(struct walk *walk, const struct prog_object *prog)
{
	struct model aux = new_model(walk, "bpf_prog_aux"), model = new_model(walk, "bpf_prog");

	put_number(&aux, "id", prog->object.id);
	put_number(&aux, "refcnt", prog->object.refs);
	put_number(&aux, "attach_btf_id", prog->attach_btf_id);
	put_number(&aux, "used_map_cnt", prog->maps.len);
	put_number(&aux, "func_cnt", prog->image->n_funcs);
	put_number(&aux, "load_time", prog->load_time_ns);
	put_bytes(&aux, "name", prog->name, sizeof(prog->name));
	put_number(&aux, "prog", (uintptr_t)model.at);
	put_number(&model, "type", prog->type);
	put_number(&model, "expected_attach_type", prog->expected_attach_type);
	put_number(&model, "len", prog->n_insns);
	put_bytes(&model, "tag", prog->tag, sizeof(prog->tag));
	put_number(&model, "aux", (uintptr_t)aux.at);
	return (uintptr_t)model.at;
}

static uint64_t model_link(struct walk *walk, const struct link_object *link)
{
	struct model model = new_model(walk, "bpf_link");

	put_number(&model, "id", link->object.id);
	put_number(&model, "type", link->type);
	put_number(&model, "refcnt", link->object.refs);
	if (link->prog)
		put_number(&model, "prog", model_prog(walk, link->prog));
	return (uintptr_t)model.at;
}

static uint64_t model_of(struct walk *walk, struct object *object)
{
	walk->block_used = 0;
	switch (object->kind) {
	case OBJECT_MAP: return model_map(walk, object_of(map_object, object));
	case OBJECT_PROG: return model_prog(walk, object_of(prog_object, object));
	default: return model_link(walk, object_of(link_object, object));
	}
}

/* --- Targets ---------------------------------------------------------------------------------- */

static void walk_objects(struct walk *walk, enum object_kind kind)
{
	struct object *object;
	bool more = true;

	machine_object_sweep(walk->machine);
	for (uint32_t id = 0; more; machine_object_put(object)) {
		object = machine_object_after(walk->machine, kind, id);
		if (!object)
			break;
		id = object->id;
		walk->shown.object = model_of(walk, object);
		more = show(walk);
	}
}

static void walk_maps(struct walk *walk)
{
	walk_objects(walk, OBJECT_MAP);
}

static void walk_progs(struct walk *walk)
{
	walk_objects(walk, OBJECT_PROG);
}

static void walk_links(struct walk *walk)
{
	walk_objects(walk, OBJECT_LINK);
}

/* What there is of the host's tasks: the one that asks. */
static void walk_tasks(struct walk *walk)
{
	struct skep_btf *btf = walk->machine->kernel_btf;
	uint32_t id = skep_btf_find(btf, "task_struct", 11, SKEP_BTF_MASK(SKEP_BTF_STRUCT));

	walk->entry.value = skep_task_current();
	if (!walk->entry.value || !id)
		return;
	walk->entry.value_bytes = (size_t)skep_btf_size(btf, id);
	walk->shown.object = (uintptr_t)walk->entry.value;
	show(walk);
}

static bool is_per_cpu(const struct skep_map *map)
{
	return map->type == SKEP_MAP_PERCPU_ARRAY || map->type == SKEP_MAP_PERCPU_HASH ||
	       map->type == SKEP_MAP_LRU_PERCPU_HASH;
}

static void *copies_of(struct walk *walk, struct skep_map *map, const void *key)
{
	for (uint32_t cpu = 0; cpu < skep_map_n_cpus(); cpu++) {
		const void *value = skep_map_lookup_percpu(map, key, cpu);

		if (value)
			memcpy(walk->copies + (size_t)cpu * map->elem_size, value, map->elem_size);
	}
	return walk->copies;
}

/* A plain value is shown where it is: programs may change it. */
static long show_element(struct skep_map *map, void *key, void *value, void *at)
{
	struct walk *walk = at;

	if (walk->copies)
		value = copies_of(walk, map, key);
	memcpy(walk->seen.block + walk->block_used, key, map->key_size);
	walk->shown.key = (uintptr_t)(walk->seen.block + walk->block_used);
	walk->shown.value = (uintptr_t)value;
	walk->entry.value = value;
	return !show(walk);
}

static void walk_elements(struct walk *walk)
{
	struct skep_map *map = walk->map->map;

	walk->block_used = 0;
	walk->shown.object = model_map(walk, walk->map);
	walk->entry.value_bytes = map->value_size;
	if (is_per_cpu(map)) {
		walk->entry.value_bytes = (size_t)map->elem_size * skep_map_n_cpus();
		walk->copies = skep_xcalloc(1, walk->entry.value_bytes);
	}
	if (walk->block_used + map->key_size <= BLOCK_BYTES)
		skep_map_for_each(map, show_element, walk, 0);
	walk->shown.object = 0;
}

static const struct target {
	const char *name;
	uint32_t ctx_bytes;
	void (*walk)(struct walk *walk);
} targets[] = {
	{"bpf_map", offsetof(struct shown, key), walk_maps},
	{"bpf_prog", offsetof(struct shown, key), walk_progs},
	{"bpf_link", offsetof(struct shown, key), walk_links},
	{"task", offsetof(struct shown, key), walk_tasks},
	{"bpf_map_elem", sizeof(struct shown), walk_elements},
};

static const struct target *target_of(const struct link_object *link)
{
	const char *name = machine_iter_name(link);

	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++)
		if (!strcmp(targets[i].name, name))
			return &targets[i];
	return NULL;
}

const char *machine_iter_name(const struct link_object *link)
{
	size_t prefix = strlen(PREFIX);

	return strncmp(link->hook, PREFIX, prefix) ? "" : link->hook + prefix;
}

/* --- LINK_CREATE ------------------------------------------------------------------------------ */

static bool has_elements_to_walk(const struct skep_map *map)
{
	return map->type == SKEP_MAP_HASH || map->type == SKEP_MAP_LRU_HASH ||
	       map->type == SKEP_MAP_ARRAY || is_per_cpu(map);
}

static int attach_map(struct link_object *link, uint32_t fd)
{
	int err = fd ? machine_map_object_get(link->object.machine, (int)fd, &link->map, NULL)
		     : -EBADF;

	if (err)
		return err;
	return has_elements_to_walk(link->map->map) ? 0 : -EINVAL;
}

int machine_iter_attach(const struct attr_link_create *attr, struct link_object *link)
{
	struct wire_iter_info info = {0};
	uint32_t n = attr->iter_info_len;
	int err;

	if (attr->target || attr->flags || !attr->iter_info != !n)
		return -EINVAL;
	err = n ? machine_user_check_tail(attr->iter_info, sizeof(info), n) : 0;
	if (!err && n)
		err = machine_user_read(&info, attr->iter_info,
					n < sizeof(info) ? n : sizeof(info));
	if (err)
		return err;
	if (!*machine_iter_name(link))
		return -ENOENT;
	if (!strcmp(machine_iter_name(link), "bpf_map_elem"))
		return attach_map(link, info.map_fd);
	return 0;
}

/* --- ITER_CREATE ------------------------------------------------------------------------------ */

static struct walk *new_walk(struct link_object *link, const struct target *target)
{
	static uint64_t sessions;
	struct walk *walk = skep_xcalloc(1, sizeof(*walk));

	walk->machine = link->object.machine;
	walk->prog = machine_link_prog(link);
	walk->map = link->map;
	walk->world = machine_run_world(walk->machine);
	walk->world.seq_write = write_text;
	walk->world.seq_ctx = walk;
	walk->seen.meta.session_id = __atomic_fetch_add(&sessions, 1, __ATOMIC_RELAXED);
	walk->seen.meta.seq = (uintptr_t)&walk->seen.meta;
	walk->shown.meta = (uintptr_t)&walk->seen.meta;
	walk->entry = (struct entry){
		.ctx = &walk->shown,
		.ctx_bytes = target->ctx_bytes,
		.ctx_rights = SKEP_MAY_READ,
		.extra = &walk->seen,
		.extra_bytes = sizeof(walk->seen),
		.world = &walk->world,
	};
	return walk;
}

static void free_walk(struct walk *walk)
{
	machine_object_put(&walk->prog->object);
	skep_buf_done(&walk->text);
	free(walk->copies);
	free(walk);
}

static int read_all(struct link_object *link, const struct target *target)
{
	struct walk *walk = new_walk(link, target);
	int result;

	target->walk(walk);
	if (!walk->err)
		show_end(walk);
	result = walk->text.len ? 0 : walk->err;
	if (!result)
		result = machine_text_new(walk->text.data, walk->text.len);
	free_walk(walk);
	return result;
}

int machine_cmd_iter_create(struct skep_machine *machine, struct request *req)
{
	const struct target *target;
	struct link_object *link;
	int result;

	if (req->attr.iter.flags)
		return -EINVAL;
	result = machine_link_object_get(machine, req->attr.iter.link_fd, &link);
	if (result)
		return result;
	target = target_of(link);
	if (!machine_link_is_iter(link))
		result = -EINVAL;
	else
		result = target ? read_all(link, target) : -EOPNOTSUPP;
	machine_object_put(&link->object);
	return result;
}
