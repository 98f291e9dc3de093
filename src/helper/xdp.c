/* Helpers of XDP packets: room at both ends, metadata, bytes over several buffers. */
#include "helper/packet.h"

#include <stdlib.h>
#include <string.h>

enum { FRAGMENT_BYTES = 4096, MOST_METADATA = 252 };

DEFINE_XDP_HELPER(xdp_get_buff_len)
{
	return packet_bytes(packet);
}

DEFINE_XDP_HELPER(xdp_adjust_head)
{
	ptrdiff_t off = (int32_t)r2, metadata = packet->data - packet->meta;
	ptrdiff_t first = XDP_FRAME_BYTES + metadata, at = packet->data - packet->buf + off;

	if (at < first || at > packet->end - packet->buf - ETHERNET_BYTES)
		return as_r0(-EINVAL);
	memmove(packet->meta + off, packet->meta, (size_t)metadata);
	packet->meta += off;
	packet->data += off;
	packet_sync(packet);
	return 0;
}

DEFINE_XDP_HELPER(xdp_adjust_meta)
{
	ptrdiff_t at = packet->meta - packet->buf + (int32_t)r2, data = packet->data - packet->buf;

	if (at < XDP_FRAME_BYTES || at > data)
		return as_r0(-EINVAL);
	if ((data - at) & 3 || data - at > MOST_METADATA)
		return as_r0(-EACCES);
	packet->meta = packet->buf + at;
	packet_sync(packet);
	return 0;
}

/* The last of the further buffers ends with its page. */
static int grow_fragments(struct skep_packet *packet, uint32_t more)
{
	uint32_t last = (packet->frags_bytes - 1) % FRAGMENT_BYTES + 1;

	if (more > FRAGMENT_BYTES - last)
		return -EINVAL;
	uint8_t *frags = realloc(packet->frags, packet->frags_bytes + more);
	if (!frags)
		return -ENOMEM;
	memset(frags + packet->frags_bytes, 0, more);
	packet->frags = frags;
	packet->frags_bytes += more;
	return 0;
}

static int shrink_fragments(struct skep_packet *packet, uint32_t less)
{
	uint32_t part = less < packet->frags_bytes ? less : packet->frags_bytes;

	if ((int64_t)less > (int64_t)packet_bytes(packet) - ETHERNET_BYTES)
		return -EINVAL;
	packet->frags_bytes -= part;
	if (!packet->frags_bytes)
		packet->end -= less - part;
	return 0;
}

static int adjust_tail(struct skep_packet *packet, int32_t off)
{
	ptrdiff_t len = packet->end - packet->data;

	if (packet->frags_bytes)
		return off < 0 ? shrink_fragments(packet, 0u - (uint32_t)off)
			       : grow_fragments(packet, (uint32_t)off);
	if (off > packet->limit - packet->end || len + off < ETHERNET_BYTES)
		return -EINVAL;
	if (off > 0)
		memset(packet->end, 0, (size_t)off);
	packet->end += off;
	return 0;
}

DEFINE_XDP_HELPER(xdp_adjust_tail)
{
	int err = adjust_tail(packet, (int32_t)r2);

	packet_sync(packet);
	return as_r0(err);
}

static int check_range(uint32_t off, uint32_t len, const struct skep_packet *packet)
{
	if (off > 0xffff || len > 0xffff)
		return -EFAULT;
	return off + len > packet_bytes(packet) ? -EINVAL : 0;
}

DEFINE_XDP_HELPER(xdp_load_bytes)
{
	int err = check_range((uint32_t)r2, (uint32_t)r4, packet);

	return as_r0(err ? err : packet_read(packet, (uint32_t)r2, ptr_of(r3), (uint32_t)r4));
}

DEFINE_XDP_HELPER(xdp_store_bytes)
{
	int err = check_range((uint32_t)r2, (uint32_t)r4, packet);

	return as_r0(err ? err : packet_write(packet, (uint32_t)r2, ptr_of(r3), (uint32_t)r4));
}
