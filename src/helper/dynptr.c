/* Dynamic pointers over a program's own memory, ring buffer records and packets. */
#include "helper/dynptr.h"

#include <string.h>

#include "helper/packet.h"

int dynptr_copy_out(const struct dynptr *ptr, uint32_t off, void *to, uint32_t len)
{
	if (!ptr->memory)
		return -EINVAL;
	int err = dynptr_check(ptr, off, len);
	if (err)
		return err;
	switch (dynptr_kind(ptr)) {
	case DYNPTR_LOCAL:
	case DYNPTR_RINGBUF: memmove(to, (char *)ptr->memory + ptr->off + off, len); return 0;
	case DYNPTR_SKB:
	case DYNPTR_XDP: return packet_read(ptr->memory, ptr->off + off, to, len);
	default: return -EFAULT;
	}
}

int dynptr_copy_in(const struct dynptr *ptr, uint32_t off, const void *from, uint32_t len,
		   uint64_t flags)
{
	if (!ptr->memory || dynptr_is_rdonly(ptr))
		return -EINVAL;
	int err = dynptr_check(ptr, off, len);
	if (err)
		return err;
	switch (dynptr_kind(ptr)) {
	case DYNPTR_LOCAL:
	case DYNPTR_RINGBUF:
		if (flags)
			return -EINVAL;
		memmove((char *)ptr->memory + ptr->off + off, from, len);
		return 0;
	case DYNPTR_SKB: return skb_store(ptr->memory, ptr->off + off, from, len, flags);
	case DYNPTR_XDP:
		return flags ? -EINVAL : packet_write(ptr->memory, ptr->off + off, from, len);
	default: return -EFAULT;
	}
}

void *dynptr_at(const struct dynptr *ptr, uint32_t off, uint32_t len)
{
	if (!ptr->memory || dynptr_check(ptr, off, len))
		return NULL;
	switch (dynptr_kind(ptr)) {
	case DYNPTR_LOCAL:
	case DYNPTR_RINGBUF: return (char *)ptr->memory + ptr->off + off;
	case DYNPTR_SKB:
	case DYNPTR_XDP: return packet_at(ptr->memory, ptr->off + off, len);
	default: return NULL;
	}
}

DEFINE_HELPER(dynptr_from_mem)
{
	struct dynptr *ptr = ptr_of(r4);
	int err = (uint32_t)r2 > DYNPTR_MOST ? -E2BIG : r3 ? -EINVAL : 0;

	if (err)
		*ptr = (struct dynptr){0};
	else
		dynptr_init(ptr, ptr_of(r1), DYNPTR_LOCAL, (uint32_t)r2);
	return as_r0(err);
}

DEFINE_HELPER(dynptr_read)
{
	if (r5)
		return as_r0(-EINVAL);
	return as_r0(dynptr_copy_out(ptr_of(r3), (uint32_t)r4, ptr_of(r1), (uint32_t)r2));
}

DEFINE_HELPER(dynptr_write)
{
	return as_r0(dynptr_copy_in(ptr_of(r1), (uint32_t)r2, ptr_of(r3), (uint32_t)r4, r5));
}

/* Of packets there are no plain slices: their bytes move. */
DEFINE_HELPER(dynptr_data)
{
	const struct dynptr *ptr = ptr_of(r1);
	enum dynptr_kind kind = dynptr_kind(ptr);

	if (dynptr_is_rdonly(ptr) || (kind != DYNPTR_LOCAL && kind != DYNPTR_RINGBUF))
		return 0;
	void *at = dynptr_at(ptr, (uint32_t)r2, (uint32_t)r3);
	grant(run, at, (uint32_t)r3, SKEP_MAY_READ | SKEP_MAY_WRITE);
	return (uintptr_t)at;
}
