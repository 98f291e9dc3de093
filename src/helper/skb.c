/* Helpers of socket buffers that read and write their bytes and marks. */
#include "helper/packet.h"

#include <string.h>

enum { STORE_RECOMPUTE = 1, STORE_FORGET_HASH = 2 };
enum { START_MAC, START_NET };
enum { MOST_PACKET_TYPE = 3 };

static void forget_hash(struct skep_packet *packet)
{
	if (packet->ctx)
		skb_of(packet)->hash = 0;
}

int skb_store(struct skep_packet *packet, uint32_t off, const void *from, uint32_t len,
	      uint64_t flags)
{
	if (flags & ~(uint64_t)(STORE_RECOMPUTE | STORE_FORGET_HASH))
		return -EINVAL;
	if (off > INT32_MAX || len > packet_bytes(packet) || off > packet_bytes(packet) - len ||
	    packet_pull(packet, off + len))
		return -EFAULT;
	memmove(packet->data + off, from, len);
	if (flags & STORE_FORGET_HASH)
		forget_hash(packet);
	packet_sync(packet);
	return 0;
}

DEFINE_SKB_HELPER(skb_store_bytes)
{
	return as_r0(skb_store(packet, (uint32_t)r2, ptr_of(r3), (uint32_t)r4, r5));
}

DEFINE_SKB_HELPER(skb_load_bytes)
{
	uint32_t len = (uint32_t)r4;
	int err = (uint32_t)r2 > INT32_MAX ? -EFAULT
					   : packet_read(packet, (uint32_t)r2, ptr_of(r3), len);

	if (err)
		memset(ptr_of(r3), 0, len);
	return as_r0(err);
}

DEFINE_SKB_HELPER(skb_load_bytes_relative)
{
	uint32_t off = (uint32_t)r2, len = (uint32_t)r4;
	int64_t at = (uint32_t)r5 == START_MAC ? packet->mac_off : (int64_t)packet->network_off;

	if (off > 0xffff || (uint32_t)r5 > START_NET) {
		memset(ptr_of(r3), 0, len);
		return as_r0(-EFAULT);
	}
	at += off;
	if (at + len > linear_bytes(packet) || at < packet->buf - packet->data) {
		memset(ptr_of(r3), 0, len);
		return as_r0(-EFAULT);
	}
	memmove(ptr_of(r3), packet->data + at, len);
	return 0;
}

DEFINE_SKB_HELPER(skb_pull_data)
{
	uint32_t len = (uint32_t)r2;
	int err = packet_pull(packet, len ? len : linear_bytes(packet));

	packet_sync(packet);
	return as_r0(err);
}

/* --- The hash ----------------------------------------------------------------------------- */

static uint32_t mix(uint32_t hash, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

/* Of addresses, protocol and ports. The kernel's is keyed anew at each boot: any stable number
 * but 0 is as good. */
static uint32_t flow_hash(const struct skep_packet *packet)
{
	uint32_t hash = 2166136261u, off = packet->network_off, linear = linear_bytes(packet);
	const uint8_t *net = packet->data + off;

	if (packet->protocol == net16(TYPE_IPV4) && off + 24 <= linear) {
		hash = mix(mix(hash, net + 9, 1), net + 12, 8);
		off += (net[0] & 15u) * 4;
	} else if (packet->protocol == net16(TYPE_IPV6) && off + 44 <= linear) {
		hash = mix(mix(hash, net + 6, 1), net + 8, 32);
		off += 40;
	} else {
		hash = mix(hash, packet->data, linear < ETHERNET_BYTES ? linear : ETHERNET_BYTES);
		off = linear;
	}
	if (off + 4 <= linear)
		hash = mix(hash, packet->data + off, 4);
	return hash ? hash : 1;
}

DEFINE_SKB_HELPER(get_hash_recalc)
{
	struct skb_context *skb = skb_of(packet);

	if (!skb->hash)
		skb->hash = flow_hash(packet);
	return skb->hash;
}

DEFINE_SKB_HELPER(set_hash)
{
	skb_of(packet)->hash = (uint32_t)r2;
	return 0;
}

DEFINE_SKB_HELPER(set_hash_invalid)
{
	forget_hash(packet);
	return 0;
}

/* --- Marks -------------------------------------------------------------------------------- */

DEFINE_SKB_HELPER(skb_change_type)
{
	struct skb_context *skb = skb_of(packet);

	if (skb->pkt_type > MOST_PACKET_TYPE || (uint32_t)r2 > MOST_PACKET_TYPE)
		return as_r0(-EINVAL);
	skb->pkt_type = (uint32_t)r2;
	return 0;
}

static bool is_ip(const struct skep_packet *packet)
{
	return packet->protocol == net16(TYPE_IPV4) || packet->protocol == net16(TYPE_IPV6);
}

/* Clocks: 0 real time, 1 monotonic, 2 TAI; the last two have no time 0. */
DEFINE_SKB_HELPER(skb_set_tstamp)
{
	struct skb_context *skb = skb_of(packet);
	uint32_t clock = (uint32_t)r3;

	if (!is_ip(packet))
		return as_r0(-EOPNOTSUPP);
	if (clock > 2 || (clock && !r2))
		return as_r0(-EINVAL);
	skb->tstamp = r2;
	skb->tstamp_type = (uint8_t)clock;
	return 0;
}

static uint16_t add_one(uint16_t sum)
{
	return (uint16_t)(sum + 1 + (sum == 0xffff));
}

/* The type behind all tags; 0: they end beyond the packet. */
static uint16_t type_inside(const struct skep_packet *packet)
{
	uint16_t type = net16(packet->protocol);

	for (uint32_t off = packet->network_off; type == TYPE_VLAN || type == TYPE_QINQ; off += 4) {
		if (off + VLAN_BYTES > linear_bytes(packet))
			return 0;
		type = (uint16_t)(packet->data[off + 2] << 8 | packet->data[off + 3]);
	}
	return type;
}

/* "Not capable" stays; ECT(0), ECT(1) and CE become CE, in IPv4 with the checksum. */
static bool set_congested(struct skep_packet *packet)
{
	uint8_t *ip = packet->data + packet->network_off;
	uint32_t room = (uint32_t)(packet->end - ip);
	uint16_t sum, type = type_inside(packet);

	if (type == TYPE_IPV6 && room >= 40) {
		if (!(ip[1] & 0x30))
			return false;
		ip[1] |= 0x30;
		return true;
	}
	if (type != TYPE_IPV4 || room < 20 || !(ip[1] & 3))
		return false;
	if ((ip[1] & 3) == 3)
		return true;
	/* ECT(0) 2 → 3 adds 1 to the header's sum, ECT(1) 1 → 3 adds 2; the checksum loses it. */
	memcpy(&sum, ip + 10, 2);
	sum = (uint16_t)~net16(sum);
	sum = (ip[1] & 3) == 2 ? add_one(sum) : add_one(add_one(sum));
	sum = net16((uint16_t)~sum);
	memcpy(ip + 10, &sum, 2);
	ip[1] |= 3;
	return true;
}

DEFINE_SKB_HELPER(skb_ecn_set_ce)
{
	return packet->network_off <= linear_bytes(packet) && set_congested(packet);
}

/* --- Whose packet it is: nobody's here, as in the kernel's test runs ---------------------- */

DEFINE_HELPER(get_cgroup_classid)
{
	return 0;
}

DEFINE_HELPER(skb_cgroup_classid)
{
	return 0;
}

DEFINE_HELPER(get_route_realm)
{
	return 0;
}

DEFINE_HELPER(skb_cgroup_id)
{
	return 0;
}

DEFINE_HELPER(skb_ancestor_cgroup_id)
{
	return 0;
}

DEFINE_HELPER(skb_under_cgroup)
{
	const struct skep_map *map = map_of(r2);

	return as_r0((uint32_t)r3 >= map->max_entries ? -E2BIG : -EAGAIN);
}

/* One socket, one name space: a number that stays. */
DEFINE_HELPER(get_socket_cookie)
{
	return 1;
}

DEFINE_HELPER(get_netns_cookie)
{
	return 1;
}

#define NOBODY 65534u /* overflow uid */

DEFINE_HELPER(get_socket_uid)
{
	return NOBODY;
}
