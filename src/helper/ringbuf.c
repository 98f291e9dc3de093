/* The helpers of ring buffers: records in one piece, by dynamic pointer, and from user space. */
#include "helper/dynptr.h"

DEFINE_HELPER(ringbuf_output)
{
	return as_r0(skep_ringbuf_output(map_of(r1), ptr_of(r2), r3, r4));
}

DEFINE_HELPER(ringbuf_reserve)
{
	if (r3)
		return 0;
	void *record = skep_ringbuf_reserve(map_of(r1), r2);
	grant(run, record, r2, SKEP_MAY_READ | SKEP_MAY_WRITE);
	return (uintptr_t)record;
}

DEFINE_HELPER(ringbuf_submit)
{
	ungrant(run, ptr_of(r1));
	skep_ringbuf_submit(ptr_of(r1), r2);
	return 0;
}

DEFINE_HELPER(ringbuf_discard)
{
	ungrant(run, ptr_of(r1));
	skep_ringbuf_discard(ptr_of(r1), r2);
	return 0;
}

DEFINE_HELPER(ringbuf_query)
{
	return skep_ringbuf_query(map_of(r1), r2);
}

/* The program ends it whether there was room or not, so it is set in every case. */
DEFINE_HELPER(ringbuf_reserve_dynptr)
{
	struct dynptr *ptr = ptr_of(r4);
	uint32_t size = (uint32_t)r2;

	*ptr = (struct dynptr){0};
	if (r3)
		return as_r0(-EINVAL);
	if (size > DYNPTR_MOST)
		return as_r0(-E2BIG);
	void *record = skep_ringbuf_reserve(map_of(r1), size);
	if (!record)
		return as_r0(-EINVAL);
	dynptr_init(ptr, record, DYNPTR_RINGBUF, size);
	return 0;
}

static void end_dynptr(struct skep_run *run, struct dynptr *ptr,
		       void (*end)(void *sample, uint64_t flags), uint64_t flags)
{
	if (!ptr->memory)
		return;
	ungrant(run, ptr->memory);
	end(ptr->memory, flags);
	*ptr = (struct dynptr){0};
}

DEFINE_HELPER(ringbuf_submit_dynptr)
{
	end_dynptr(run, ptr_of(r1), skep_ringbuf_submit, r2);
	return 0;
}

DEFINE_HELPER(ringbuf_discard_dynptr)
{
	end_dynptr(run, ptr_of(r1), skep_ringbuf_discard, r2);
	return 0;
}

struct drain {
	struct skep_run *run;
	uint64_t callback, ctx;
};

static long each_sample(void *sample, uint32_t size, void *ctx)
{
	const struct drain *drain = ctx;
	struct dynptr ptr;

	dynptr_init(&ptr, sample, DYNPTR_LOCAL, size);
	const uint64_t args[5] = {(uintptr_t)&ptr, drain->ctx};
	grant(drain->run, &ptr, sizeof(ptr), SKEP_MAY_READ);
	long ret = (long)skep_run_callback(drain->run, drain->callback, args);
	ungrant(drain->run, &ptr);
	return drain->run->stop ? 1 : ret;
}

DEFINE_HELPER(user_ringbuf_drain)
{
	struct drain drain = {run, r2, r3};

	return (uint64_t)skep_user_ringbuf_drain(map_of(r1), each_sample, &drain, r4);
}
