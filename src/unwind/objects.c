/* Mapped files, see objects.h. */
#include "unwind/objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"

#define WANTED_MOST 64
#define PAGE_BYTES  4096ull
#define MISSES_MOST 6 /* each may be of a process that ended, or maps another file, as we looked */

void skep_unwind_objects_init(struct skep_unwind_objects *ret,
			      const struct skep_unwind_arrays *arrays,
			      struct skep_unwind_losses *losses)
{
	*ret = (struct skep_unwind_objects){.losses = losses, .now_ns = skep_clock_ns};
	skep_unwind_store_init(&ret->store, arrays);
}

static void object_free(struct skep_unwind_object *object)
{
	if (object)
		free(object->path);
	free(object);
}

void skep_unwind_objects_done(struct skep_unwind_objects *objects)
{
	skep_vec_foreach (struct skep_unwind_object *, object, &objects->numbers)
		object_free(*object);
	skep_vec_done(&objects->numbers);
	skep_vec_done(&objects->wanted);
	skep_unwind_store_done(&objects->store);
}

static struct skep_unwind_object **bucket_of(struct skep_unwind_objects *objects, uint64_t dev,
					     uint64_t inode)
{
	uint64_t mixed = (inode ^ dev << 32) * 0x9e3779b97f4a7c15ull;

	return &objects->buckets[(mixed >> 32) % SKEP_UNWIND_BUCKETS];
}

/* --- Tables of objects ------------------------------------------------------------------------ */

static bool has_table(const struct skep_unwind_object *object)
{
	return object->file >= SKEP_UNWIND_FILE_FIRST;
}

static struct skep_unwind_stored *stored_of(struct skep_unwind_objects *objects, uint32_t file)
{
	return &objects->store.stored[file];
}

static void count_live(struct skep_unwind_objects *objects, const struct skep_unwind_object *object,
		       bool is_live)
{
	if (has_table(object))
		stored_of(objects, object->file)->n_live += is_live ? 1 : -1u;
}

/* Does another file that has the same inode, which was given anew, begin at the same page? Then
 * what is said there is of that one. */
static bool is_of_other(struct skep_unwind_objects *objects,
			const struct skep_unwind_object *object, uint64_t start)
{
	const struct skep_unwind_object *it = *bucket_of(objects, object->dev, object->inode);

	for (; it; it = it->next) {
		if (it == object || it->dev != object->dev || it->inode != object->inode ||
		    it->file < SKEP_UNWIND_FILE_FRAMES)
			continue;
		for (uint32_t i = 0; i < it->n_segments; i++) {
			if ((it->segments[i].off & ~(PAGE_BYTES - 1)) == start)
				return true;
		}
	}
	return false;
}

/* Say what of it may be mapped by who is not known yet, if that is of use. */
static void tell_code(struct skep_unwind_objects *objects, const struct skep_unwind_object *object)
{
	const struct skep_unwind_arrays *arrays = objects->store.arrays;
	bool is_of_use = object->file >= SKEP_UNWIND_FILE_FRAMES;

	for (uint32_t i = 0; i < object->n_segments && arrays->set_code; i++) {
		const struct skep_unwind_segment *segment = &object->segments[i];
		const uint64_t start = segment->off & ~(PAGE_BYTES - 1);
		const struct skep_unwind_code_key key = {.inode = object->inode,
							 .page = (uint32_t)(start / PAGE_BYTES),
							 .dev = object->dev};
		const struct skep_unwind_code code = {.bias = segment->off - segment->addr - start,
						      .size = object->version.size,
						      .generation = object->generation,
						      .file = object->file};
		if (is_of_use || !is_of_other(objects, object, start))
			arrays->set_code(arrays->ctx, &key, is_of_use ? &code : NULL);
	}
}

static void set_file(struct skep_unwind_objects *objects, struct skep_unwind_object *object,
		     uint32_t file)
{
	if (object->n_users)
		count_live(objects, object, false);
	object->file = file;
	if (object->n_users)
		count_live(objects, object, true);
	tell_code(objects, object);
	objects->is_changed = true;
}

static void drop_table(struct skep_unwind_objects *objects, uint32_t file)
{
	const struct skep_unwind_stored *stored = stored_of(objects, file);

	objects->losses->n[SKEP_UNWIND_LOST_EVICTED] += stored->n_live && stored->is_asked;
	skep_vec_foreach (struct skep_unwind_object *, object, &objects->numbers) {
		if (*object && (*object)->file == file)
			set_file(objects, *object, SKEP_UNWIND_FILE_ASK);
	}
	skep_unwind_store_drop(&objects->store, file, objects->now_ns());
}

/* --- Who maps them ---------------------------------------------------------------------------- */

static void rename_to(struct skep_unwind_object *object, const char *path)
{
	if (!strcmp(object->path, path))
		return;
	free(object->path);
	object->path = skep_xstrdup(path);
}

static struct skep_unwind_object *find(struct skep_unwind_objects *objects,
				       const struct skep_mapping *m)
{
	struct skep_unwind_object *object = *bucket_of(objects, m->dev, m->inode);

	for (; object; object = object->next) {
		bool is_other =
			object->generation && m->generation && object->generation != m->generation;
		if (object->dev == m->dev && object->inode == m->inode && !is_other)
			return object;
	}
	return NULL;
}

static uint32_t free_number(struct skep_unwind_objects *objects)
{
	uint32_t i = 0;

	if (objects->n < objects->numbers.len) {
		while (objects->numbers.data[i])
			i++;
		return i;
	}
	skep_vec_push(&objects->numbers, NULL);
	return (uint32_t)objects->numbers.len - 1;
}

static void forget(struct skep_unwind_objects *objects, struct skep_unwind_object *object)
{
	struct skep_unwind_object **at = bucket_of(objects, object->dev, object->inode);

	object->file = SKEP_UNWIND_FILE_ASK; /* nobody maps it */
	tell_code(objects, object);
	while (*at != object)
		at = &(*at)->next;
	*at = object->next;
	objects->numbers.data[object->number] = NULL;
	objects->n--;
	objects->n_retired--;
	object_free(object);
}

static void forget_oldest(struct skep_unwind_objects *objects)
{
	struct skep_unwind_object *oldest = NULL;

	skep_vec_foreach (struct skep_unwind_object *, it, &objects->numbers) {
		if (*it && !(*it)->n_users && (!oldest || (*it)->retired < oldest->retired))
			oldest = *it;
	}
	if (oldest)
		forget(objects, oldest);
}

static struct skep_unwind_object *add(struct skep_unwind_objects *objects,
				      const struct skep_unwind_place *place)
{
	const struct skep_mapping *m = place->mapping;
	struct skep_unwind_object **bucket = bucket_of(objects, m->dev, m->inode), *object;

	if (objects->n == SKEP_UNWIND_OBJECTS_MOST)
		forget_oldest(objects);
	if (objects->n == SKEP_UNWIND_OBJECTS_MOST) {
		objects->losses->n[SKEP_UNWIND_LOST_OBJECTS]++;
		return NULL;
	}
	object = skep_xcalloc(1, sizeof(*object));
	*object = (struct skep_unwind_object){
		.dev = m->dev,
		.inode = m->inode,
		.generation = m->generation,
		.number = free_number(objects),
		.path = skep_xstrdup(place->path),
		.file = SKEP_UNWIND_FILE_ASK,
		.next = *bucket,
	};
	objects->numbers.data[object->number] = *bucket = object;
	objects->n++;
	objects->n_retired++;
	return object;
}

/* The inode may be another file's by now, or the file may have been written over. Where the process
 * has ended before we could look, nobody will ask either. */
static bool is_unchanged(const struct skep_unwind_object *object,
			 const struct skep_unwind_place *place)
{
	struct skep_unwind_version now;

	return !skep_unwind_image_version(place, &now) &&
	       !memcmp(&now, &object->version, sizeof(now));
}

void skep_unwind_objects_want(struct skep_unwind_objects *objects,
			      const struct skep_unwind_object *object)
{
	if (object->file != SKEP_UNWIND_FILE_ASK || object->is_waiting ||
	    objects->wanted.len >= WANTED_MOST)
		return;
	skep_vec_push(&objects->wanted, object->number);
}

struct skep_unwind_object *skep_unwind_objects_use(struct skep_unwind_objects *objects,
						   const struct skep_unwind_place *place)
{
	struct skep_unwind_object *object = find(objects, place->mapping);
	bool is_new = !object;

	if (!object)
		object = add(objects, place);
	if (!object)
		return NULL;
	if (!object->n_users && object->file != SKEP_UNWIND_FILE_ASK &&
	    !is_unchanged(object, place))
		set_file(objects, object, SKEP_UNWIND_FILE_ASK);
	if (!object->n_users)
		rename_to(object, place->path);
	if (!object->n_users && !is_new)
		skep_unwind_objects_want(objects, object);
	if (!object->generation)
		object->generation = place->mapping->generation;
	skep_unwind_objects_use_again(objects, object);
	return object;
}

void skep_unwind_objects_use_again(struct skep_unwind_objects *objects,
				   struct skep_unwind_object *object)
{
	if (object->n_users++)
		return;
	objects->n_retired--;
	count_live(objects, object, true);
}

void skep_unwind_objects_unuse(struct skep_unwind_objects *objects,
			       struct skep_unwind_object *object)
{
	if (--object->n_users)
		return;
	count_live(objects, object, false);
	if (has_table(object))
		stored_of(objects, object->file)->used_ns = objects->now_ns();
	object->retired = ++objects->clock;
	objects->n_retired++;
	if (objects->n_retired > SKEP_UNWIND_RETIRED_MOST)
		forget_oldest(objects);
}

struct skep_unwind_object *skep_unwind_objects_get(const struct skep_unwind_objects *objects,
						   uint32_t number)
{
	return number < objects->numbers.len ? objects->numbers.data[number] : NULL;
}

/* --- Loading ---------------------------------------------------------------------------------- */

/* Others that have not been used for long go, one after the other, until enough of each array is
 * free or about to be: they have to rest, so who needs the room comes back for it. */
static void make_room(struct skep_unwind_objects *objects, const struct skep_unwind_table *needed)
{
	uint64_t now_ns = objects->now_ns();
	const struct skep_unwind_store *store = &objects->store;
	uint64_t before_ns = now_ns > SKEP_UNWIND_SETTLE_NS ? now_ns - SKEP_UNWIND_SETTLE_NS : 0;

	while (!skep_unwind_store_resting(store, needed)) {
		uint32_t victim = skep_unwind_store_victim(store, before_ns);
		if (!victim)
			break;
		drop_table(objects, victim);
	}
}

static int wait_for_room(struct skep_unwind_objects *objects, struct skep_unwind_object *object,
			 bool is_asked)
{
	object->is_waiting = true;
	if (!is_asked)
		return -EAGAIN;
	objects->losses->n[SKEP_UNWIND_LOST_WAITING] += !object->is_awaited;
	object->is_awaited = true;
	make_room(objects, &object->needed);
	return -EAGAIN;
}

static uint32_t give_up(struct skep_unwind_objects *objects, enum skep_unwind_loss loss)
{
	objects->losses->n[loss]++;
	return SKEP_UNWIND_FILE_NONE;
}

static int put(struct skep_unwind_objects *objects, const struct skep_unwind_key *key,
	       const struct skep_unwind_table *table, uint32_t *ret_file)
{
	int err;

	if (!skep_unwind_store_fits(&objects->store, table)) {
		*ret_file = give_up(objects, SKEP_UNWIND_LOST_LARGE);
		return 0;
	}
	err = skep_unwind_store_put(&objects->store, key, table, objects->now_ns(), ret_file);
	if (err)
		return err;
	objects->losses->n[SKEP_UNWIND_LOST_ENTRIES] += table->n_skipped;
	objects->n_built++;
	objects->n_rows_built += table->n_rows;
	return 0;
}

static int build(struct skep_unwind_objects *objects, struct skep_unwind_object *object,
		 const struct skep_unwind_image *image, uint32_t *ret_file)
{
	struct skep_unwind_table table;
	int err = skep_unwind_table_build_within(&image->section, objects->store.rows.size, &table);

	if (err) {
		*ret_file = SKEP_UNWIND_FILE_NONE;
		if (err != -ENODATA)
			give_up(objects, err == -E2BIG ? SKEP_UNWIND_LOST_LARGE
						       : SKEP_UNWIND_LOST_MALFORMED);
		return 0;
	}
	object->needed = (struct skep_unwind_table){
		.n_rows = table.n_rows, .n_rules = table.n_rules, .n_pages = table.n_pages};
	err = put(objects, &image->key, &table, ret_file);
	if (!err && *ret_file >= SKEP_UNWIND_FILE_FIRST)
		objects->store.arrays->runtimes[*ret_file] = image->runtime;
	skep_unwind_table_done(&table);
	return err;
}

static int file_of(struct skep_unwind_objects *objects, struct skep_unwind_object *object,
		   const struct skep_unwind_image *image, uint32_t *ret_file)
{
	*ret_file = image->kind == SKEP_UNWIND_IMAGE_FRAMES ? SKEP_UNWIND_FILE_FRAMES
							    : SKEP_UNWIND_FILE_NONE;
	if (image->kind != SKEP_UNWIND_IMAGE_TABLE)
		return 0;
	*ret_file = skep_unwind_store_find(&objects->store, &image->key, objects->now_ns());
	if (!*ret_file)
		return build(objects, object, image, ret_file);
	/* which it is said to be by its name, and another name may not have said so */
	if (image->runtime.version != SKEP_INTERP_NONE)
		objects->store.arrays->runtimes[*ret_file] = image->runtime;
	return 0;
}

static void take_image(struct skep_unwind_object *object, const struct skep_unwind_image *image)
{
	object->version = image->version;
	object->n_segments = image->n_segments;
	memcpy(object->segments, image->segments, sizeof(object->segments));
	object->is_waiting = object->is_awaited = false;
	object->n_missed = 0;
}

int skep_unwind_objects_load(struct skep_unwind_objects *objects, struct skep_unwind_object *object,
			     const struct skep_unwind_place *place, bool is_asked)
{
	_cleanup_image_ struct skep_unwind_image image = {0};
	uint32_t file;

	if (object->file != SKEP_UNWIND_FILE_ASK)
		return 0;
	if (object->is_waiting &&
	    !skep_unwind_store_has_room(&objects->store, &object->needed, objects->now_ns()))
		return wait_for_room(objects, object, is_asked);
	int err = skep_unwind_image_open(place, &image);
	if (err == -ESRCH || (err == -ENOENT && ++object->n_missed < MISSES_MOST))
		return -ENOENT;
	if (err) { /* it may not be read, or is larger than any program */
		set_file(objects, object, give_up(objects, SKEP_UNWIND_LOST_UNREADABLE));
		return 0;
	}
	if (file_of(objects, object, &image, &file))
		return wait_for_room(objects, object, is_asked);
	take_image(object, &image);
	set_file(objects, object, file);
	return 0;
}

void skep_unwind_objects_note_asked(struct skep_unwind_objects *objects, uint32_t number)
{
	const struct skep_unwind_object *object = skep_unwind_objects_get(objects, number);

	if (object && has_table(object))
		stored_of(objects, object->file)->is_asked = true;
}

void skep_unwind_objects_load_left(struct skep_unwind_objects *objects,
				   struct skep_unwind_object *object)
{
	const struct skep_mapping m = {.inode = object->inode, .dev = object->dev};
	const struct skep_unwind_place place = {.mapping = &m, .path = object->path};

	if (!object->is_waiting && !skep_unwind_is_vdso(object->path) &&
	    skep_unwind_store_is_spacious(&objects->store))
		skep_unwind_objects_load(objects, object, &place, false);
}

/* A mapping has whole pages of the file, so it may begin before its segment does. */
uint64_t skep_unwind_object_bias(const struct skep_unwind_object *object,
				 const struct skep_mapping *mapping)
{
	uint64_t end = mapping->off + (mapping->end - mapping->start);

	for (uint32_t i = 0; i < object->n_segments; i++) {
		const struct skep_unwind_segment *segment = &object->segments[i];
		if (segment->off < end && segment->end > mapping->off)
			return mapping->start - mapping->off + segment->off - segment->addr;
	}
	return 0;
}

size_t skep_unwind_objects_memory(const struct skep_unwind_objects *objects)
{
	size_t bytes = sizeof(*objects) + objects->numbers.cap * sizeof(*objects->numbers.data) +
		       objects->wanted.cap * sizeof(*objects->wanted.data) +
		       skep_unwind_store_memory(&objects->store);

	skep_vec_foreach (struct skep_unwind_object *, object, &objects->numbers) {
		if (*object)
			bytes += sizeof(**object) + strlen((*object)->path) + 1;
	}
	return bytes;
}
