/* Pointers to objects kept in maps, and per-CPU objects. */
#include "helper/object.h"

DEFINE_HELPER(kptr_xchg)
{
	uint64_t *place = ptr_of(r1);

	return __atomic_exchange_n(place, r2, __ATOMIC_ACQ_REL);
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
