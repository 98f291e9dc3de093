/* Helpers that make room in socket buffers, or take it away: heads, tails, headers. */
#include "helper/packet.h"

#include <string.h>

/* bpf_skb_adjust_room()'s flags */
enum {
	ROOM_FIXED_GSO = 1 << 0,
	ROOM_ENCAP_IPV4 = 1 << 1,
	ROOM_ENCAP_IPV6 = 1 << 2,
	ROOM_ENCAP_GRE = 1 << 3,
	ROOM_ENCAP_UDP = 1 << 4,
	ROOM_KEEP_CSUM = 1 << 5,
	ROOM_ENCAP_ETHERNET = 1 << 6,
	ROOM_DECAP_IPV4 = 1 << 7,
	ROOM_DECAP_IPV6 = 1 << 8,
	ROOM_ENCAP = ROOM_ENCAP_IPV4 | ROOM_ENCAP_IPV6,
	ROOM_DECAP = ROOM_DECAP_IPV4 | ROOM_DECAP_IPV6,
	ROOM_ALL = (1 << 9) - 1,
};
#define ROOM_L2_SHIFT 56 /* bytes of an inner link header are in the top 8 bits */
enum { ROOM_NET, ROOM_MAC };
enum { IPV4_BYTES = 20, IPV6_BYTES = 40, MOST_ROOM = 0xfff };

void skb_set_protocol(struct skep_packet *packet, uint16_t type)
{
	packet->protocol = net16(type);
}

int skb_open(struct skep_packet *packet, uint32_t off, uint32_t len)
{
	int err = packet_pull(packet, off);

	if (!err)
		err = skep_packet_reserve(packet, len, 0);
	if (err)
		return err;
	packet->data -= len;
	packet->meta = packet->data;
	memmove(packet->data, packet->data + len, off);
	memset(packet->data + off, 0, len);
	return 0;
}

int skb_close(struct skep_packet *packet, uint32_t off, uint32_t len)
{
	int err = packet_pull(packet, off + len);

	if (err)
		return err;
	memmove(packet->data + len, packet->data, off);
	packet->data += len;
	packet->meta = packet->data;
	return 0;
}

static uint32_t mac_bytes(const struct skep_packet *packet)
{
	return packet->network_off - (uint32_t)packet->mac_off;
}

static int change_proto(struct skep_packet *packet, uint16_t from, uint16_t to)
{
	uint32_t more = IPV6_BYTES - IPV4_BYTES;
	int err;

	if (from == TYPE_IPV4 && to == TYPE_IPV6)
		err = skb_open(packet, mac_bytes(packet), more);
	else if (from == TYPE_IPV6 && to == TYPE_IPV4)
		err = skb_close(packet, mac_bytes(packet), more);
	else
		return -SKEP_ENOTSUPP;
	if (err)
		return err;
	skb_set_protocol(packet, to);
	if (packet->ctx)
		skb_of(packet)->hash = 0;
	return 0;
}

DEFINE_SKB_HELPER(skb_change_proto)
{
	if (r3)
		return as_r0(-EINVAL);
	int err = change_proto(packet, net16(packet->protocol), net16((uint16_t)r2));
	packet_sync(packet);
	return as_r0(err);
}

/* Headers that begin it may not be cut off. */
static uint32_t least_bytes(const struct skep_packet *packet)
{
	if (packet->transport_off != (uint32_t)NOT_SET && packet->transport_off)
		return packet->transport_off;
	return packet->network_off;
}

static int change_tail(struct skep_packet *packet, uint32_t len, uint64_t flags)
{
	if (flags || len > SKB_MOST_BYTES || len < least_bytes(packet))
		return -EINVAL;
	if (packet->encapsulated)
		return -SKEP_ENOTSUPP;
	int err = packet_pull(packet, packet_bytes(packet));
	uint32_t now = linear_bytes(packet);
	if (!err && len > now)
		err = skep_packet_reserve(packet, 0, len - now);
	if (err)
		return err;
	if (len > now)
		memset(packet->end, 0, len - now);
	packet->end = packet->data + len;
	return 0;
}

DEFINE_SKB_HELPER(skb_change_tail)
{
	int err = change_tail(packet, (uint32_t)r2, r3);

	packet_sync(packet);
	return as_r0(err);
}

/* What is pushed is before the link header: the other headers are further from the start. */
static int change_head(struct skep_packet *packet, uint32_t room, uint64_t flags)
{
	uint32_t len = packet_bytes(packet) + room;

	if (flags || len > SKB_MOST_BYTES || len < room)
		return -EINVAL;
	int err = skb_open(packet, 0, room);
	if (err)
		return err;
	packet->mac_off = 0;
	packet->network_off += room;
	if (packet->transport_off != (uint32_t)NOT_SET)
		packet->transport_off += room;
	return 0;
}

DEFINE_SKB_HELPER(skb_change_head)
{
	int err = change_head(packet, (uint32_t)r2, r3);

	packet_sync(packet);
	return as_r0(err);
}

static int check_encap(const struct skep_packet *packet, uint32_t len, uint64_t flags)
{
	uint32_t inner_mac = (uint32_t)(flags >> ROOM_L2_SHIFT);

	if ((flags & ROOM_ENCAP) == ROOM_ENCAP ||
	    (flags & ROOM_ENCAP_GRE && flags & ROOM_ENCAP_UDP) ||
	    (flags & ROOM_ENCAP_ETHERNET && inner_mac < ETHERNET_BYTES))
		return -EINVAL;
	if (packet->encapsulated)
		return -EALREADY;
	return inner_mac > len ? -EINVAL : 0;
}

static int grow(struct skep_packet *packet, uint32_t off, uint32_t len, uint64_t flags)
{
	bool encap = (flags & ROOM_ENCAP) != 0;
	int err = encap ? check_encap(packet, len, flags) : 0;

	if (!err)
		err = skb_open(packet, off, len);
	if (err || !encap)
		return err;
	packet->encapsulated = true;
	if (flags & (ROOM_ENCAP_GRE | ROOM_ENCAP_UDP))
		packet->transport_off =
			packet->network_off + (flags & ROOM_ENCAP_IPV6 ? IPV6_BYTES : IPV4_BYTES);
	skb_set_protocol(packet, flags & ROOM_ENCAP_IPV6 ? TYPE_IPV6 : TYPE_IPV4);
	return 0;
}

static int shrink(struct skep_packet *packet, uint32_t off, uint32_t len, uint64_t flags)
{
	if (flags & ~(uint64_t)(ROOM_FIXED_GSO | ROOM_DECAP | ROOM_KEEP_CSUM))
		return -EINVAL;
	int err = skb_close(packet, off, len);
	if (!err && flags & ROOM_DECAP)
		skb_set_protocol(packet, flags & ROOM_DECAP_IPV6 ? TYPE_IPV6 : TYPE_IPV4);
	return err;
}

static int check_room(const struct skep_packet *packet, int32_t diff, uint64_t flags)
{
	uint32_t len = diff < 0 ? 0u - (uint32_t)diff : (uint32_t)diff;
	uint32_t now = packet_bytes(packet) - packet->network_off;
	uint32_t least = packet->protocol == net16(TYPE_IPV4) ? IPV4_BYTES : IPV6_BYTES;

	if (flags & ROOM_DECAP) {
		if (diff >= 0 || (flags & ROOM_DECAP) == ROOM_DECAP)
			return -EINVAL;
		least = flags & ROOM_DECAP_IPV4 ? IPV4_BYTES : IPV6_BYTES;
	}
	if (diff < 0 ? len >= now || now - len < least
		     : packet_bytes(packet) + len > SKB_MOST_BYTES)
		return -SKEP_ENOTSUPP;
	return 0;
}

static int adjust_room(struct skep_packet *packet, int32_t diff, uint32_t mode, uint64_t flags)
{
	uint32_t len = diff < 0 ? 0u - (uint32_t)diff : (uint32_t)diff;
	uint32_t off = mac_bytes(packet);

	if (flags & ~(uint64_t)ROOM_ALL & ~(0xffull << ROOM_L2_SHIFT))
		return -EINVAL;
	if (len > MOST_ROOM)
		return -EFAULT;
	if ((packet->protocol != net16(TYPE_IPV4) && packet->protocol != net16(TYPE_IPV6)) ||
	    mode > ROOM_MAC)
		return -SKEP_ENOTSUPP;
	if (mode == ROOM_NET)
		off += packet->protocol == net16(TYPE_IPV4) ? IPV4_BYTES : IPV6_BYTES;
	int err = check_room(packet, diff, flags);
	if (err)
		return err;
	return diff < 0 ? shrink(packet, off, len, flags) : grow(packet, off, len, flags);
}

DEFINE_SKB_HELPER(skb_adjust_room)
{
	int err = adjust_room(packet, (int32_t)r2, (uint32_t)r3, r4);

	packet_sync(packet);
	return as_r0(err);
}
