/*
 * All objects are in one table by their address: so that what a program points to can be told
 * from what it cannot, and none is lost unseen. Nothing is read by way of a pointer that a
 * program brought before the table says what it is.
 */
#include "helper/object.h"
#include "helper/model.h"

#include <pthread.h>
#include <stdlib.h>

#define MOST_BYTES  (64u << 20)
#define BUCKET_BITS 10

struct object {
	struct object *next;      /* of its bucket */
	uint32_t bytes, n_copies; /* of one copy, rounded up to 16 */
	uint32_t refs;
	uint32_t asked; /* bytes without the rounding */
	_Alignas(16) uint8_t memory[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct object *buckets[1u << BUCKET_BITS];
static uint32_t n_objects;

static struct object **bucket_of(const void *memory)
{
	return &buckets[(uintptr_t)memory / 16 * 0x9e3779b97f4a7c15ull >> (64 - BUCKET_BITS)];
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
	struct object **bucket = bucket_of(object->memory);
	object->next = *bucket;
	*bucket = object;
	n_objects++;
	pthread_mutex_unlock(&lock);
	return object->memory;
}

/* The place that points to the object that is @memory; NULL: none is. The lock is held. */
static struct object **find(const void *memory)
{
	struct object **place = bucket_of(memory);

	while (*place && (const void *)(*place)->memory != memory)
		place = &(*place)->next;
	return *place ? place : NULL;
}

void object_ref(const void *memory)
{
	pthread_mutex_lock(&lock);
	struct object **place = find(memory);
	if (place)
		(*place)->refs++;
	pthread_mutex_unlock(&lock);
}

void object_unref(struct skep_run *run, const void *memory)
{
	struct object *last = NULL;

	pthread_mutex_lock(&lock);
	struct object **place = find(memory);
	if (place && !--(*place)->refs) {
		last = *place;
		*place = last->next;
		n_objects--;
	}
	pthread_mutex_unlock(&lock);
	if (last && run)
		ungrant(run, memory);
	free(last);
}

uint32_t object_bytes(const void *memory)
{
	pthread_mutex_lock(&lock);
	struct object **place = find(memory);
	uint32_t bytes = place ? (*place)->asked : 0;
	pthread_mutex_unlock(&lock);
	return bytes;
}

static bool holds(const struct object *object, const void *at)
{
	return (uintptr_t)at - (uintptr_t)object->memory <
	       (uintptr_t)object->bytes * object->n_copies;
}

void *object_around(const void *at)
{
	void *found = NULL;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < 1u << BUCKET_BITS && !found; i++)
		for (struct object *object = buckets[i]; object && !found; object = object->next)
			if (holds(object, at))
				found = object->memory;
	pthread_mutex_unlock(&lock);
	return found;
}

void *object_copy(const void *memory, uint32_t cpu)
{
	void *copy = NULL;

	pthread_mutex_lock(&lock);
	struct object **place = find(memory);
	if (place && cpu < (*place)->n_copies)
		copy = (*place)->memory + (size_t)cpu * (*place)->bytes;
	pthread_mutex_unlock(&lock);
	return copy;
}

uint32_t object_count(void)
{
	pthread_mutex_lock(&lock);
	uint32_t n = n_objects;
	pthread_mutex_unlock(&lock);
	return n;
}

size_t skep_object_left(const void *at)
{
	const uint8_t *memory = object_around(at);

	if (!memory)
		return model_bytes(at);
	size_t off = (size_t)((const uint8_t *)at - memory), bytes = object_bytes(memory);
	return off < bytes ? bytes - off : 0;
}
