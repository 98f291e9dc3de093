/* Dynamic pointers over packets, and what can be asked of any. */
#include <string.h>

#include "helper/dynptr.h"
#include "helper/kfuncs.h"
#include "helper/packet.h"

static uint64_t over_packet(const struct skep_run *run, struct dynptr *ptr, enum dynptr_kind kind,
			    uint64_t flags)
{
	struct skep_packet *packet = packet_of(run);

	*ptr = (struct dynptr){0};
	if (flags || !packet)
		return as_r0(-EINVAL);
	dynptr_init(ptr, packet, kind, packet_bytes(packet));
	return 0;
}

DEFINE_KFUNC(dynptr_from_skb)
{
	return over_packet(run, ptr_of(r3), DYNPTR_SKB, r2);
}

DEFINE_KFUNC(dynptr_from_xdp)
{
	return over_packet(run, ptr_of(r3), DYNPTR_XDP, r2);
}

/* In one piece where it lies, else a copy in the caller's buffer. */
static void *slice(const struct dynptr *ptr, uint32_t off, void *buffer, uint32_t len)
{
	void *at = dynptr_at(ptr, off, len);

	if (at || !ptr->memory || !buffer || dynptr_check(ptr, off, len))
		return at;
	return dynptr_copy_out(ptr, off, buffer, len) ? NULL : buffer;
}

DEFINE_KFUNC(dynptr_slice)
{
	void *at = slice(ptr_of(r1), (uint32_t)r2, ptr_of(r3), (uint32_t)r4);

	grant(run, at, (uint32_t)r4, SKEP_MAY_READ);
	return (uintptr_t)at;
}

DEFINE_KFUNC(dynptr_slice_rdwr)
{
	const struct dynptr *ptr = ptr_of(r1);
	void *at = NULL;

	if (ptr->memory && !dynptr_is_rdonly(ptr))
		at = slice(ptr, (uint32_t)r2, ptr_of(r3), (uint32_t)r4);
	grant(run, at, (uint32_t)r4, SKEP_MAY_READ | SKEP_MAY_WRITE);
	return (uintptr_t)at;
}

DEFINE_KFUNC(dynptr_adjust)
{
	struct dynptr *ptr = ptr_of(r1);
	uint32_t start = (uint32_t)r2, end = (uint32_t)r3, size = dynptr_size(ptr);

	if (!ptr->memory || start > end)
		return as_r0(-EINVAL);
	if (start > size || end > size)
		return as_r0(-ERANGE);
	ptr->off += start;
	dynptr_set_size(ptr, end - start);
	return 0;
}

DEFINE_KFUNC(dynptr_is_null)
{
	return !((struct dynptr *)ptr_of(r1))->memory;
}

DEFINE_KFUNC(dynptr_is_rdonly)
{
	const struct dynptr *ptr = ptr_of(r1);

	return ptr->memory && dynptr_is_rdonly(ptr);
}

DEFINE_KFUNC(dynptr_size)
{
	const struct dynptr *ptr = ptr_of(r1);

	return ptr->memory ? dynptr_size(ptr) : as_r0(-EINVAL);
}

DEFINE_KFUNC(dynptr_clone)
{
	const struct dynptr *from = ptr_of(r1);
	struct dynptr *to = ptr_of(r2);

	*to = from->memory ? *from : (struct dynptr){0};
	return from->memory ? 0 : as_r0(-EINVAL);
}

enum { PIECE = 256 };

/* Backwards if the target lies behind the source in the same memory: pieces are not to be
 * overwritten before they are read. */
static int copy_pieces(const struct dynptr *to, uint32_t to_off, const struct dynptr *from,
		       uint32_t from_off, uint32_t len)
{
	uint8_t piece[PIECE];
	bool back = to->memory == from->memory && to->off + to_off > from->off + from_off;
	int err = 0;

	for (uint32_t done = 0; !err && done < len; done += PIECE) {
		uint32_t n = len - done < PIECE ? len - done : PIECE;
		uint32_t at = back ? len - done - n : done;
		err = dynptr_copy_out(from, from_off + at, piece, n);
		if (!err)
			err = dynptr_copy_in(to, to_off + at, piece, n, 0);
	}
	return err;
}

DEFINE_KFUNC(dynptr_copy)
{
	const struct dynptr *to = ptr_of(r1), *from = ptr_of(r3);
	uint32_t len = (uint32_t)r5;

	if (!to->memory || !from->memory || dynptr_is_rdonly(to))
		return as_r0(-EINVAL);
	if (dynptr_check(to, (uint32_t)r2, len) || dynptr_check(from, (uint32_t)r4, len))
		return as_r0(-E2BIG);
	return as_r0(copy_pieces(to, (uint32_t)r2, from, (uint32_t)r4, len));
}

DEFINE_KFUNC(dynptr_memset)
{
	const struct dynptr *ptr = ptr_of(r1);
	uint32_t off = (uint32_t)r2, len = (uint32_t)r3;
	uint8_t piece[PIECE];
	int err = 0;

	if (!ptr->memory || dynptr_is_rdonly(ptr))
		return as_r0(-EINVAL);
	if (dynptr_check(ptr, off, len))
		return as_r0(-E2BIG);
	memset(piece, (int)(uint8_t)r4, sizeof(piece));
	for (uint32_t done = 0; !err && done < len; done += PIECE)
		err = dynptr_copy_in(ptr, off + done, piece,
				     len - done < PIECE ? len - done : PIECE, 0);
	return as_r0(err);
}
