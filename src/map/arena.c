/*
 * arena: pages that programs and user space share, at addresses whose lower
 * 32 bits are the same for both.
 *
 * User space sees the pages at user_start (map_extra, or where its first
 * mmap() put them). A program's address is 32 bits wide and means base plus
 * those bits, so the pages are mapped a second time, at base plus the lower
 * half of user_start. Around them lie 4 GiB and a margin for the offsets of
 * instructions:
 *
 *	base - 32K      base + (u32)user_start                  base + 4 GiB + 32K
 *	| margin | nothing | pages 0 … max_entries - 1 | nothing | margin |
 *
 * "Nothing" is private memory: a program that goes astray there reads zeros,
 * as in the kernel, and harms nobody.
 *
 * Pages are in one file without a name. Which are free is in `ranges`; a page
 * that user space touched is not, and the file tells which those are.
 *
 * Source    Linux 6.18, kernel/bpf/arena.c, for behaviour.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "map/lock.h"
#include "map/objects.h"
#include "map/memory.h"
#include "map/ranges.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#define FOUR_GB UINT64_C(0x100000000)
#define MARGIN  UINT64_C(0x8000)

/* In memory that children of fork() share. */
struct free_pages {
	uint32_t lock, unused;
	struct skep_ranges ranges;
};

struct arena {
	struct skep_map map;
	uint8_t *whole; /* margins included */
	uint64_t user_start, user_end;
	struct free_pages *pages;
};

static int check(const struct skep_map_attr *attr)
{
	uint64_t page = skep_memory_page(), bytes = attr->max_entries * page;

	if (attr->key_size || attr->value_size || !attr->max_entries)
		return -EINVAL;
	if (!(attr->flags & SKEP_F_MMAPABLE))
		return -EINVAL;
	if (attr->flags & ~(SKEP_F_SEGV_ON_FAULT | SKEP_F_MMAPABLE | SKEP_F_NO_USER_CONV))
		return -EINVAL;
	if (attr->extra & (page - 1))
		return -EINVAL;
	if (bytes > FOUR_GB)
		return -E2BIG;
	return attr->extra >> 32 != (attr->extra + bytes - 1) >> 32 ? -ERANGE : 0;
}

static uint64_t file_bytes(const struct skep_map *map)
{
	return map->max_entries * (uint64_t)skep_memory_page();
}

uintptr_t skep_arena_base(const struct skep_map *map)
{
	return (uintptr_t)((const struct arena *)map)->whole + MARGIN;
}

uint64_t skep_arena_user_start(const struct skep_map *map)
{
	return ((const struct arena *)map)->user_start;
}

/* User space will see pages [@start, @end): programs see them at the same lower halves. */
static int settle(struct arena *arena, uint64_t start, uint64_t end)
{
	void *at = (void *)(skep_arena_base(&arena->map) + (uint32_t)start);
	int err = skep_memory_place(at, end - start, 3, arena->map.memory_fd, 0);

	if (err)
		return err;
	arena->user_start = start;
	arena->user_end = end;
	return 0;
}

static void destroy(struct skep_map *map)
{
	struct arena *arena = (struct arena *)map;

	skep_memory_release(arena->whole, FOUR_GB + 2 * MARGIN);
	skep_map_discard(map);
}

static int allocate(struct arena *arena)
{
	struct skep_map *map = &arena->map;
	size_t bytes = sizeof(struct free_pages) + skep_ranges_bytes(map->max_entries);
	int err = skep_map_reserve(map, bytes, false);

	if (err)
		return err;
	arena->pages = (struct free_pages *)map->base;
	skep_ranges_init(&arena->pages->ranges, map->max_entries);
	arena->whole = skep_memory_private(FOUR_GB + 2 * MARGIN);
	map->memory_fd = skep_memory_file("skep-arena", file_bytes(map));
	if (!arena->whole || map->memory_fd < 0)
		return -ENOMEM;
	return map->extra ? settle(arena, map->extra, map->extra + file_bytes(map)) : 0;
}

static int create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	struct arena *arena = skep_map_alloc(attr, sizeof(*arena));
	int err;

	if (!arena)
		return -ENOMEM;
	err = allocate(arena);
	if (err)
		destroy(&arena->map);
	else
		*ret = &arena->map;
	return err;
}

/* --- Pages for programs ---------------------------------------------------------------------- */

static bool node_ok(int node)
{
	char path[64];

	if (node == -1 || node == 0)
		return true;
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", node);
	return node > 0 && !access(path, F_OK);
}

static uint32_t n_pages(const struct arena *arena)
{
	return (uint32_t)((arena->user_end - arena->user_start) / skep_memory_page());
}

static uint32_t page_at(const struct arena *arena, uint64_t addr)
{
	return (uint32_t)(addr - (uint32_t)arena->user_start) / skep_memory_page();
}

/* The first of @n pages from @first that somebody touched; first + n: none. */
static uint32_t first_touched(const struct arena *arena, uint32_t first, uint32_t n)
{
	uint64_t page = skep_memory_page();
	uint64_t at = skep_memory_next_used(arena->map.memory_fd, first * page) / page;

	return at < first + (uint64_t)n ? (uint32_t)at : first + n;
}

/* Under the lock: take @n pages at @first. */
static bool take_at(struct arena *arena, uint32_t first, uint32_t n)
{
	if (!skep_ranges_are_free(&arena->pages->ranges, first, n) ||
	    first_touched(arena, first, n) != first + n)
		return false;
	skep_ranges_take(&arena->pages->ranges, first, n);
	return true;
}

/* Under the lock: take any @n pages in a row. Pages that user space touched are found out here. */
static bool take_any(struct arena *arena, uint32_t n, uint32_t *ret_first)
{
	uint32_t first, touched;

	while (!skep_ranges_find(&arena->pages->ranges, n, &first)) {
		touched = first_touched(arena, first, n);
		if (touched == first + n) {
			skep_ranges_take(&arena->pages->ranges, first, n);
			*ret_first = first;
			return true;
		}
		skep_ranges_take(&arena->pages->ranges, touched, 1);
	}
	return false;
}

uint64_t skep_arena_alloc_pages(struct skep_map *map, uint64_t addr, uint32_t n, int node,
				uint64_t flags)
{
	struct arena *arena = (struct arena *)map;
	uint64_t page = skep_memory_page();
	uint32_t first = 0, all = n_pages(arena);
	bool ok;

	if (flags || !n || n > all || !node_ok(node) || addr & (page - 1))
		return 0;
	if (addr) {
		first = page_at(arena, addr);
		if (first > all - n)
			return 0;
	}
	skep_lock(&arena->pages->lock);
	ok = addr ? take_at(arena, first, n) : take_any(arena, n, &first);
	skep_unlock(&arena->pages->lock);
	if (!ok)
		return 0;
	return (arena->user_start & ~(FOUR_GB - 1)) + (uint32_t)(arena->user_start + first * page);
}

int skep_arena_reserve_pages(struct skep_map *map, uint64_t addr, uint32_t n)
{
	struct arena *arena = (struct arena *)map;
	uint32_t first = page_at(arena, addr);
	bool ok;

	if (!n || addr & (skep_memory_page() - 1))
		return 0;
	if ((uint64_t)first + n > n_pages(arena))
		return -EINVAL;
	skep_lock(&arena->pages->lock);
	ok = take_at(arena, first, n);
	skep_unlock(&arena->pages->lock);
	return ok ? 0 : -EBUSY;
}

void skep_arena_free_pages(struct skep_map *map, uint64_t addr, uint32_t n)
{
	struct arena *arena = (struct arena *)map;
	uint64_t page = skep_memory_page(), start, end;
	uint32_t first;

	if (!addr || !n)
		return;
	start = (arena->user_start & ~(FOUR_GB - 1)) + ((uint32_t)addr & ~(uint32_t)(page - 1));
	end = start + n * page;
	if (end > arena->user_end)
		end = arena->user_end;
	if (start < arena->user_start || start >= end)
		return;
	first = page_at(arena, start);
	n = (uint32_t)((end - start) / page);
	skep_lock(&arena->pages->lock);
	skep_ranges_give_back(&arena->pages->ranges, first, n);
	skep_memory_clear(map->memory_fd, first * page, n * page,
			  (void *)(skep_arena_base(map) + (uint32_t)start));
	skep_unlock(&arena->pages->lock);
}

/* --- mmap() ---------------------------------------------------------------------------------- */

#ifdef __linux__

/* Where @len bytes can go without crossing 4 GiB: twice the room has such a place. */
static int choose_place(size_t len, void **ret)
{
	uint8_t *room = skep_memory_addresses(2 * len), *at = room;
	uintptr_t first = (uintptr_t)room;

	if (!room)
		return -ENOMEM;
	if (first >> 32 != (first + len - 1) >> 32)
		at = room + (FOUR_GB - (first & (FOUR_GB - 1)));
	if (at > room)
		munmap(room, (size_t)(at - room));
	munmap(at + len, 2 * len - (size_t)(at - room) - len);
	*ret = at;
	return 0;
}

static int check_place(const struct arena *arena, const void *addr, size_t len, uint64_t off)
{
	uint64_t all = arena->user_end - arena->user_start;

	if (off)
		return -EINVAL;
	if (len > FOUR_GB)
		return -E2BIG;
	if (!arena->user_start)
		return len > file_bytes(&arena->map) ? -E2BIG : 0;
	if (len > all)
		return -E2BIG;
	return len != all || (uint64_t)(uintptr_t)addr != arena->user_start ? -EINVAL : 0;
}

static intptr_t show(struct arena *arena, void *addr, size_t len, int prot)
{
	uint64_t start = (uint64_t)(uintptr_t)addr;
	int err = skep_memory_place(addr, len, prot, arena->map.memory_fd, 0);

	if (!err && !arena->user_start)
		err = settle(arena, start, start + len);
	if (err) {
		munmap(addr, len);
		return err;
	}
	/* A child would see other pages than its programs after it allocates: as the kernel,
	 * it has none. */
	madvise(addr, len, MADV_DONTFORK);
	return (intptr_t)addr;
}

static intptr_t map_pages(struct skep_map *map, void *addr, size_t len, int prot, int flags,
			  uint64_t off)
{
	struct arena *arena = (struct arena *)map;
	int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, err;
	void *at = addr;

	len = skep_memory_round_page(len);
	err = len ? check_place(arena, addr, len, off) : -EINVAL;
	if (err)
		return err;
	if (flags & MAP_FIXED)
		return show(arena, addr, len, prot);
	if (!addr) {
		err = choose_place(len, &at);
		return err ? err : show(arena, at, len, prot);
	}
	at = mmap(addr, len, PROT_NONE, how | MAP_FIXED_NOREPLACE, -1, 0);
	if (at == addr)
		return show(arena, at, len, prot);
	if (at != MAP_FAILED)
		munmap(at, len);
	if (arena->user_start)
		return -EBUSY;
	err = choose_place(len, &at);
	return err ? err : show(arena, at, len, prot);
}

#endif

static int sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	return -EINVAL;
}

static int sys_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	return -EOPNOTSUPP;
}

static int sys_delete(struct skep_map *map, const void *key)
{
	return -EOPNOTSUPP;
}

static int next_key(struct skep_map *map, const void *key, void *next)
{
	return -EOPNOTSUPP;
}

const struct skep_map_ops skep_map_arena_ops = {
	.check = check,
	.create = create,
	.free = destroy,
	.sys_lookup = sys_lookup,
	.sys_update = sys_update,
	.sys_delete = sys_delete,
	.next_key = next_key,
#ifdef __linux__
	.mmap = map_pages,
#endif
};
