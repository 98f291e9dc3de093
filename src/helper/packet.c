/*
 * Packets: their memory, their bytes by offset, the truth of their context.
 *
 * A packet's buffer is below 4 GiB, as its context has 32-bit addresses. What
 * does not fit its first buffer lies behind it in `frags`, which programs reach
 * by helpers only. Whoever changes a packet calls packet_sync() last.
 */
#include "helper/packet.h"

#include <stdlib.h>
#include <string.h>

struct skep_packet *skep_packet_new(const void *data, uint32_t len, uint32_t headroom,
				    uint32_t tailroom)
{
	size_t bytes = (size_t)headroom + len + tailroom;
	struct skep_packet *packet = bytes <= UINT32_MAX ? calloc(1, sizeof(*packet)) : NULL;
	uint8_t *buf = packet ? skep_low_alloc(bytes ? bytes : 1) : NULL;

	if (!buf) {
		free(packet);
		return NULL;
	}
	packet->buf = buf;
	packet->meta = packet->data = buf + headroom;
	packet->end = packet->data + len;
	packet->limit = packet->end + tailroom;
	if (len)
		memcpy(packet->data, data, len);
	if (len >= ETHERNET_BYTES)
		memcpy(&packet->protocol, packet->data + 12, 2);
	packet->network_off = ETHERNET_BYTES;
	packet->transport_off = (uint32_t)NOT_SET;
	return packet;
}

static void free_buffer(struct skep_packet *packet)
{
	size_t bytes = (size_t)(packet->limit - packet->buf);

	skep_low_free(packet->buf, bytes ? bytes : 1);
}

void skep_packet_free(struct skep_packet *packet)
{
	if (!packet)
		return;
	free_buffer(packet);
	free(packet->frags);
	free(packet);
}

void packet_sync(const struct skep_packet *packet)
{
	struct xdp_context *xdp = packet->ctx;
	struct skb_context *skb = packet->ctx;
	uint32_t data = (uint32_t)(uintptr_t)packet->data;
	uint32_t end = (uint32_t)(uintptr_t)packet->end;
	uint32_t meta = (uint32_t)(uintptr_t)packet->meta;

	if (!packet->ctx)
		return;
	if (packet->is_xdp) {
		xdp->data = data;
		xdp->data_end = end;
		xdp->data_meta = meta;
		return;
	}
	skb->len = packet_bytes(packet);
	skb->data = data;
	skb->data_end = end;
	skb->data_meta = meta;
	skb->protocol = packet->protocol;
}

int skep_packet_reserve(struct skep_packet *packet, uint32_t head, uint32_t tail)
{
	uint32_t meta = (uint32_t)(packet->data - packet->meta), len = linear_bytes(packet);

	if ((size_t)(packet->meta - packet->buf) >= head &&
	    (size_t)(packet->limit - packet->end) >= tail)
		return 0;
	size_t bytes = (size_t)head + meta + len + tail + 256;
	uint8_t *buf = bytes < INT32_MAX ? skep_low_alloc(bytes) : NULL;
	if (!buf)
		return -ENOMEM;
	memcpy(buf + head, packet->meta, (size_t)meta + len);
	free_buffer(packet);
	packet->buf = buf;
	packet->meta = buf + head;
	packet->data = packet->meta + meta;
	packet->end = packet->data + len;
	packet->limit = buf + bytes;
	return 0;
}

int packet_pull(struct skep_packet *packet, uint32_t len)
{
	uint32_t more;

	if (len <= linear_bytes(packet))
		return 0;
	if (len > packet_bytes(packet))
		return -ENOMEM;
	more = len - linear_bytes(packet);
	int err = skep_packet_reserve(packet, 0, more);
	if (err)
		return err;
	memcpy(packet->end, packet->frags, more);
	packet->end += more;
	packet->frags_bytes -= more;
	memmove(packet->frags, packet->frags + more, packet->frags_bytes);
	return 0;
}

/* Offsets below 0 in loads count from a header: SKF_NET_OFF and SKF_LL_OFF. */
#define FROM_NETWORK_HEADER (-0x100000)
#define FROM_LINK_HEADER    (-0x200000)

/* Where such a load begins, from data; before the buffer: nowhere. */
static int64_t load_start(const struct skep_packet *packet, int32_t off)
{
	if (off >= 0)
		return off;
	if (off >= FROM_NETWORK_HEADER)
		return (int64_t)packet->network_off + off - FROM_NETWORK_HEADER;
	if (off >= FROM_LINK_HEADER)
		return (int64_t)packet->mac_off + off - FROM_LINK_HEADER;
	return INT64_MIN;
}

bool skep_packet_load(const struct skep_packet *packet, int32_t off, unsigned size, uint64_t *ret)
{
	int64_t linear = packet->end - packet->data, at = load_start(packet, off);
	uint64_t value = 0;

	if (at < packet->buf - packet->data || at + size > linear + packet->frags_bytes)
		return false;
	for (unsigned i = 0; i < size; i++, at++)
		value = value << 8 | (at < linear ? packet->data[at] : packet->frags[at - linear]);
	*ret = value;
	return true;
}

static bool is_inside(const struct skep_packet *packet, uint32_t off, uint32_t len)
{
	uint32_t all = packet_bytes(packet);

	return off <= all && len <= all - off;
}

/* How much of [off, off + len) is in the first buffer. */
static uint32_t first_part(const struct skep_packet *packet, uint32_t off, uint32_t len)
{
	uint32_t linear = linear_bytes(packet);

	if (off >= linear)
		return 0;
	return len < linear - off ? len : linear - off;
}

int packet_read(const struct skep_packet *packet, uint32_t off, void *to, uint32_t len)
{
	if (!is_inside(packet, off, len))
		return -EFAULT;
	uint32_t part = first_part(packet, off, len);
	memmove(to, packet->data + off, part);
	if (part < len)
		memcpy((uint8_t *)to + part, packet->frags + (off + part - linear_bytes(packet)),
		       len - part);
	return 0;
}

int packet_write(struct skep_packet *packet, uint32_t off, const void *from, uint32_t len)
{
	if (!is_inside(packet, off, len))
		return -EFAULT;
	uint32_t part = first_part(packet, off, len);
	memmove(packet->data + off, from, part);
	if (part < len)
		memcpy(packet->frags + (off + part - linear_bytes(packet)),
		       (const uint8_t *)from + part, len - part);
	return 0;
}

void *packet_at(const struct skep_packet *packet, uint32_t off, uint32_t len)
{
	uint32_t linear = linear_bytes(packet);

	if (!is_inside(packet, off, len))
		return NULL;
	if (off + len <= linear)
		return packet->data + off;
	return off >= linear ? packet->frags + (off - linear) : NULL;
}
