/* Pointers to objects kept in maps, and per-CPU objects. */
#include "helper/object.h"
#include "helper/timer.h"

DEFINE_HELPER(kptr_xchg)
{
	uint64_t *place = ptr_of(r1);

	uint64_t was = __atomic_exchange_n(place, r2, __ATOMIC_ACQ_REL);
	uint32_t bytes = run->check && was ? object_bytes(ptr_of(was)) : 0;

	if (bytes)
		grant(run, ptr_of(was), bytes, SKEP_MAY_READ | SKEP_MAY_WRITE);
	return was;
}

static uint64_t copy_for(struct skep_run *run, void *object, uint32_t cpu)
{
	void *copy = object ? object_copy(object, cpu) : NULL;

	if (copy)
		grant(run, copy, object_bytes(object), SKEP_MAY_READ | SKEP_MAY_WRITE);
	return (uintptr_t)copy;
}

DEFINE_HELPER(per_cpu_ptr)
{
	return copy_for(run, ptr_of(r1), (uint32_t)r2);
}

DEFINE_HELPER(this_cpu_ptr)
{
	return copy_for(run, ptr_of(r1), run->cpu);
}

static void release_kptr(void *place)
{
	uint64_t object = __atomic_exchange_n((uint64_t *)place, 0, __ATOMIC_ACQ_REL);

	/* Tasks and cgroups are models that stay; only a program's own objects are counted. */
	if (object && object_around(ptr_of(object)) == ptr_of(object))
		object_unref(NULL, ptr_of(object));
}

void skep_kept_release(struct skep_map *map, void *value)
{
	for (uint32_t i = 0; i < map->n_fields; i++) {
		void *field = (uint8_t *)value + map->fields[i].off;

		switch (map->fields[i].kind) {
		case SKEP_FIELD_TIMER:
		case SKEP_FIELD_WORKQUEUE: timer_release(field); break;
		case SKEP_FIELD_KPTR: release_kptr(field); break;
		default: break;
		}
	}
}
