/* Blocks of mappings, see blocks.h. */
#include "unwind/blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define AREAS_MOST (SKEP_UNWIND_MAPPINGS_MOST / 2 - 1) /* each with a gap behind it */

void skep_unwind_blocks_init(struct skep_unwind_blocks *ret,
			     const struct skep_unwind_arrays *arrays,
			     struct skep_unwind_objects *objects, struct skep_unwind_losses *losses)
{
	*ret = (struct skep_unwind_blocks){.arrays = arrays, .objects = objects, .losses = losses};
	skep_unwind_space_init(&ret->space, arrays->sizes.mappings);
}

void skep_unwind_blocks_done(struct skep_unwind_blocks *blocks)
{
	skep_unwind_space_done(&blocks->space);
}

/* --- Blocks ----------------------------------------------------------------------------------- */

struct skep_unwind_block *skep_unwind_block_new(struct skep_unwind_blocks *blocks)
{
	struct skep_unwind_block *block = skep_xcalloc(1, sizeof(*block));

	block->n_users = 1;
	blocks->n++;
	return block;
}

static void unuse(struct skep_unwind_blocks *blocks, const struct skep_unwind_area *area)
{
	if (area->object)
		skep_unwind_objects_unuse(blocks->objects, area->object);
}

static void use_again(struct skep_unwind_blocks *blocks, const struct skep_unwind_area *area)
{
	if (area->object)
		skep_unwind_objects_use_again(blocks->objects, area->object);
}

void skep_unwind_block_unref(struct skep_unwind_blocks *blocks, struct skep_unwind_block *block,
			     uint64_t now_ns)
{
	if (!block || --block->n_users)
		return;
	skep_vec_foreach (struct skep_unwind_area, area, &block->areas)
		unuse(blocks, area);
	skep_unwind_space_give(&blocks->space, block->stretch, now_ns);
	blocks->n--;
	skep_vec_done(&block->areas);
	free(block);
}

struct skep_unwind_block *skep_unwind_block_own(struct skep_unwind_blocks *blocks,
						struct skep_unwind_block *block)
{
	if (block->n_users == 1)
		return block;
	struct skep_unwind_block *copy = skep_unwind_block_new(blocks);
	skep_vec_foreach (struct skep_unwind_area, area, &block->areas) {
		use_again(blocks, area);
		skep_vec_push(&copy->areas, *area);
	}
	block->n_users--;
	return copy;
}

bool skep_unwind_block_equals(const struct skep_unwind_block *a, const struct skep_unwind_block *b)
{
	return a->areas.len == b->areas.len &&
	       (!a->areas.len ||
		!memcmp(a->areas.data, b->areas.data, a->areas.len * sizeof(*a->areas.data)));
}

/* --- Areas ------------------------------------------------------------------------------------ */

enum kind {
	KIND_FILE,
	KIND_FRAMES,  /* code that was made at run time */
	KIND_NOTHING, /* the kernel's own: [uprobes], [vsyscall] */
};

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* Memory that has no name, or one of those under which programs share what is only memory. */
static bool is_memory(const struct skep_mapping *m, const char *path)
{
	static const char *const names[] = {"//anon",    "[anon",   "[heap]",
					    "[stack",    "/memfd:", "/dev/shm/",
					    "/dev/zero", "/SYSV",   "/anon_hugepage"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (begins(path, names[i]))
			return true;
	}
	return !path[0] || (!m->inode && path[0] != '[');
}

static enum kind kind_of(const struct skep_mapping *m, const char *path)
{
	if (is_memory(m, path))
		return KIND_FRAMES;
	return path[0] == '/' || skep_unwind_is_vdso(path) ? KIND_FILE : KIND_NOTHING;
}

/* The first area that ends behind @addr. */
static size_t place_of(const struct skep_unwind_block *block, uint64_t addr)
{
	size_t low = 0, high = block->areas.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (block->areas.data[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void insert_at(struct skep_unwind_block *block, size_t i, struct skep_unwind_area area)
{
	skep_vec_push(&block->areas, area);
	struct skep_unwind_area *at = &block->areas.data[i];
	memmove(at + 1, at, (block->areas.len - i - 1) * sizeof(*at));
	*at = area;
}

static void remove_at(struct skep_unwind_block *block, size_t i)
{
	struct skep_unwind_area *at = &block->areas.data[i];

	memmove(at, at + 1, (block->areas.len - i - 1) * sizeof(*at));
	block->areas.len--;
}

/* Cut an area in two at @addr, which lies within it. */
static void split_at(struct skep_unwind_blocks *blocks, struct skep_unwind_block *block, size_t i,
		     uint64_t addr)
{
	struct skep_unwind_area rest = block->areas.data[i];

	rest.off += addr - rest.start;
	rest.start = addr;
	block->areas.data[i].end = addr;
	use_again(blocks, &rest);
	insert_at(block, i + 1, rest);
}

static void split(struct skep_unwind_blocks *blocks, struct skep_unwind_block *block, uint64_t addr)
{
	size_t i = place_of(block, addr);

	if (i < block->areas.len && block->areas.data[i].start < addr)
		split_at(blocks, block, i, addr);
}

/* Nothing is mapped at [start, end) any more. Return where it would be. */
static size_t clear(struct skep_unwind_blocks *blocks, struct skep_unwind_block *block,
		    uint64_t start, uint64_t end)
{
	split(blocks, block, start);
	split(blocks, block, end);
	size_t i = place_of(block, start), to = i;
	while (to < block->areas.len && block->areas.data[to].start < end)
		unuse(blocks, &block->areas.data[to++]);
	size_t behind = block->areas.len - to;
	if (to > i)
		memmove(&block->areas.data[i], &block->areas.data[to],
			behind * sizeof(*block->areas.data));
	block->areas.len = i + behind;
	return i;
}

/* @b goes on where @a ends, in memory and in the file. Of memory the offset means nothing. */
static bool continues(const struct skep_unwind_area *a, const struct skep_unwind_area *b)
{
	return a->end == b->start && a->object == b->object &&
	       (!a->object || a->off + (a->end - a->start) == b->off);
}

static void drop_at(struct skep_unwind_blocks *blocks, struct skep_unwind_block *block, size_t i)
{
	unuse(blocks, &block->areas.data[i]);
	remove_at(block, i);
}

static void join(struct skep_unwind_blocks *blocks, struct skep_unwind_block *block, size_t i)
{
	struct skep_unwind_area *at = block->areas.data;

	if (i + 1 >= block->areas.len || !continues(&at[i], &at[i + 1]))
		return;
	at[i].end = at[i + 1].end;
	drop_at(blocks, block, i + 1);
}

/* The kernel's own code is in no file; what tells that of 64-bit programs from that of others is
 * how large it is, and that it lies high. */
static struct skep_unwind_object *use(struct skep_unwind_blocks *blocks,
				      const struct skep_unwind_place *place)
{
	struct skep_mapping m = *place->mapping;
	const struct skep_unwind_place here = {place->tgid, &m, place->path};

	if (skep_unwind_is_vdso(place->path))
		m.inode = (m.end - m.start) | (m.start > UINT32_MAX);
	return skep_unwind_objects_use(blocks->objects, &here);
}

void skep_unwind_block_add(struct skep_unwind_blocks *blocks, struct skep_unwind_block *block,
			   const struct skep_unwind_place *place)
{
	const struct skep_mapping *m = place->mapping;
	struct skep_unwind_area area = {.start = m->start, .end = m->end};
	enum kind kind = kind_of(m, place->path);

	if (m->end <= m->start)
		return;
	block->is_stale = true;
	size_t i = clear(blocks, block, m->start, m->end);
	if (block->areas.len > AREAS_MOST) /* it lies within another: what is behind it goes */
		drop_at(blocks, block, i);
	if (block->areas.len == AREAS_MOST) {
		blocks->losses->n[SKEP_UNWIND_LOST_CUT]++;
		return;
	}
	if (kind == KIND_FILE) {
		area.off = m->off;
		area.object = use(blocks, place);
	}
	if (kind == KIND_NOTHING || (kind == KIND_FILE && !area.object))
		return;
	insert_at(block, i, area);
	join(blocks, block, i);
	if (i)
		join(blocks, block, i - 1);
}

const struct skep_unwind_area *skep_unwind_block_find(const struct skep_unwind_block *block,
						      const struct skep_unwind_object *object)
{
	skep_vec_foreach (const struct skep_unwind_area, area, &block->areas) {
		if (area->object == object)
			return area;
	}
	return NULL;
}

/* --- Writing ---------------------------------------------------------------------------------- */

static bool has_gap(const struct skep_unwind_block *block, size_t i)
{
	const struct skep_unwind_area *at = &block->areas.data[i];

	return i + 1 == block->areas.len || at->end < at[1].start;
}

static uint32_t count_entries(const struct skep_unwind_block *block)
{
	uint32_t n = 1;

	for (size_t i = 0; i < block->areas.len; i++)
		n += 1 + (has_gap(block, i) && i + 1 < block->areas.len);
	return n;
}

static struct skep_unwind_mapping entry_of(const struct skep_unwind_area *area)
{
	struct skep_unwind_mapping entry = {.start = area->start, .file = SKEP_UNWIND_FILE_FRAMES};
	const struct skep_mapping m = {.start = area->start, .end = area->end, .off = area->off};

	if (!area->object)
		return entry;
	entry.bias = skep_unwind_object_bias(area->object, &m);
	entry.file = area->object->file;
	entry.number = area->object->number;
	return entry;
}

/* A program that reads the entry now finds the file with its bias, or what was before. */
static void put_entry(struct skep_unwind_mapping *at, struct skep_unwind_mapping entry)
{
	at->start = entry.start;
	at->bias = entry.bias;
	at->number = entry.number;
	__atomic_store_n(&at->file, entry.file, __ATOMIC_RELEASE);
}

static void put_entries(const struct skep_unwind_block *block, struct skep_unwind_mapping *to)
{
	if (!block->areas.len)
		put_entry(to, (struct skep_unwind_mapping){0});
	for (size_t i = 0; i < block->areas.len; i++) {
		const struct skep_unwind_area *area = &block->areas.data[i];
		put_entry(to++, entry_of(area));
		if (has_gap(block, i))
			put_entry(to++, (struct skep_unwind_mapping){.start = area->end});
	}
}

int skep_unwind_block_write(struct skep_unwind_blocks *blocks, struct skep_unwind_block *block,
			    uint64_t now_ns)
{
	struct skep_unwind_stretch stretch = {0};
	int err = skep_unwind_space_take(&blocks->space, count_entries(block), now_ns, &stretch);

	if (!err)
		put_entries(block, &blocks->arrays->mappings[stretch.first]);
	skep_unwind_space_give(&blocks->space, block->stretch, now_ns);
	block->stretch = stretch;
	block->is_stale = err;
	return err;
}

void skep_unwind_block_refresh(struct skep_unwind_blocks *blocks, struct skep_unwind_block *block)
{
	if (block->stretch.n && !block->is_stale)
		put_entries(block, &blocks->arrays->mappings[block->stretch.first]);
}
