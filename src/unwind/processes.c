/* Processes and their mappings, see processes.h. */
#include "unwind/processes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/arena.h"

#define TASK_LINKS_ALONE 3 /* of /proc/PID/task: ".", itself, and one thread */

void skep_unwind_processes_init(struct skep_unwind_processes *ret,
				const struct skep_unwind_arrays *arrays,
				struct skep_unwind_losses *losses)
{
	*ret = (struct skep_unwind_processes){.arrays = arrays, .losses = losses};
	skep_unwind_objects_init(&ret->objects, arrays, losses);
	skep_unwind_blocks_init(&ret->blocks, arrays, &ret->objects, losses);
}

static uint64_t now_of(const struct skep_unwind_processes *processes)
{
	return processes->objects.now_ns();
}

/* --- Which there are -------------------------------------------------------------------------- */

static struct skep_unwind_known **place_of(struct skep_unwind_processes *processes, uint32_t tgid)
{
	struct skep_unwind_known **at = &processes->buckets[tgid % SKEP_UNWIND_PROCESS_BUCKETS];

	while (*at && (*at)->tgid != tgid)
		at = &(*at)->next;
	return at;
}

/* NULL: there is no room for it, which is counted. */
static struct skep_unwind_known *get(struct skep_unwind_processes *processes, uint32_t tgid)
{
	struct skep_unwind_known **at = place_of(processes, tgid);

	if (*at)
		return *at;
	if (processes->n >= processes->arrays->sizes.processes) {
		processes->losses->n[SKEP_UNWIND_LOST_PROCESSES]++;
		return NULL;
	}
	*at = skep_xcalloc(1, sizeof(**at));
	(*at)->tgid = tgid;
	(*at)->scan = processes->scan;
	(*at)->block = skep_unwind_block_new(&processes->blocks);
	processes->n++;
	return *at;
}

static void hide(struct skep_unwind_processes *processes, struct skep_unwind_known *known)
{
	if (known->is_told)
		processes->arrays->set_process(processes->arrays->ctx, known->tgid, NULL);
	known->is_told = false;
}

static void set_leader_ended(struct skep_unwind_processes *processes,
			     struct skep_unwind_known *known, bool is_ended)
{
	processes->n_leaders_ended += is_ended - known->is_leader_ended;
	known->is_leader_ended = is_ended;
}

static void drop(struct skep_unwind_processes *processes, struct skep_unwind_known **at)
{
	struct skep_unwind_known *known = *at;

	*at = known->next;
	set_leader_ended(processes, known, false);
	hide(processes, known);
	skep_unwind_block_unref(&processes->blocks, known->block, now_of(processes));
	free(known);
	processes->n--;
}

void skep_unwind_processes_done(struct skep_unwind_processes *processes)
{
	for (size_t i = 0; i < SKEP_UNWIND_PROCESS_BUCKETS; i++) {
		while (processes->buckets[i]) {
			processes->buckets[i]->is_told = false;
			drop(processes, &processes->buckets[i]);
		}
	}
	skep_vec_done(&processes->dirty);
	skep_unwind_blocks_done(&processes->blocks);
	skep_unwind_objects_done(&processes->objects);
}

static void touch(struct skep_unwind_processes *processes, struct skep_unwind_known *known)
{
	if (known->is_dirty)
		return;
	known->is_dirty = true;
	skep_vec_push(&processes->dirty, known->tgid);
}

static void set_block(struct skep_unwind_processes *processes, struct skep_unwind_known *known,
		      struct skep_unwind_block *block)
{
	skep_unwind_block_unref(&processes->blocks, known->block, now_of(processes));
	known->block = block;
	touch(processes, known);
}

/* --- /proc ------------------------------------------------------------------------------------ */

static struct skep_unwind_block *block_of(struct skep_unwind_processes *processes, uint32_t tgid,
					  const struct skep_maps *maps)
{
	struct skep_unwind_block *block = skep_unwind_block_new(&processes->blocks);

	for (size_t i = 0; i < maps->n; i++) {
		const struct skep_unwind_place place = {.tgid = (pid_t)tgid,
							.mapping = &maps->data[i],
							.path = maps->paths + maps->data[i].path};
		if (maps->data[i].exec)
			skep_unwind_block_add(&processes->blocks, block, &place);
	}
	return block;
}

static void take_block(struct skep_unwind_processes *processes, struct skep_unwind_known *known,
		       struct skep_unwind_block *block)
{
	if (known->block->areas.len && skep_unwind_block_equals(known->block, block))
		skep_unwind_block_unref(&processes->blocks, block, now_of(processes));
	else
		set_block(processes, known, block);
}

int skep_unwind_processes_read(struct skep_unwind_processes *processes, uint32_t tgid)
{
	uint64_t told_ns = now_of(processes);
	struct skep_unwind_known *known;
	struct skep_maps maps;
	int err = skep_maps_read((pid_t)tgid, &maps);

	if (err)
		return -ESRCH;
	known = maps.n ? get(processes, tgid) : NULL;
	if (known) {
		take_block(processes, known, block_of(processes, tgid, &maps));
		known->told_ns = told_ns;
		known->scan = processes->scan;
		known->has_threads = true; /* who knows */
	}
	skep_maps_done(&maps);
	return known ? 0 : -ESRCH;
}

void skep_unwind_processes_begin_scan(struct skep_unwind_processes *processes)
{
	processes->scan++;
}

static void drop_if(struct skep_unwind_processes *processes,
		    bool (*is_gone)(const struct skep_unwind_processes *processes,
				    const struct skep_unwind_known *known))
{
	for (size_t i = 0; i < SKEP_UNWIND_PROCESS_BUCKETS; i++) {
		struct skep_unwind_known **at = &processes->buckets[i];
		while (*at) {
			if (is_gone(processes, *at))
				drop(processes, at);
			else
				at = &(*at)->next;
		}
	}
}

/* Does anything of the process go on? Its first thread may end before the others. */
static bool has_more_threads(uint32_t tgid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u/task", tgid);
	return !stat(path, &st) && st.st_nlink > TASK_LINKS_ALONE;
}

static bool has_ended(const struct skep_unwind_processes *processes,
		      const struct skep_unwind_known *known)
{
	return known->is_leader_ended && !has_more_threads(known->tgid);
}

/* A process whose first thread has ended shows no mappings, and yet goes on. */
static bool is_unseen(const struct skep_unwind_processes *processes,
		      const struct skep_unwind_known *known)
{
	return known->scan != processes->scan && !has_more_threads(known->tgid);
}

void skep_unwind_processes_end_scan(struct skep_unwind_processes *processes)
{
	drop_if(processes, is_unseen);
}

void skep_unwind_processes_sweep(struct skep_unwind_processes *processes)
{
	if (processes->n_leaders_ended)
		drop_if(processes, has_ended);
}

/* --- Records ---------------------------------------------------------------------------------- */

/* The process that a record is of, unless it tells what is known. One that is not known was there
 * before the records began, or there was no room for it: it is read as a whole. */
static struct skep_unwind_known *about(struct skep_unwind_processes *processes, uint32_t tgid,
				       uint64_t time_ns)
{
	struct skep_unwind_known *known = *place_of(processes, tgid);

	if (!known && processes->n < processes->arrays->sizes.processes) {
		skep_unwind_processes_read(processes, tgid);
		known = *place_of(processes, tgid);
	}
	return known && time_ns >= known->told_ns ? known : NULL;
}

void skep_unwind_processes_on_map(struct skep_unwind_processes *processes,
				  const struct skep_unwind_place *place, uint64_t time_ns)
{
	struct skep_unwind_known *known = about(processes, (uint32_t)place->tgid, time_ns);

	if (!known)
		return;
	known->block = skep_unwind_block_own(&processes->blocks, known->block);
	skep_unwind_block_add(&processes->blocks, known->block, place);
	touch(processes, known);
}

void skep_unwind_processes_on_fork(struct skep_unwind_processes *processes, uint32_t tgid,
				   uint32_t parent, uint64_t time_ns)
{
	struct skep_unwind_known *from, *to;

	if (tgid == parent) {
		to = *place_of(processes, tgid);
		if (to)
			to->has_threads = true;
		return;
	}
	from = *place_of(processes, parent);
	if (!from && !skep_unwind_processes_read(processes, parent))
		from = *place_of(processes, parent);
	if (!from || (time_ns < from->told_ns && !skep_unwind_processes_read(processes, tgid)))
		return; /* the parent may have mapped more since: the child has been read itself */
	to = get(processes, tgid);
	if (!to || time_ns < to->told_ns)
		return;
	to->has_threads = false;
	set_leader_ended(processes, to, false);
	to->scan = processes->scan;
	to->told_ns = 0;
	from->block->n_users++;
	set_block(processes, to, from->block);
}

void skep_unwind_processes_on_exec(struct skep_unwind_processes *processes, uint32_t tgid,
				   uint64_t time_ns)
{
	struct skep_unwind_known *known = get(processes, tgid);

	if (!known || time_ns < known->told_ns)
		return;
	known->has_threads = false;
	set_leader_ended(processes, known, false);
	known->scan = processes->scan;
	hide(processes, known); /* with what was found in its memory */
	set_block(processes, known, skep_unwind_block_new(&processes->blocks));
}

/* It was asked for, and had ended before it could be read: its records will tell what it mapped. */
static void note_missed(struct skep_unwind_processes *processes, uint32_t tgid)
{
	processes->missed[processes->n_missed++ % SKEP_UNWIND_MISSED] = tgid;
}

static void end_missed(struct skep_unwind_processes *processes,
		       const struct skep_unwind_known *known)
{
	for (uint32_t i = 0; i < SKEP_UNWIND_MISSED; i++) {
		if (processes->missed[i] != known->tgid)
			continue;
		processes->missed[i] = 0;
		skep_vec_foreach (const struct skep_unwind_area, area, &known->block->areas) {
			if (area->object)
				skep_unwind_objects_want(&processes->objects, area->object);
		}
	}
}

void skep_unwind_processes_on_exit(struct skep_unwind_processes *processes, uint32_t tgid,
				   uint32_t tid, uint64_t time_ns)
{
	struct skep_unwind_known **at = place_of(processes, tgid);

	if (!*at || time_ns < (*at)->told_ns || (tid != tgid && !(*at)->is_leader_ended))
		return;
	if ((*at)->has_threads && has_more_threads(tgid)) {
		set_leader_ended(processes, *at, true);
		return;
	}
	end_missed(processes, *at);
	drop(processes, at);
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* False: there is no room. */
static bool write_block(struct skep_unwind_processes *processes, struct skep_unwind_known *known)
{
	struct skep_unwind_block *block = known->block;

	if (block->stretch.n && !block->is_stale)
		return true;
	if (!skep_unwind_block_write(&processes->blocks, block, now_of(processes)))
		return true;
	processes->losses->n[SKEP_UNWIND_LOST_MAPPINGS] += !known->is_short;
	known->is_short = true;
	return false;
}

static bool tell(struct skep_unwind_processes *processes, struct skep_unwind_known *known)
{
	const struct skep_unwind_arrays *arrays = processes->arrays;
	bool is_empty = !known->block->areas.len; /* it executes another program right now */

	if (is_empty || !write_block(processes, known)) {
		hide(processes, known);
		return is_empty;
	}
	struct skep_unwind_process_entry entry = {known->block->stretch.first,
						  known->block->stretch.n};
	if (arrays->set_process(arrays->ctx, known->tgid, &entry)) {
		processes->losses->n[SKEP_UNWIND_LOST_PROCESSES]++;
		known->is_told = false;
		return true; /* waiting does not help */
	}
	known->is_told = true;
	known->is_short = false;
	return true;
}

bool skep_unwind_processes_flush(struct skep_unwind_processes *processes)
{
	size_t n = processes->dirty.len, n_left = 0;

	processes->flush++;
	for (size_t i = 0; i < n; i++) {
		struct skep_unwind_known *known = *place_of(processes, processes->dirty.data[i]);
		if (!known || !known->is_dirty || known->flush == processes->flush)
			continue; /* it has ended, or is here twice */
		known->flush = processes->flush;
		if (tell(processes, known))
			known->is_dirty = false;
		else
			processes->dirty.data[n_left++] = known->tgid;
	}
	processes->dirty.len = n_left;
	return n_left;
}

/* Files whose tables have come or gone, in all the mappings that have been written. */
static void refresh(struct skep_unwind_processes *processes)
{
	if (!processes->objects.is_changed)
		return;
	processes->visit++;
	for (size_t i = 0; i < SKEP_UNWIND_PROCESS_BUCKETS; i++) {
		for (struct skep_unwind_known *it = processes->buckets[i]; it; it = it->next) {
			if (it->block->visit == processes->visit)
				continue;
			it->block->visit = processes->visit;
			skep_unwind_block_refresh(&processes->blocks, it->block);
		}
	}
	processes->objects.is_changed = false;
}

/* --- Answers ---------------------------------------------------------------------------------- */

static int load(struct skep_unwind_processes *processes, const struct skep_unwind_known *known,
		struct skep_unwind_object *object, bool is_asked)
{
	const struct skep_unwind_area *area = skep_unwind_block_find(known->block, object);

	if (!area) /* it has been mapped over meanwhile */
		return -ENOENT;
	const struct skep_mapping m = {.start = area->start,
				       .end = area->end,
				       .off = area->off,
				       .inode = object->inode,
				       .dev = object->dev};
	const struct skep_unwind_place place = {
		.tgid = (pid_t)known->tgid, .mapping = &m, .path = object->path};
	return skep_unwind_objects_load(&processes->objects, object, &place, is_asked);
}

static int see_to(struct skep_unwind_processes *processes, uint32_t tgid, uint32_t number,
		  bool is_asked)
{
	struct skep_unwind_object *object = skep_unwind_objects_get(&processes->objects, number);
	const struct skep_unwind_known *known = *place_of(processes, tgid);
	int err = 0;

	if (!known || !known->is_told)
		err = skep_unwind_processes_read(processes, tgid);
	else if (object)
		err = load(processes, known, object, is_asked);
	if (known && err == -ENOENT && !skep_unwind_processes_read(processes, tgid)) {
		object = skep_unwind_objects_get(&processes->objects, number);
		err = object ? load(processes, known, object, is_asked)
			     : -ENOENT; /* its borders moved */
	}
	if (err == -ESRCH)
		note_missed(processes, tgid);
	else if (err == -ENOENT && object)
		skep_unwind_objects_want(&processes->objects, object);
	return err == -ESRCH ? -ENOENT : err;
}

int skep_unwind_processes_answer(struct skep_unwind_processes *processes, uint32_t tgid,
				 uint32_t number)
{
	int err = see_to(processes, tgid, number, true);

	skep_unwind_objects_note_asked(&processes->objects, number);
	skep_unwind_processes_flush(processes);
	refresh(processes);
	return err;
}

int skep_unwind_processes_expect(struct skep_unwind_processes *processes, uint32_t tgid,
				 uint32_t number)
{
	int err = see_to(processes, tgid, number, false);

	skep_unwind_processes_flush(processes);
	refresh(processes);
	return err;
}

void skep_unwind_processes_load_wanted(struct skep_unwind_processes *processes, uint32_t most)
{
	struct skep_unwind_objects *objects = &processes->objects;

	for (; most && objects->wanted.len; most--) {
		uint32_t number = objects->wanted.data[--objects->wanted.len];
		struct skep_unwind_object *object = skep_unwind_objects_get(objects, number);
		if (object)
			skep_unwind_objects_load_left(objects, object);
	}
	refresh(processes);
}

size_t skep_unwind_processes_memory(const struct skep_unwind_processes *processes)
{
	size_t bytes = sizeof(*processes) + skep_unwind_objects_memory(&processes->objects) +
		       skep_unwind_space_memory(&processes->blocks.space) +
		       processes->dirty.cap * sizeof(*processes->dirty.data) +
		       processes->blocks.n * sizeof(struct skep_unwind_block) +
		       processes->n * sizeof(struct skep_unwind_known);

	for (size_t i = 0; i < SKEP_UNWIND_PROCESS_BUCKETS; i++) {
		for (const struct skep_unwind_known *it = processes->buckets[i]; it; it = it->next)
			bytes += it->block->areas.cap * sizeof(*it->block->areas.data) /
				 it->block->n_users;
	}
	return bytes;
}
