/*
 * All objects are in one list: so that what a program points to can be told from
 * what it cannot, and none is lost unseen.
 */
#include "helper/object.h"

#include <pthread.h>
#include <stdlib.h>

#define MOST_BYTES (64u << 20)

struct object {
	struct object *next, *before;
	uint32_t bytes, n_copies; /* of one copy, rounded up to 16 */
	uint32_t refs;
	uint32_t asked; /* bytes without the rounding */
	_Alignas(16) uint8_t memory[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct object *all;
static uint32_t n_objects;

static struct object *header_of(const void *memory)
{
	return (struct object *)((uintptr_t)memory - offsetof(struct object, memory));
}

void *object_new(uint32_t bytes, uint32_t n_copies)
{
	uint64_t each = ((uint64_t)bytes + 15) & ~15ull, total = each * n_copies;
	struct object *object = NULL;

	if (bytes && total <= MOST_BYTES)
		object = calloc(1, sizeof(*object) + total);
	if (!object)
		return NULL;
	object->bytes = (uint32_t)each;
	object->asked = bytes;
	object->n_copies = n_copies;
	object->refs = 1;
	pthread_mutex_lock(&lock);
	object->next = all;
	if (all)
		all->before = object;
	all = object;
	n_objects++;
	pthread_mutex_unlock(&lock);
	return object->memory;
}

void object_ref(void *memory)
{
	__atomic_add_fetch(&header_of(memory)->refs, 1, __ATOMIC_RELAXED);
}

void object_unref(struct skep_run *run, void *memory)
{
	struct object *object = header_of(memory);

	if (__atomic_sub_fetch(&object->refs, 1, __ATOMIC_ACQ_REL))
		return;
	if (run)
		ungrant(run, memory);
	pthread_mutex_lock(&lock);
	if (object->before)
		object->before->next = object->next;
	else
		all = object->next;
	if (object->next)
		object->next->before = object->before;
	n_objects--;
	pthread_mutex_unlock(&lock);
	free(object);
}

uint32_t object_bytes(const void *memory)
{
	return header_of(memory)->asked;
}

void *object_around(const void *at)
{
	void *found = NULL;

	pthread_mutex_lock(&lock);
	for (struct object *object = all; object && !found; object = object->next) {
		uintptr_t off = (uintptr_t)at - (uintptr_t)object->memory;
		if (off < (uintptr_t)object->bytes * object->n_copies)
			found = object->memory;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

void *object_copy(void *memory, uint32_t cpu)
{
	const struct object *object = header_of(memory);

	return cpu < object->n_copies ? (uint8_t *)memory + (size_t)cpu * object->bytes : NULL;
}

uint32_t object_count(void)
{
	pthread_mutex_lock(&lock);
	uint32_t n = n_objects;
	pthread_mutex_unlock(&lock);
	return n;
}
