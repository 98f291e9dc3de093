/* The memory of ring buffers: made, shown, freed. The layout is drawn in ringbuf.h. */
#include "map/ringbuf.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "map/ops.h"
#include "map/memory.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

int skep_ring_check(const struct skep_map_attr *attr)
{
	if (attr->flags & ~SKEP_F_NUMA_NODE)
		return -EINVAL;
	if (attr->key_size || attr->value_size || !attr->max_entries)
		return -EINVAL;
	if (attr->max_entries & (attr->max_entries - 1))
		return -EINVAL;
	return attr->max_entries % skep_memory_page() ? -EINVAL : 0;
}

/* Put the file's pages where ringbuf.h draws them; @base has room for all. */
static int place(uint8_t *base, int fd, uint64_t data)
{
	size_t page = skep_memory_page();
	int rw = 3; /* PROT_READ | PROT_WRITE everywhere */
	int err = skep_memory_place(base, page, rw, fd, 2 * page + data);

	if (!err)
		err = skep_memory_place(base + page, 2 * page + data, rw, fd, 0);
	if (!err)
		err = skep_memory_place(base + 3 * page + data, data, rw, fd, 2 * page);
	return err;
}

static size_t reservation(uint64_t data)
{
	return SKEP_RB_FIRST_PAGES * skep_memory_page() + 2 * data;
}

static void point_into(struct skep_ring *ring, uint8_t *base)
{
	size_t page = skep_memory_page();

	ring->head = (void *)base;
	ring->consumer = (void *)(base + page);
	ring->producer = (void *)(base + 2 * page);
	ring->data = base + 3 * page;
	ring->mask = ring->map.max_entries - 1;
	ring->head->mask = ring->mask;
	ring->head->map = &ring->map;
}

int skep_ring_create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	uint64_t data = attr->max_entries;
	struct skep_ring *ring = skep_map_alloc(attr, sizeof(*ring));
	uint8_t *base = skep_memory_addresses(reservation(data));
	int fd = skep_memory_file("skep-ringbuf", 3 * skep_memory_page() + data);
	int err = !ring || !base ? -ENOMEM : fd < 0 ? fd : place(base, fd, data);

	if (err) {
		skep_memory_release(base, reservation(data));
		if (fd >= 0)
			close(fd);
		skep_map_discard(&ring->map);
		return err;
	}
	ring->map.memory_fd = fd;
	ring->map.memory_bytes = data + 3 * skep_memory_page();
	point_into(ring, base);
	*ret = &ring->map;
	return 0;
}

void skep_ring_free(struct skep_map *map)
{
	struct skep_ring *ring = (struct skep_ring *)map;

	skep_memory_release(ring->head, reservation(map->max_entries));
	skep_map_discard(map);
}

#ifdef __linux__

/* Pages [@first, @first + @n) of what user space sees, at @at: the second sight of the data is the
 * file's data again. */
static int show(const struct skep_map *map, uint8_t *at, uint64_t first, uint64_t n, int prot)
{
	size_t page = skep_memory_page();
	uint64_t in_file = 2 + map->max_entries / page;
	uint64_t whole = first < in_file ? in_file - first : 0;

	if (whole > n)
		whole = n;
	if (whole) {
		int err = skep_memory_place(at, whole * page, prot, map->memory_fd, first * page);

		if (err)
			return err;
	}
	if (whole == n)
		return 0;
	first = first + whole - (in_file - 2);
	return skep_memory_place(at + whole * page, (n - whole) * page, prot, map->memory_fd,
				 first * page);
}

intptr_t skep_ring_map_pages(struct skep_map *map, void *addr, size_t len, int prot, int flags,
			     uint64_t off)
{
	size_t page = skep_memory_page();
	uint64_t first = off / page, n = skep_memory_round_page(len) / page;
	uint64_t all = 2 + 2 * (map->max_entries / page);
	int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	void *at;
	int err;

	if (!n || n > all || first > all - n)
		return -EINVAL;
	at = mmap(addr, n * page, PROT_NONE, how | (flags & MAP_FIXED), -1, 0);
	if (at == MAP_FAILED)
		return -errno;
	err = show(map, at, first, n, prot);
	if (!err)
		return (intptr_t)at;
	munmap(at, n * page);
	return err;
}

#else

intptr_t skep_ring_map_pages(struct skep_map *map, void *addr, size_t len, int prot, int flags,
			     uint64_t off)
{
	return -ENOSYS;
}

#endif

void skep_ring_wake(struct skep_map *map, bool force)
{
	if (map->env && map->env->wake)
		map->env->wake(map, force);
}

void *skep_ring_lookup(struct skep_map *map, const void *key)
{
	return NULL;
}

int skep_ring_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	return -SKEP_ENOTSUPP;
}

int skep_ring_delete(struct skep_map *map, const void *key)
{
	return -SKEP_ENOTSUPP;
}

int skep_ring_sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	return -SKEP_ENOTSUPP;
}

int skep_ring_next_key(struct skep_map *map, const void *key, void *next_key)
{
	return -SKEP_ENOTSUPP;
}
