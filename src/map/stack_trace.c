/*
 * stack_trace: stacks of addresses, numbered by their hash.
 *
 * The id of a stack is its hash cut to the table's size, so one bucket holds
 * one stack, and two that fall together collide: the caller says by flags who
 * stays. A bucket's word names the slot that holds the stack; who works on a
 * bucket takes the word out and puts it back, which makes it a lock.
 *
 * Source    Linux 6.18, kernel/bpf/stackmap.c, for behaviour.
 */
#include <errno.h>
#include <string.h>

#include "map/copy.h"
#include "map/jhash.h"
#include "map/lock.h"
#include "map/memory.h"
#include "map/objects.h"

/* flags of bpf_get_stackid() */
#define SKIP_MASK     0xffu
#define USER_STACK    (1u << 8)
#define FAST_CMP      (1u << 9)
#define REUSE_STACKID (1u << 10)

#define MOST_DEPTH    127 /* kernel.perf_event_max_stack */

enum { EMPTY = 0, TAKEN = UINT32_MAX }; /* a bucket's word; else a slot's number + 1 */

/* One frame where files are told by build id: struct bpf_stack_build_id. */
struct frame {
	int32_t status;
	uint8_t build_id[20];
	uint64_t ip; /* or the offset in the file */
};
#define STATUS_IP 2 /* BPF_STACK_BUILD_ID_IP: no build id, `ip` is the address */

struct slot {
	uint32_t hash, n; /* frames */
	uint32_t next_free;
	uint32_t unused;
	uint8_t data[]; /* value_size bytes */
};

/* At the start of the memory, where children of fork() see it too. */
struct free_slots {
	uint32_t lock;
	uint32_t first;  /* number + 1 of a slot that was used before; 0: none */
	uint32_t n_used; /* slots ever used */
};
#define FREE_SLOTS_BYTES 64

struct stack_map {
	struct skep_map map;
	uint32_t n_buckets;
	size_t slot_bytes;
	struct free_slots *free;
	uint32_t *buckets; /* atomic */
	uint8_t *slots;
};

/* A stack that is looked for. */
struct wanted {
	const uint64_t *ips;
	uint32_t n, hash, bucket;
	uint64_t flags;
};

static bool by_build_id(const struct skep_map *map)
{
	return map->flags & SKEP_F_STACK_BUILD_ID;
}

static uint32_t frame_bytes(uint32_t flags)
{
	return flags & SKEP_F_STACK_BUILD_ID ? sizeof(struct frame) : sizeof(uint64_t);
}

static struct slot *slot_at(const struct stack_map *stacks, uint32_t number)
{
	return (struct slot *)(stacks->slots + (size_t)number * stacks->slot_bytes);
}

static int check(const struct skep_map_attr *attr)
{
	const uint32_t known =
		SKEP_F_NUMA_NODE | SKEP_F_RDONLY | SKEP_F_WRONLY | SKEP_F_STACK_BUILD_ID;
	uint32_t frame = frame_bytes(attr->flags);

	if (attr->flags & ~known)
		return -EINVAL;
	if (!attr->max_entries || attr->key_size != 4)
		return -EINVAL;
	if (attr->value_size < 8 || attr->value_size % 8)
		return -EINVAL;
	if (attr->value_size % frame || attr->value_size / frame > MOST_DEPTH)
		return -EINVAL;
	return attr->max_entries > UINT32_C(1) << 31 ? -E2BIG : 0;
}

static size_t buckets_bytes(const struct stack_map *stacks)
{
	return skep_round8((size_t)stacks->n_buckets * sizeof(uint32_t));
}

static size_t all_bytes(const struct stack_map *stacks)
{
	return FREE_SLOTS_BYTES + buckets_bytes(stacks) +
	       stacks->slot_bytes * stacks->map.max_entries;
}

static int create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	struct stack_map *stacks = skep_map_alloc(attr, sizeof(*stacks));
	int err;

	if (!stacks)
		return -ENOMEM;
	stacks->n_buckets = skep_map_up_to_power(attr->max_entries);
	stacks->slot_bytes = sizeof(struct slot) + attr->value_size;
	err = skep_map_reserve(&stacks->map, all_bytes(stacks), true);
	if (err) {
		skep_map_discard(&stacks->map);
		return err;
	}
	stacks->free = (struct free_slots *)stacks->map.base;
	stacks->buckets = (uint32_t *)(stacks->map.base + FREE_SLOTS_BYTES);
	stacks->slots = (uint8_t *)stacks->buckets + buckets_bytes(stacks);
	*ret = &stacks->map;
	return 0;
}

/* A slot's number + 1; 0: all are used. */
static uint32_t slot_new(struct stack_map *stacks)
{
	struct free_slots *slots = stacks->free;
	uint32_t word = 0;

	skep_lock(&slots->lock);
	if (slots->first) {
		word = slots->first;
		slots->first = slot_at(stacks, word - 1)->next_free;
	} else if (slots->n_used < stacks->map.max_entries) {
		word = ++slots->n_used;
	}
	skep_unlock(&slots->lock);
	return word;
}

static void slot_free(struct stack_map *stacks, uint32_t word)
{
	struct free_slots *slots = stacks->free;

	if (!word)
		return;
	skep_lock(&slots->lock);
	slot_at(stacks, word - 1)->next_free = slots->first;
	slots->first = word;
	skep_unlock(&slots->lock);
}

/* Take the bucket's word out; others wait until it is put back. */
static uint32_t bucket_take(struct stack_map *stacks, uint32_t bucket)
{
	uint32_t *at = &stacks->buckets[bucket];
	uint32_t word;

	while ((word = __atomic_exchange_n(at, TAKEN, __ATOMIC_ACQUIRE)) == TAKEN) {
		for (int i = 0; i < 64 && __atomic_load_n(at, __ATOMIC_RELAXED) == TAKEN; i++)
			skep_spin_pause();
		if (__atomic_load_n(at, __ATOMIC_RELAXED) == TAKEN)
			sched_yield();
	}
	return word;
}

static void bucket_put(struct stack_map *stacks, uint32_t bucket, uint32_t word)
{
	__atomic_store_n(&stacks->buckets[bucket], word, __ATOMIC_RELEASE);
}

static void slot_write(struct stack_map *stacks, struct slot *slot, const struct wanted *wanted)
{
	slot->hash = wanted->hash;
	slot->n = wanted->n;
	if (!by_build_id(&stacks->map)) {
		memcpy(slot->data, wanted->ips, wanted->n * sizeof(uint64_t));
		return;
	}
	for (uint32_t i = 0; i < wanted->n; i++) {
		struct frame frame = {.status = STATUS_IP, .ip = wanted->ips[i]};

		memcpy(slot->data + i * sizeof(frame), &frame, sizeof(frame));
	}
}

static bool slot_holds(const struct stack_map *stacks, const struct slot *slot,
		       const struct wanted *wanted)
{
	if (slot->hash != wanted->hash || slot->n != wanted->n)
		return false;
	if (!by_build_id(&stacks->map))
		return !memcmp(slot->data, wanted->ips, wanted->n * sizeof(uint64_t));
	for (uint32_t i = 0; i < wanted->n; i++) {
		struct frame frame;

		memcpy(&frame, slot->data + i * sizeof(frame), sizeof(frame));
		if (frame.ip != wanted->ips[i])
			return false;
	}
	return true;
}

/* Is the stack in the bucket, or may it not be put there? The id, -EEXIST, or -ENOENT: neither. */
static int64_t judge(const struct stack_map *stacks, const struct wanted *wanted, uint32_t word)
{
	if (!word)
		return -ENOENT;
	if (slot_holds(stacks, slot_at(stacks, word - 1), wanted))
		return wanted->bucket;
	return wanted->flags & REUSE_STACKID ? -ENOENT : -EEXIST;
}

/* With the bucket's word in hand: the id, or why not; @word becomes what the bucket holds next. */
static int64_t settle(struct stack_map *stacks, const struct wanted *wanted, uint32_t *word)
{
	int64_t id = judge(stacks, wanted, *word);
	uint32_t fresh;

	if (*word && (wanted->flags & FAST_CMP) && slot_at(stacks, *word - 1)->hash == wanted->hash)
		return wanted->bucket;
	if (id != -ENOENT && !by_build_id(&stacks->map))
		return id;
	/* Build ids are compared once they are found, and that needs a slot, be it for nothing. */
	fresh = slot_new(stacks);
	if (!fresh)
		return -ENOMEM;
	if (id != -ENOENT) {
		slot_free(stacks, fresh);
		return id;
	}
	slot_write(stacks, slot_at(stacks, fresh - 1), wanted);
	slot_free(stacks, *word);
	*word = fresh;
	return wanted->bucket;
}

int64_t skep_stack_map_id(struct skep_map *map, const uint64_t *ips, uint32_t n, uint64_t flags)
{
	struct stack_map *stacks = (struct stack_map *)map;
	uint32_t skip = flags & SKIP_MASK, room = map->value_size / frame_bytes(map->flags);
	struct wanted wanted = {.flags = flags};
	uint32_t word;
	int64_t id;

	if (flags & ~(uint64_t)(SKIP_MASK | USER_STACK | FAST_CMP | REUSE_STACKID))
		return -EINVAL;
	if (room + skip > MOST_DEPTH)
		room = skip < MOST_DEPTH ? MOST_DEPTH - skip : 0;
	if (n <= skip)
		return -EFAULT;
	wanted.ips = ips + skip;
	wanted.n = n - skip < room ? n - skip : room;
	wanted.hash = skep_jhash(wanted.ips, wanted.n * sizeof(uint64_t), 0);
	wanted.bucket = wanted.hash & (stacks->n_buckets - 1);
	word = bucket_take(stacks, wanted.bucket);
	id = settle(stacks, &wanted, &word);
	bucket_put(stacks, wanted.bucket, word);
	return id;
}

static void slot_read(const struct skep_map *map, const struct slot *slot, void *value)
{
	uint32_t bytes = slot->n * frame_bytes(map->flags);

	memcpy(value, slot->data, bytes);
	memset((uint8_t *)value + bytes, 0, map->value_size - bytes);
}

/* Read a stack and leave it there, or take it away. */
static int extract(struct skep_map *map, const void *key, void *value, bool leave)
{
	struct stack_map *stacks = (struct stack_map *)map;
	uint32_t id = skep_objects_index(key), word;

	if (id >= stacks->n_buckets)
		return -ENOENT;
	word = bucket_take(stacks, id);
	if (word)
		slot_read(map, slot_at(stacks, word - 1), value);
	bucket_put(stacks, id, leave ? word : EMPTY);
	if (!leave)
		slot_free(stacks, word);
	return word ? 0 : -ENOENT;
}

static int sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	return extract(map, key, value, true);
}

static int sys_lookup_and_delete(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	return extract(map, key, value, false);
}

static int erase(struct skep_map *map, const void *key)
{
	struct stack_map *stacks = (struct stack_map *)map;
	uint32_t id = skep_objects_index(key), word;

	if (id >= stacks->n_buckets)
		return -E2BIG;
	word = bucket_take(stacks, id);
	bucket_put(stacks, id, EMPTY);
	slot_free(stacks, word);
	return word ? 0 : -ENOENT;
}

static bool bucket_used(const struct stack_map *stacks, uint32_t id)
{
	return id < stacks->n_buckets &&
	       __atomic_load_n(&stacks->buckets[id], __ATOMIC_RELAXED) != EMPTY;
}

static int next_key(struct skep_map *map, const void *key, void *next)
{
	const struct stack_map *stacks = (const struct stack_map *)map;
	uint32_t id = 0;

	if (key && bucket_used(stacks, skep_objects_index(key)))
		id = skep_objects_index(key) + 1;
	while (id < stacks->n_buckets && !bucket_used(stacks, id))
		id++;
	if (id >= stacks->n_buckets)
		return -ENOENT;
	memcpy(next, &id, sizeof(id));
	return 0;
}

static void *lookup(struct skep_map *map, const void *key)
{
	return NULL;
}

static int update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	return -EINVAL;
}

const struct skep_map_ops skep_map_stack_trace_ops = {
	.check = check,
	.create = create,
	.free = skep_map_discard,
	.lookup = lookup,
	.update = update,
	.delete = erase,
	.sys_lookup = sys_lookup,
	.sys_lookup_and_delete = sys_lookup_and_delete,
	.next_key = next_key,
};
