/*
 * Objects: their ids, their references, and the way from a descriptor to an object.
 *
 * All descriptors of an object together hold one reference. It is given up when the object is found
 * to have none any more: when ids are asked for, and otherwise as often as as many objects were
 * made as there are, so that looking costs a constant for each that is made.
 */
#include "machine/machine.h"

#include <fcntl.h>
#include <string.h>

#define SWEEP_MIN 64

static struct object **bucket_of(struct skep_machine *machine, uint64_t inode)
{
	return &machine->buckets[inode % OBJECT_BUCKETS];
}

/* --- Ids ------------------------------------------------------------------------------------ */

/* Where @id is or would be. */
static size_t find_place(const struct id_table *table, uint32_t id)
{
	size_t low = 0, high = table->all.len;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (table->all.data[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool id_is_taken(const struct id_table *table, uint32_t id)
{
	size_t at = find_place(table, id);

	return at < table->all.len && table->all.data[at]->id == id;
}

/* The next after the one given last, from 1 again at the end, as the kernel's cyclic allocation. */
static void give_id(struct id_table *table, struct object *object)
{
	uint32_t id = table->last;
	size_t at;

	do
		id = id < INT32_MAX - 1 ? id + 1 : 1;
	while (id_is_taken(table, id));
	at = find_place(table, id);
	skep_vec_push(&table->all, object);
	memmove(&table->all.data[at + 1], &table->all.data[at],
		(table->all.len - 1 - at) * sizeof(object));
	table->all.data[at] = object;
	table->last = object->id = id;
}

static void take_id(struct id_table *table, const struct object *object)
{
	size_t at = find_place(table, object->id);

	table->all.len--;
	memmove(&table->all.data[at], &table->all.data[at + 1],
		(table->all.len - at) * sizeof(object));
}

/* --- References ----------------------------------------------------------------------------- */

static void free_object(struct object *object)
{
	static void (*const frees[OBJECT_KINDS])(struct object *) = {
		[OBJECT_MAP] = machine_map_object_free,
		[OBJECT_PROG] = machine_prog_object_free,
		[OBJECT_BTF] = machine_btf_object_free,
		[OBJECT_LINK] = machine_link_object_free,
		[OBJECT_STATS] = (void (*)(struct object *))free,
	};

	machine_handle_done(&object->handle);
	frees[object->kind](object);
}

/* Nothing finds @object any more. */
static void forget(struct object *object)
{
	struct skep_machine *machine = object->machine;
	struct object **at = bucket_of(machine, object->handle.inode);

	while (*at && *at != object)
		at = &(*at)->next;
	if (*at)
		*at = object->next;
	if (object->id)
		take_id(&machine->ids[object->kind], object);
	if (object->kind == OBJECT_LINK)
		machine_link_detach_locked(object_of(link_object, object));
}

/* What was to be done when the lock is given back. */
struct leftovers {
	struct object *dead;
	SKEP_VEC(struct object *) unused; /* maps; each with a reference */
};

static void drop(struct object *object, struct leftovers *left)
{
	if (--object->refs)
		return;
	forget(object);
	object->next = left->dead;
	left->dead = object;
}

static void drop_user(struct object *object, struct leftovers *left)
{
	if (!--object->user_refs && object->kind == OBJECT_MAP && object->refs > 1) {
		object->refs++;
		skep_vec_push(&left->unused, object);
	}
	drop(object, left);
}

static void finish(struct leftovers *left)
{
	while (left->dead) {
		struct object *object = left->dead;

		left->dead = object->next;
		free_object(object);
	}
	for (size_t i = 0; i < left->unused.len; i++) {
		machine_map_object_unused(left->unused.data[i]);
		machine_object_put(left->unused.data[i]);
	}
	skep_vec_done(&left->unused);
}

void machine_object_ref(struct object *object)
{
	pthread_mutex_lock(&object->machine->lock);
	object->refs++;
	pthread_mutex_unlock(&object->machine->lock);
}

void machine_object_put(struct object *object)
{
	struct skep_machine *machine = object->machine;
	struct leftovers left = {0};

	pthread_mutex_lock(&machine->lock);
	drop(object, &left);
	pthread_mutex_unlock(&machine->lock);
	finish(&left);
}

void machine_object_ref_user(struct object *object)
{
	pthread_mutex_lock(&object->machine->lock);
	object->refs++;
	object->user_refs++;
	pthread_mutex_unlock(&object->machine->lock);
}

void machine_object_put_user(struct object *object)
{
	struct skep_machine *machine = object->machine;
	struct leftovers left = {0};

	pthread_mutex_lock(&machine->lock);
	drop_user(object, &left);
	pthread_mutex_unlock(&machine->lock);
	finish(&left);
}

/* --- Sweeping ------------------------------------------------------------------------------- */

static uint32_t count_all(const struct skep_machine *machine)
{
	size_t n = 0;

	for (int kind = 0; kind < OBJECT_KINDS; kind++)
		n += machine->ids[kind].all.len;
	return (uint32_t)n;
}

static void let_go(struct object *object, struct leftovers *left)
{
	if (!object->held || machine_handle_is_open(&object->handle))
		return;
	object->held = false;
	drop_user(object, left);
}

/* Backwards: what is dropped leaves its table. */
static void sweep_kind(struct id_table *table, struct leftovers *left)
{
	for (size_t i = table->all.len; i-- > 0;)
		if (i < table->all.len)
			let_go(table->all.data[i], left);
}

void machine_object_sweep(struct skep_machine *machine)
{
	bool more;

	machine_pin_sweep(machine);
	skep_grace_poll();
	/* What is freed lets go of others, whose descriptors may be closed as well: they had a
	 * reference of their own for that, so one round is enough for each chain. */
	do {
		struct leftovers left = {0};

		pthread_mutex_lock(&machine->lock);
		machine->since_sweep = 0;
		for (int kind = OBJECT_KINDS; kind-- > 0;)
			sweep_kind(&machine->ids[kind], &left);
		pthread_mutex_unlock(&machine->lock);
		more = left.dead;
		finish(&left);
	} while (more);
}

int machine_object_check_room(struct skep_machine *machine, enum object_kind kind)
{
	uint32_t most = machine->opts.most_objects;

	/* As often as half of all are new. */
	if (machine->since_sweep > SWEEP_MIN && 2 * machine->since_sweep > count_all(machine))
		machine_object_sweep(machine);
	if (!most || machine->ids[kind].all.len < most)
		return 0;
	machine_object_sweep(machine);
	return machine->ids[kind].all.len < most ? 0 : -ENFILE;
}

/* --- Descriptors ---------------------------------------------------------------------------- */

/* The descriptors' reference, if they do not have it. */
static void give_to_descriptors(struct object *object)
{
	if (object->held)
		return;
	object->held = true;
	object->refs++;
	object->user_refs++;
}

int machine_object_publish(struct object *object, int memory_fd, int flags)
{
	struct skep_machine *machine = object->machine;
	struct object **bucket;
	int fd, err = machine_handle_new(memory_fd, &object->handle);

	if (err)
		return err;
	fd = machine_handle_open(&object->handle, flags);
	if (fd < 0) {
		machine_handle_done(&object->handle);
		return fd;
	}
	pthread_mutex_lock(&machine->lock);
	bucket = bucket_of(machine, object->handle.inode);
	object->next = *bucket;
	*bucket = object;
	give_id(&machine->ids[object->kind], object);
	give_to_descriptors(object);
	machine->since_sweep++;
	pthread_mutex_unlock(&machine->lock);
	return fd;
}

int machine_object_open(struct object *object, int flags)
{
	int fd;

	pthread_mutex_lock(&object->machine->lock);
	fd = machine_handle_open(&object->handle, flags);
	if (fd >= 0)
		give_to_descriptors(object);
	pthread_mutex_unlock(&object->machine->lock);
	return fd;
}

static struct object *find(struct skep_machine *machine, const struct handle *handle)
{
	struct object *at = *bucket_of(machine, handle->inode);

	while (at && (at->handle.inode != handle->inode || at->handle.dev != handle->dev))
		at = at->next;
	return at;
}

int machine_object_get(struct skep_machine *machine, int fd, enum object_kind kind,
		       struct object **ret, int *ret_mode)
{
	struct object *object;
	struct handle handle;
	int mode, err = machine_handle_identify(fd, &handle, &mode);

	if (err)
		return err;
	pthread_mutex_lock(&machine->lock);
	object = find(machine, &handle);
	if (object && kind != OBJECT_KINDS && object->kind != kind)
		object = NULL;
	if (object) {
		give_to_descriptors(object);
		object->refs++;
	}
	pthread_mutex_unlock(&machine->lock);
	if (!object)
		return -EINVAL;
	*ret = object;
	if (ret_mode)
		*ret_mode = mode;
	return 0;
}

static struct object *find_by_id(struct skep_machine *machine, enum object_kind kind, uint32_t id,
				 bool next)
{
	struct id_table *table = &machine->ids[kind];
	struct object *object = NULL;
	size_t at;

	pthread_mutex_lock(&machine->lock);
	at = find_place(table, id);
	if (at < table->all.len && (next || table->all.data[at]->id == id)) {
		object = table->all.data[at];
		object->refs++;
	}
	pthread_mutex_unlock(&machine->lock);
	return object;
}

struct object *machine_object_by_id(struct skep_machine *machine, enum object_kind kind,
				    uint32_t id, bool next)
{
	machine_object_sweep(machine);
	return find_by_id(machine, kind, id, next);
}

struct object *machine_object_after(struct skep_machine *machine, enum object_kind kind,
				    uint32_t id)
{
	return find_by_id(machine, kind, id + 1, true);
}
