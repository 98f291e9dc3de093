/*
 * Sections (RCU, preemption, interrupts, locks), casts, exceptions, and the rest that is short.
 * What keeps others out in the kernel needs nothing here: memory of maps stays.
 */
#include <setjmp.h>
#include <string.h>

#include "helper/kfuncs.h"
#include "helper/lock.h"
#include "helper/probe.h"
#include "helper/timer.h"

DEFINE_KFUNC(rcu_read_lock)
{
	return 0;
}

DEFINE_KFUNC(rcu_read_unlock)
{
	return 0;
}

DEFINE_KFUNC(preempt_disable)
{
	return 0;
}

DEFINE_KFUNC(preempt_enable)
{
	return 0;
}

DEFINE_KFUNC(local_irq_save)
{
	memset(ptr_of(r1), 0, 8);
	return 0;
}

DEFINE_KFUNC(local_irq_restore)
{
	return 0;
}

DEFINE_KFUNC(res_spin_lock)
{
	return as_r0(lock_take(ptr_of(r1)));
}

DEFINE_KFUNC(res_spin_unlock)
{
	lock_release(ptr_of(r1));
	return 0;
}

DEFINE_KFUNC(res_spin_lock_irqsave)
{
	memset(ptr_of(r2), 0, 8);
	return as_r0(lock_take(ptr_of(r1)));
}

DEFINE_KFUNC(res_spin_unlock_irqrestore)
{
	lock_release(ptr_of(r1));
	return 0;
}

DEFINE_KFUNC(throw)
{
	run->thrown = r1;
	if (run->unwind)
		longjmp(*run->unwind, 1);
	run->stop = SKEP_STOP_FAULT;
	return 0;
}

DEFINE_KFUNC(cast_to_kern_ctx)
{
	return r1;
}

DEFINE_KFUNC(rdonly_cast)
{
	return r1;
}

static long count_element(struct skep_map *map, void *key, void *value, void *ctx)
{
	return 0;
}

DEFINE_KFUNC(map_sum_elem_count)
{
	long n = skep_map_for_each(map_of(r1), count_element, NULL, 0);

	return n < 0 ? 0 : (uint64_t)n;
}

DEFINE_KFUNC(arena_alloc_pages)
{
	struct skep_map *map = map_of(r1);

	if (map->type != SKEP_MAP_ARENA || r5)
		return 0;
	return skep_arena_alloc_pages(map, r2, (uint32_t)r3, (int32_t)r4, r5);
}

DEFINE_KFUNC(arena_free_pages)
{
	struct skep_map *map = map_of(r1);

	if (map->type == SKEP_MAP_ARENA && (uint32_t)r3 && r2)
		skep_arena_free_pages(map, r2, (uint32_t)r3);
	return 0;
}

/* A work queue is a timer that is due at once. */
DEFINE_KFUNC(wq_init)
{
	return as_r0((uint32_t)r3 ? -EINVAL : timer_init(ptr_of(r1), map_of(r2), 0));
}

DEFINE_KFUNC(wq_set_callback_impl)
{
	return as_r0((uint32_t)r3 ? -EINVAL : timer_set_callback(ptr_of(r1), run->program, r2));
}

DEFINE_KFUNC(wq_start)
{
	return as_r0((uint32_t)r2 ? -EINVAL : timer_start(ptr_of(r1), 0, false));
}

enum { PAD_ZEROS = 1 };

DEFINE_KFUNC(copy_from_user_str)
{
	char *to = ptr_of(r1);
	uint32_t size = (uint32_t)r2;

	if (r4 & ~(uint64_t)PAD_ZEROS)
		return as_r0(-EINVAL);
	long len = probe_string(to, r3, size);
	if (len < 0 || r4 & PAD_ZEROS)
		memset(to + (len < 0 ? 0 : len), 0, size - (size_t)(len < 0 ? 0 : len));
	return (uint64_t)len;
}
